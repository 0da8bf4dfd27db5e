"""One run at a time in a checkout; the second is told who holds it.

The lock is the kernel's (flock), so it ends with its holder however that ends, and a left-over file means nothing.
Processes of one run (the workers of ``nox -j``) share it: they carry the same run id.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import IO

from pipeline.errors import ConfigurationError, StorageTrouble

STOPPING_S = 30.0
"""How long is waited for what a run that was killed has left behind to stop, in seconds."""
_PAUSE_S = 0.05


class RunLock:
    """Held from :meth:`acquire` until the process ends or :meth:`release`."""

    def __init__(self, path: Path, run_id: str) -> None:
        self._path = path
        self._run_id = run_id
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            ConfigurationError: another run holds it; the message names its pid.
            StorageTrouble: the lock file can't be written.
        """
        if self._file is not None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Opened without truncating: the content belongs to whoever holds the lock.
            file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+", encoding="utf-8")
            with contextlib.ExitStack() as undo:
                undo.callback(file.close)
                self._take(file)
                undo.pop_all()
        except OSError as error:
            raise StorageTrouble(
                f"The lock of the run could not be taken: {error.strerror or error}.",
                advice=f"Free space in {self._path.parent} or make it writable, then run again.",
            ) from error
        self._file = file

    def _take(self, file: IO[str]) -> None:
        pid, looks, until = "", 0, time.monotonic() + STOPPING_S
        # A second look, since the holder whose name was read may have ended in between. One that was killed has left
        # stages that hold the lock too for as long as they take to stop, which is not long.
        while looks < 2 or (pid and not _lives(pid) and time.monotonic() < until):
            if looks >= 2:
                time.sleep(_PAUSE_S)
            looks += 1
            if _alone(file):
                file.seek(0)
                file.truncate()
                file.write(f"{self._run_id} {os.getpid()}\n")
                file.flush()
            # Shared from here on, so that the same run's other processes can join; strangers ask for it exclusively.
            # Where it was not ours alone this waits until its holder has written its name, which takes a moment.
            fcntl.flock(file, fcntl.LOCK_SH)
            run_id, pid = _holder(file)
            if run_id == self._run_id:
                return
            fcntl.flock(file, fcntl.LOCK_UN)
        raise ConfigurationError(
            f"Another run is at work in this checkout (pid {pid or 'unknown'}).",
            advice="Wait until it has ended, or use another checkout.",
        )

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _alone(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(pid: str) -> bool:
    """Whether there is such a process, of whichever user."""
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _holder(file: IO[str]) -> tuple[str, str]:
    file.seek(0)
    with contextlib.suppress(ValueError):
        run_id, pid = file.read().split()
        return run_id, pid
    return "", ""
