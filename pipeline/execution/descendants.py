"""Whatever a process has started, down to the last grandchild: kept within reach, and ended.

A tool's own children may leave its process group and session. Where the kernel can do it (Linux), a process that has
called :func:`adopt` becomes the parent of every orphan among its descendants (PR_SET_CHILD_SUBREAPER, prctl(2)), so
that none of them can get away from it by losing its parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PROC = Path("/proc")
_PATIENCE_S = 5.0
_PAUSE_S = 0.005
MARK = "PROVEN_PIPELINE_CHECKOUT_"
"""The beginning of a variable in the environment of every process that works for a run; its end names the checkout."""


def adopt() -> None:
    """From now on every descendant that loses its parent is a child of this process."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def stop_with(parent: int, number: signal.Signals) -> bool:
    """From now on this process gets the signal when its parent ends; whether ``parent`` still is that."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, number)
    return os.getppid() == parent


def end_descendants(spare: Collection[int] = ()) -> bool:
    """Kill every descendant but those in ``spare`` and theirs; whether all have gone.

    It is asked again and again, since a process that is being killed may just have started another.
    """
    return _end(lambda: _descendants(os.getpid(), spare))


def end_marked(checkout: str, spare: str) -> bool:
    """Kill what works for ``checkout``, but not for the run ``spare``: what a run that was killed has left behind."""
    entry = f"{MARK}{checkout}=".encode()
    return _end(lambda: [pid for pid in _processes() if _marked(pid, entry, spare.encode())])


def _end(found: Callable[[], Collection[int]]) -> bool:
    until = time.monotonic() + _PATIENCE_S
    while left := found():
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE_S)
    return True


def _descendants(root: int, spare: Collection[int]) -> list[int]:
    """Those of the process ``root``; ended ones too while their end has not been taken note of."""
    if not _has_children():
        return []
    children: dict[int, list[int]] = {}
    for pid in _processes():
        children.setdefault(_parent(pid), []).append(pid)
    found, ahead = [], [root]
    while ahead:
        for pid in children.get(ahead.pop(), ()):
            if pid not in spare:
                found.append(pid)
                ahead.append(pid)
    return found


def _has_children() -> bool:
    """Whether there is any child at all, which is told at once and mostly denied."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _processes() -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from (int(name) for name in os.listdir(_PROC) if name.isdigit())


def _parent(pid: int) -> int:
    """Field 4 of ``/proc/<pid>/stat`` (proc(5)); 0 where the process has gone."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return 0
    # The second field is the program's name in brackets and may hold spaces and brackets itself.
    return int(stat.rpartition(b")")[2].split()[1])


def _marked(pid: int, entry: bytes, spare: bytes) -> bool:
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        # Somebody else's, or gone.
        return False
    return pid != os.getpid() and any(v.startswith(entry) and v != entry + spare for v in variables)
