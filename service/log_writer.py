"""The writer of the log: lines of requests that one worker has at the same time go out together.

A write for each line wakes whoever reads the log and hands Python's global lock to another thread, in the middle of
each answer, and that cost more than all that the hooks do (docs/performance.md). A request that is alone in its worker
has its line written before its answer is sent; in company a line waits for the others', some hundredths of a second.
"""

import contextlib
import logging
import os
import select
import time
from collections import deque
from threading import get_ident
from typing import TextIO

# The most lines that wait for others, and for how long.
TOGETHER, SECONDS = 64, 0.02
# The most that wait when nobody reads the log. What comes then is lost, and counted.
KEPT = 2000
# How long a process that ends waits for somebody to read what is left.
PATIENCE_SECONDS = 2.0


class LogWriter(logging.StreamHandler[TextIO]):
    """Writes to the stream's file where there is room: a reader that stands still must not stop the service.

    The server says which requests it has taken on. Without a server each line is written at once.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        # Each with how many lines are lost if it can't be written.
        self._lines: deque[tuple[bytes, int]] = deque()
        self._since = 0.0
        self._lost: deque[int] = deque()
        # Whoever takes it out may write.
        self._turn = deque([True])
        # Requests whose line is still to come, and the thread that is at work on each. One step on a set or a dict
        # needs no lock.
        self._ahead: set[object] = set()
        self._at_work: dict[int, object] = {}
        # What waits in the parent is the parent's to write.
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        self._lines.clear()
        self._ahead.clear()
        self._at_work.clear()
        self._lost.clear()
        self._turn = deque([True])

    def expect(self, request: object) -> None:
        """There will be a line of this request, or ``done``."""
        self._ahead.add(request)

    def begin(self, request: object) -> None:
        """This thread's next line is of this request."""
        self._at_work[get_ident()] = request

    def done(self, request: object) -> None:
        """The request is over, though it may have had no line."""
        self._at_work.pop(get_ident(), None)
        self._ahead.discard(request)
        if not self._ahead:
            self.flush()

    def due(self, seconds: float) -> float:
        """For how many of these seconds nothing need be written; what has waited long enough is written now."""
        if not self._lines:
            return seconds
        left = self._since + SECONDS - time.monotonic()
        if left > 0:
            return min(seconds, left)
        self.flush()
        return min(seconds, SECONDS)

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock that other handlers hold meanwhile: no thread waits until another has written."""
        wanted = bool(self.filter(record))
        if wanted:
            try:
                self.emit(record)
            except (LookupError, TypeError, ValueError):
                # A message that does not fit its arguments, or a stream that is closed.
                self.handleError(record)
        return wanted

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line; that of a fault is written at once, and what came before it."""
        line = f"{self.format(record)}\n".encode()
        self._ahead.discard(self._at_work.get(get_ident()))
        if len(self._lines) >= KEPT:
            self.flush()
        waiting = len(self._lines)
        if waiting >= KEPT:
            self._lost.append(1)
            return
        if not waiting:
            self._since = time.monotonic()
        self._lines.append((line, 1))
        if not self._ahead or waiting >= TOGETHER or record.levelno >= logging.ERROR:
            self.flush()

    def flush(self) -> None:
        """Write what is there, as far as there is room."""
        self._write(0.0)

    def close(self) -> None:
        """Write the rest, and wait for room if need be."""
        self._write(PATIENCE_SECONDS)
        super().close()

    def _write(self, patience: float) -> None:
        # A thread that finds another one writing leaves its line to that one, which looks again when it has done.
        while self._lines:
            turn: list[bool] = []
            try:
                with contextlib.suppress(IndexError):
                    turn.append(self._turn.pop())
                if not turn or not self._written(self.stream.fileno(), patience):
                    return
            finally:
                self._turn.extend(turn)

    def _written(self, file: int, patience: float) -> bool:
        """Whether there was room, and so some was written: as much as a pipe then takes whole, at once (PIPE_BUF)."""
        room = select.poll()
        room.register(file, select.POLLOUT)
        if not room.poll(patience * 1000):
            return False
        self._since = time.monotonic()
        lost = sum(self._lost.popleft() for _ in range(len(self._lost)))
        if lost:
            said = "%s log lines are lost, because they could not be written"
            told = logging.LogRecord(__name__, logging.WARNING, "", 0, said, (lost,), None)
            self._lines.append((f"{self.format(told)}\n".encode(), lost))
        together = [self._lines.popleft()]
        size = len(together[0][0])
        while self._lines and size + len(self._lines[0][0]) <= select.PIPE_BUF:
            together.append(self._lines.popleft())
            size += len(together[-1][0])
        text = b"".join(line for line, _ in together)
        try:
            written = os.write(file, text[: select.PIPE_BUF])
        except OSError:
            # Nobody will ever read it, or the disk is full: the service goes on.
            self._lost.append(sum(lines for _, lines in together))
        else:
            if text[written:]:
                self._lines.appendleft((text[written:], 1))
        return True
