"""Whatever a process has started is found and ended, wherever it has gone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.execution.descendants import MARK, end_marked
from pipeline.execution.processes import process_started

ROOT = Path(__file__).parents[3]
WAIT = "import time; time.sleep(60)"
# Two orphans, one in a session of its own, and a child that is spared.
FAMILY = f"""
import os, subprocess, sys
from pipeline.execution.descendants import adopt, end_descendants
adopt()
wait = [sys.executable, "-c", {WAIT!r}]
middle = (
    "import subprocess, sys\\n"
    "for own in (True, False):\\n"
    "    print(subprocess.Popen(sys.argv[1:], start_new_session=own, stdout=subprocess.DEVNULL).pid)"
)
out = subprocess.run([sys.executable, "-c", middle, *wait], stdout=subprocess.PIPE, text=True).stdout.split()
spared = subprocess.Popen(wait)
assert end_descendants({{spared.pid}})
assert spared.poll() is None, "it was to be spared"
assert end_descendants()
assert not os.path.exists(f"/proc/{{spared.pid}}")
assert len(out) == 2 and not any(os.path.exists(f"/proc/{{pid}}") for pid in out), out
assert end_descendants(), "there are none any more"
"""
CHILD = f"""
import os, signal, sys, time
from pipeline.execution.descendants import stop_with
parent = os.getpid()
child = os.fork()
if child == 0:
    assert stop_with(parent, signal.SIGTERM)
    print(os.getpid(), flush=True)
    {WAIT}
time.sleep(60)
"""


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def soon(happened: Callable[[], bool]) -> None:
    """Wait until it has."""
    until = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_orphans_are_ended_too_and_who_is_spared_is_not() -> None:
    done = subprocess.run(python(FAMILY), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_process_ends_with_its_parent_however_that_ends() -> None:
    with subprocess.Popen(python(CHILD), cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert process_started(child)
        parent.send_signal(signal.SIGKILL)
    soon(lambda: not process_started(child))


def test_what_a_killed_run_has_left_is_known_by_its_mark(tmp_path: Path) -> None:
    checkout = f"test-{tmp_path.name}-{os.getpid()}"
    name = f"{MARK}{checkout}"
    marks: tuple[dict[str, str], ...] = ({name: "run-1"}, {name: "run-2"}, {f"{name}x": "run-1"})
    with contextlib.ExitStack() as ends:
        left, ours, other = (
            ends.enter_context(subprocess.Popen(python(WAIT), env={**os.environ, **mark})) for mark in marks
        )
        for process in (left, ours, other):
            ends.callback(process.kill)
        # Where Popen returns the kernel may still be about to give the new program its environment.
        soon(lambda: all(name.encode() in Path(f"/proc/{p.pid}/environ").read_bytes() for p in (left, ours, other)))
        assert end_marked(checkout, "run-2")
        # This process is its parent, and what kills takes note of the end of its own children too.
        assert not process_started(left.pid)
        assert (ours.poll(), other.poll()) == (None, None)
