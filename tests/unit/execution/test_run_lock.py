"""One run at a time in a checkout: real processes that hold, join, are refused, and die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError, StorageTrouble
from pipeline.execution.run_lock import RunLock

ROOT = Path(__file__).parents[3]
HOLDER = (
    "import sys; from pathlib import Path; from pipeline.execution.run_lock import RunLock\n"
    "lock = RunLock(Path(sys.argv[1]), sys.argv[2])\n"
    "try:\n    lock.acquire()\n    print('held', flush=True)\n"
    "except Exception as error:\n    print(error, flush=True)\n"
    "sys.stdin.read()\n"
)


@contextmanager
def _other(path: Path, run_id: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that takes the lock; what it says about it."""
    with subprocess.Popen(
        (sys.executable, "-c", HOLDER, str(path), run_id),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        if process.poll() is None:
            process.communicate("")


@pytest.fixture(name="path")
def _path_fixture(tmp_path: Path) -> Path:
    return tmp_path / "state" / "run.lock"


def test_a_second_run_is_refused_and_told_the_pid(path: Path) -> None:
    with _other(path, "first") as (process, said):
        assert said == "held"
        with pytest.raises(
            ConfigurationError, match=rf"Another run is at work in this checkout \(pid {process.pid}\)\."
        ) as caught:
            RunLock(path, "second").acquire()
        assert caught.value.exit_code == 2
    lock = RunLock(path, "second")
    lock.acquire()
    lock.release()


def test_processes_of_one_run_share_it_and_keep_strangers_out_until_the_last_ends(path: Path) -> None:
    lock = RunLock(path, "run")
    lock.acquire()
    with _other(path, "run") as (process, said):
        assert said == "held"
        with _other(path, "stranger") as (_, refusal):
            assert f"pid {os.getpid()}" in refusal
        lock.release()
        with _other(path, "stranger") as (_, refusal):
            assert "Another run is at work" in refusal
        process.kill()
        process.wait()
        with _other(path, "stranger") as (_, said):
            assert said == "held"


def test_the_file_of_a_killed_run_is_no_obstacle(path: Path) -> None:
    with _other(path, "killed") as (process, said):
        assert said == "held"
        process.kill()
        process.wait()
    assert path.exists()
    lock = RunLock(path, "next")
    lock.acquire()
    assert path.read_text(encoding="utf-8") == f"next {os.getpid()}\n"
    lock.release()


def test_a_damaged_file_is_no_obstacle_and_names_no_pid(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("this is not a lock file of ours at all, and longer than one", encoding="utf-8")
    lock = RunLock(path, "next")
    lock.acquire()
    path.write_text("", encoding="utf-8")
    with _other(path, "stranger") as (_, refusal):
        assert "(pid unknown)" in refusal
    lock.release()


def test_taking_it_twice_and_giving_it_back_twice_is_harmless(path: Path) -> None:
    lock = RunLock(path, "run")
    lock.acquire()
    lock.acquire()
    lock.release()
    lock.release()
    with _other(path, "stranger") as (_, said):
        assert said == "held"


def test_many_processes_of_one_run_that_begin_at_once_all_get_it(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("earlier 1\n", encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from pipeline.execution.run_lock import RunLock\nsys.stdin.readline()\n"
        "for _ in range(200):\n    lock = RunLock(Path(sys.argv[1]), 'run')\n    lock.acquire()\n    lock.release()\n"
        "print('done')\n"
    )
    argv = (sys.executable, "-c", code, str(path))
    workers = [
        subprocess.Popen(  # pylint: disable=consider-using-with  # communicate() waits for each
            argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    assert [worker.communicate()[0] for worker in workers] == ["done\n"] * 4


def test_a_place_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("", encoding="utf-8")
    with pytest.raises(StorageTrouble, match="lock of the run could not be taken"):
        RunLock(tmp_path / "state" / "run.lock", "run").acquire()


ORPHAN = (
    "import os, sys, time; from pathlib import Path; from pipeline.execution.run_lock import RunLock\n"
    "lock = RunLock(Path(sys.argv[1]), 'first')\nlock.acquire()\n"
    "child = os.fork()\n"
    "if child:\n    print(child, flush=True)\n    os._exit(0)\n"
    "os.close(1)\ntime.sleep(float(sys.argv[2]))\n"
)


def _leave_an_orphan(path: Path, seconds: str) -> int:
    """A run that has ended, and a process of it, by its id, that still holds its lock for so long."""
    command = (sys.executable, "-c", ORPHAN, str(path), seconds)
    return int(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def test_what_a_killed_run_left_is_waited_for(path: Path) -> None:
    _leave_an_orphan(path, "1")
    lock = RunLock(path, "second")
    lock.acquire()
    lock.release()


def test_it_is_not_waited_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.execution.run_lock.STOPPING_S", 0.3)
    orphan = _leave_an_orphan(path, "300")
    try:
        with pytest.raises(ConfigurationError, match="Another run is at work"):
            RunLock(path, "second").acquire()
    finally:
        os.kill(orphan, signal.SIGKILL)
