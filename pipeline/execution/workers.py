"""A process of this program's own for one piece of work, so that it can be stopped whatever it is doing.

A fork, since the work is a stage of a run that has begun: nothing needs to be loaded or read again. A thread would not
do: Python can't stop one, a signal reaches the first one alone, and stages that measure time would share one
interpreter. Who forks has no other threads, so no lock is held by one that is not there afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any

from pipeline.execution.descendants import adopt, end_descendants, stop_with

Message = dict[str, Any]
"""What a worker tells: a JSON object."""
INTERRUPTED, BROKEN = 130, 70
_BLOCK = 65536


class Worker:
    """Does ``work`` in a process of its own, which is given a function to tell messages with.

    :meth:`fileno` is ready to be read when there are some, or when it has ended. The process ends, with all that it
    has started, when it is told to, when the work is done, and when the process that has started it is gone.
    """

    def __init__(self, name: str, work: Callable[[Callable[[Message], None]], None]) -> None:
        self.name = name
        self.exit_code: int | None = None
        """As :mod:`subprocess` has it (negative for a signal); none while it runs."""
        parent = os.getpid()
        self._read, write = os.pipe()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        # A signal between the fork and its assignment would leave a process that nobody knows.
        every = signal.valid_signals()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, every)
        with warnings.catch_warnings():
            # Python warns where there are other threads; of what those may hold, the child needs nothing.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            os.close(self._read)
            _live(parent, write, work, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(write)
        self._rest = b""

    def fileno(self) -> int:
        """Where its messages come from."""
        return self._read

    def messages(self) -> list[Message]:
        """What it has told since; none when it has ended, and then :attr:`exit_code` is known."""
        block = os.read(self._read, _BLOCK)
        *lines, self._rest = (self._rest + block).split(b"\n")
        if not block and self.exit_code is None:
            _, status = os.waitpid(self.pid, 0)
            self.exit_code = os.waitstatus_to_exitcode(status)
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Nobody listens any more; after its end, and after whoever waits for it has stopped doing so."""
        os.close(self._read)

    def stop(self) -> None:
        """Ask it to stop what it does and to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once; what it has started is left to whoever has started it."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.exit_code is None:
            os.kill(self.pid, number)


def _live(parent: int, write: int, work: Callable[[Callable[[Message], None]], None], mask: set[Any]) -> None:
    """The whole life of the worker's process."""
    code = BROKEN
    try:
        try:
            listen()
            adopt()
            alive = stop_with(parent, signal.SIGTERM)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            code = carried_out(work, Teller(write)) if alive else INTERRUPTED
        finally:
            signal.signal(signal.SIGTERM, _overhear)
            end_descendants()
    finally:
        # Nothing of the runner's, whose copy this is, may be left to go on.
        os._exit(code)


def carried_out(work: Callable[[Callable[[Message], None]], None], tell: Callable[[Message], None]) -> int:
    """Do the work; the exit code that tells how it went. What nobody has foreseen is told with its trace."""
    try:
        work(tell)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:  # pylint: disable=broad-exception-caught  # there is nobody above who could tell it
        tell({"broken": f"{type(error).__name__}: {error}", "trace": "".join(traceback.format_exception(error))})
        return BROKEN
    return 0


def listen() -> None:
    """In a worker: a request to stop comes from the runner (SIGTERM) and counts once.

    What a terminal sends is for the runner. These are handlers that do nothing and not SIG_IGN, which tools would
    inherit.
    """
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _overhear)
    signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    del frame
    signal.signal(signal.SIGTERM, _overhear)
    raise KeyboardInterrupt(signal.Signals(number).name)


def _overhear(number: int, frame: FrameType | None) -> None:
    del number, frame


class Teller:
    """Writes messages to a pipe, whole; when nobody reads any more, the work goes on."""

    def __init__(self, write: int) -> None:
        self._write = write
        self._guard = threading.Lock()

    def __call__(self, message: Message) -> None:
        """Write one."""
        line = json.dumps(message).encode("ascii") + b"\n"
        with self._guard, contextlib.suppress(BrokenPipeError):
            while line:
                line = line[os.write(self._write, line) :]
