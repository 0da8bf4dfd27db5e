"""A polite request to stop, or a closed terminal, ends a run like Ctrl-C: all is stopped, the report says so."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""SIGINT too: whoever was started in the background, as CI systems do, has inherited that it is ignored."""


def as_keyboard_interrupt() -> None:
    """From now on SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, in the main thread (Python allows no other)."""
    if threading.current_thread() is threading.main_thread():
        for number in REQUESTS:
            signal.signal(number, _interrupt)


def over() -> None:
    """All has been done and said, and this process ends with the exit code that it has: requests are ignored.

    Not by a handler of ours, since Python gives those up long before it has ended, and a signal would kill it then.
    """
    for number in REQUESTS:
        signal.signal(number, signal.SIG_IGN)


class Requests:
    """The requests to stop that came while they were only noted; :meth:`fileno` can be read once one has come."""

    def __init__(self) -> None:
        self.count = 0
        self._noting = True
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)

    def fileno(self) -> int:
        """What to wait for beside other things."""
        return self._read

    def heard(self) -> None:
        """What has come so far needs to be waited for no more."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read, 512):
                pass

    @contextlib.contextmanager
    def raised(self) -> Iterator[None]:
        """Within, a request raises KeyboardInterrupt at once: for what waits for something else, and can be left."""
        if self.count:
            raise KeyboardInterrupt
        self._noting = False
        try:
            yield
        finally:
            self._noting = True

    def note(self, number: int, frame: FrameType | None) -> None:
        """The handler of the signals."""
        self.count += 1
        if not self._noting:
            # Once: what is done in answer is not to be interrupted.
            self._noting = True
            _interrupt(number, frame)
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b".")

    def close(self) -> None:
        """No more signals come."""
        os.close(self._read)
        os.close(self._write)


@contextlib.contextmanager
def noted(*, to_the_end: bool = False) -> Iterator[Requests]:
    """Within, requests to stop are noted and interrupt nothing: for work that looks for them itself.

    ``to_the_end``: that work was all that this process is for. What is left after it, to say how it went and to end,
    takes a moment, and a request that comes then changes nothing any more, the exit code least of all.
    """
    requests = Requests()
    if threading.current_thread() is not threading.main_thread():
        yield requests
        requests.close()
        return
    before = {number: signal.signal(number, requests.note) for number in REQUESTS}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, _overhear if to_the_end else handler)
        requests.close()


def _overhear(number: int, frame: FrameType | None) -> None:
    del number, frame


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    raise KeyboardInterrupt(signal.Signals(number).name)
