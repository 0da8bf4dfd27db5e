"""A companion process: it ends with stop(), with the thread's end not, and with its owner however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.errors import ToolTrouble
from pipeline.execution.processes import Companion, end_process, process_started

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


def wait_for(condition: object, seconds: float = 60.0) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_it_runs_until_it_is_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of an earlier start\n", encoding="utf-8")
    companion = Companion(SLEEPER, cwd=tmp_path, log=log, env={})
    assert companion.running
    assert wait_for(lambda: log.read_text(encoding="utf-8") == "up\n")
    companion.stop()
    companion.stop()
    assert not process_started(companion.pid)


def test_it_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    made: list[Companion] = []
    thread = threading.Thread(
        target=lambda: made.append(Companion(SLEEPER, cwd=tmp_path, log=tmp_path / "log", env={}))
    )
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert made[0].running
    made[0].stop()


def test_a_program_that_is_not_there_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(ToolTrouble, match="no-such-program could not be started"):
        Companion(["/no-such-program"], cwd=tmp_path, log=tmp_path / "log", env={})


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux's")
def test_it_ends_with_an_owner_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from pipeline.execution.processes import Companion\n"
        "argv = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        f"c = Companion(argv, cwd=Path('/'), log=Path({str(tmp_path / 'log')!r}), env={{}})\n"
        "print(c.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert process_started(pid)
        owner.kill()
        owner.wait()
    assert wait_for(lambda: not process_started(pid))


def test_only_the_very_process_that_was_recorded_is_ended(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER, cwd=tmp_path, stdout=subprocess.DEVNULL, start_new_session=True) as other:
        started = process_started(other.pid)
        assert process_started(other.pid) == started
        assert not end_process(other.pid, started + "0")
        assert not end_process(other.pid, "")
        assert other.poll() is None
        assert end_process(other.pid, started)
        assert other.wait() == -signal.SIGKILL
    assert not end_process(other.pid, started)
    assert process_started(os.getpid())
