"""Real processes: whatever a tool does, its outcome is told as it was, and nothing of it stays."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.ports import Outcome, Request
from pipeline.errors import ToolTrouble
from pipeline.execution import processes
from pipeline.execution.descendants import MARK
from pipeline.execution.processes import LocalProcesses, end_process, process_started, start_detached
from pipeline.testing import SilentProgress

ROOT = Path(__file__).parents[3]
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
FORKS = (
    "import os, sys, time\n"
    "child = os.fork()\n"
    "if child == 0:\n    time.sleep(60)\n"
    "with open(sys.argv[1] + '.part', 'w') as file:\n    file.write(str(child))\n"
    "os.replace(sys.argv[1] + '.part', sys.argv[1])\n"
)


def _run(folder: Path, code: str, *arguments: str, timeout_s: float = 30.0, **request: Any) -> Outcome:
    argv = (sys.executable, "-c", code, *arguments)
    return LocalProcesses(os.environ).run(Request(argv=argv, cwd=folder, timeout_s=timeout_s, **request))


def _gone(pid: int) -> bool:
    return process_started(pid) == ""


def _timed_out(folder: Path, code: str, *arguments: str) -> Outcome:
    """Of a process that says "up" when it is ready, and has had the time for that, however busy the machine is."""
    for timeout_s in (0.5, 5.0, 50.0):
        ended = _run(folder, code, *arguments, timeout_s=timeout_s)
        assert ended.timed_out
        if ended.stdout == "up\n":
            return ended
    raise AssertionError(f"it never came up: {ended}")


def _soon(condition: Callable[[], bool], within_s: float = 60.0) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


@pytest.fixture(name="short_grace", autouse=True)
def _short_grace_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_GRACE_S", 0.3)


def test_an_outcome_holds_both_streams_and_the_exit_code(tmp_path: Path) -> None:
    ended = _run(tmp_path, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    assert (ended.exit_code, ended.stdout, ended.stderr, ended.timed_out) == (7, "out\n", "err\n", False)
    assert ended.duration_s > 0
    assert ended.tail() == "err"


def test_megabytes_on_both_streams_do_not_block(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.write('x' * 4_000_000); sys.stderr.write('y' * 4_000_000)"
    ended = _run(tmp_path, code)
    assert (len(ended.stdout), len(ended.stderr)) == (4_000_000, 4_000_000)


def test_the_end_of_a_process_is_told_and_not_looked_for_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slept(seconds: float) -> None:
        raise AssertionError(f"it was waited for {seconds} s before the next look")

    monkeypatch.setattr("time.sleep", slept)
    assert _run(tmp_path, "import time; time.sleep(0.1)").exit_code == 0


def test_where_nobody_tells_of_a_process_s_end_it_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.pidfd_open", raising=False)
    assert _run(tmp_path, "import time; time.sleep(0.1); raise SystemExit(3)").exit_code == 3
    assert _run(tmp_path, "import time; time.sleep(60)", timeout_s=0.2).timed_out


def test_a_process_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    ended = _run(tmp_path, "import os, sys, time; os.close(1); os.close(2); time.sleep(0.3); os._exit(5)")
    assert (ended.exit_code, ended.stdout) == (5, "")
    assert ended.duration_s >= 0.3


def test_a_signal_is_a_negative_exit_code(tmp_path: Path) -> None:
    assert _run(tmp_path, "import os; os.kill(os.getpid(), 9)").exit_code == -9


def test_input_is_given_and_bytes_that_are_no_text_are_shown(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read() + b'\\xff')"
    assert _run(tmp_path, code, stdin="ä\udcfe").stdout == "ä\\xfe\\xff"
    assert _run(tmp_path, code, stdin="ä", undecodable="surrogateescape").stdout == "ä\udcff"
    assert _run(tmp_path, "import sys; print(repr(sys.stdin.read()))").stdout == "''\n"


def test_only_listed_variables_are_inherited_and_none_takes_one_away(tmp_path: Path) -> None:
    watched = {"HOME", "LANG", "GIT_DIR", "MY", "NEW"}
    environ = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "LANG": "C.UTF-8", "GIT_DIR": "/elsewhere", "MY": "own"}
    request = Request(
        argv=(sys.executable, "-c", f"import os; print(sorted(set(os.environ) & {watched}))"),
        cwd=tmp_path,
        timeout_s=30,
        env={"LANG": None, "NEW": "x"},
    )
    assert LocalProcesses(environ).run(request).stdout == "['HOME', 'NEW']\n"


@pytest.mark.parametrize("argv", [("/no/such/program",), ("no-such-program-anywhere",), (str(ROOT),)])
def test_what_can_not_be_started_is_trouble_with_its_name(argv: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(ToolTrouble, match=f"{Path(argv[0]).name} could not be started: "):
        LocalProcesses(os.environ).run(Request(argv=argv, cwd=tmp_path, timeout_s=5))


@pytest.mark.parametrize(
    "wrong", [{"env": {"A": "x\0"}}, {"env": {"A=B": "x"}}, {"stdin": "\ud800"}, {"cwd": Path("/none")}]
)
def test_what_no_process_can_be_given_is_trouble_too(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ToolTrouble, match="could not be started"):
        LocalProcesses(os.environ).run(
            Request(**{"argv": (sys.executable, "-V"), "cwd": tmp_path, "timeout_s": 5, **wrong})
        )


def test_a_process_that_ignores_the_polite_signal_is_killed_when_its_time_is_up(tmp_path: Path) -> None:
    assert _timed_out(tmp_path, STUBBORN).exit_code == -9


def test_a_process_that_ends_with_0_when_stopped_is_still_timed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is to end by itself, however long that takes on a busy machine.
    monkeypatch.setattr(processes, "_GRACE_S", 60.0)
    code = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))"
    assert _timed_out(tmp_path, f"{code}; print('up', flush=True); time.sleep(60)").exit_code == 0


def test_what_a_process_leaves_running_in_its_group_is_ended(tmp_path: Path) -> None:
    assert _run(tmp_path, FORKS, str(tmp_path / "pid")).exit_code == 0
    grandchild = int((tmp_path / "pid").read_text(encoding="ascii"))
    assert _soon(lambda: _gone(grandchild))


def test_a_grandchild_is_ended_when_the_time_is_up(tmp_path: Path) -> None:
    _timed_out(tmp_path, FORKS + "print('up', flush=True)\ntime.sleep(60)\n", str(tmp_path / "pid"))
    assert _soon(lambda: _gone(int((tmp_path / "pid").read_text(encoding="ascii"))))


@pytest.fixture(name="interruptible")
def _interruptible() -> Iterator[None]:
    """A test run that was started in the background has inherited that SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_stops_the_group_and_goes_on(tmp_path: Path) -> None:
    record = tmp_path / "pid"

    def _interrupt_when_up() -> None:
        _soon(record.exists)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    watcher = threading.Thread(target=_interrupt_when_up)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path, FORKS + "time.sleep(60)\n", str(record))
    watcher.join()
    assert _soon(lambda: _gone(int(record.read_text(encoding="ascii"))))


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_a_process_is_started_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    start: Callable[..., subprocess.Popen[bytes]] = vars(subprocess)["Popen"]

    def interrupted(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = start(*arguments, **options)
        made.append(process.pid)
        # To this thread, whose mask it is about; those of a test runner have none.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        return process

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path, "import time; time.sleep(60)")
    assert [_gone(pid) for pid in made] == [True]


def test_children_end_with_a_runner_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from pipeline.core.ports import Request\nfrom pipeline.execution.processes import LocalProcesses\n"
        "child = \"import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)\"\n"
        "argv = (sys.executable, '-c', child, sys.argv[1])\n"
        "LocalProcesses(os.environ).run(Request(argv=argv, cwd=Path('.'), timeout_s=60))\n"
    )
    record = tmp_path / "pid"
    with subprocess.Popen((sys.executable, "-c", code, str(record)), cwd=ROOT, start_new_session=True) as runner:
        assert _soon(lambda: record.exists() and record.read_text(encoding="ascii") != "")
        child = int(record.read_text(encoding="ascii"))
        assert not _gone(child)
        runner.kill()
    assert _soon(lambda: _gone(child))


def test_a_process_is_reported_again_and_again_with_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_BEAT_S", 0.1)
    progress = SilentProgress()
    code = "import pathlib, time\nwhile not pathlib.Path('enough').exists():\n    time.sleep(0.02)"
    argv = (sys.executable, "-c", code)

    def steps() -> Iterator[str]:
        yield from ("", "1 of 9 files")
        (tmp_path / "enough").touch()
        yield from itertools.repeat("2 of 9 files")

    so_far = steps()
    request = Request(argv=argv, cwd=tmp_path, timeout_s=60, title="sleeping", so_far=lambda: next(so_far))
    LocalProcesses(os.environ, progress).run(request)
    assert progress.updates[:3] == ["sleeping", "sleeping: 1 of 9 files", "sleeping: 2 of 9 files"]
    said = len(progress.updates)
    LocalProcesses(os.environ, progress).run(Request(argv=argv, cwd=tmp_path, timeout_s=30))
    assert (len(progress.updates), progress.said) == (said, [])


def test_a_detached_process_outlives_its_starter_and_is_known_by_when_it_began(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "daemon.log"
    pid = start_detached(
        [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"], log, {"A": "b"}
    )
    started = process_started(pid)
    try:
        assert started
        assert _soon(lambda: log.read_text(encoding="utf-8") == "up\n")
        assert not end_process(pid, started + "0")
        assert not end_process(pid, "")
        assert not _gone(pid)
        assert end_process(pid, started)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert process_started(pid) == ""
    assert not end_process(pid, started)


def test_a_zombie_is_no_process(tmp_path: Path) -> None:
    pid = start_detached([sys.executable, "-c", ""], tmp_path / "log")
    assert _soon(lambda: _gone(pid))
    os.waitpid(pid, 0)


def test_a_daemon_that_can_not_be_started_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(ToolTrouble, match="could not be started"):
        start_detached(["/no/such/daemon"], tmp_path / "log")


def test_time_during_which_the_runner_was_stopped_is_none_that_the_process_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_SLACK_S", 0.1)
    monkeypatch.setattr(processes, "_BEAT_S", 0.1)
    # A small program, which is there long before its time is over, however busy the machine is.
    script = "kill -STOP $PPID; sleep 4; kill -CONT $PPID; sleep 0.5"
    ended = LocalProcesses(os.environ).run(Request(argv=("sh", "-c", script), cwd=tmp_path, timeout_s=3))
    assert (ended.timed_out, ended.exit_code) == (False, 0)


def test_what_ended_while_the_runner_was_stopped_has_not_run_out_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_SLACK_S", 60.0)
    # Who lets the runner go on is no part of the group that ends.
    script = "setsid sh -c 'sleep 4; kill -CONT $0' $PPID > waker.log 2>&1 & kill -STOP $PPID"
    ended = LocalProcesses(os.environ).run(Request(argv=("sh", "-c", script), cwd=tmp_path, timeout_s=3))
    assert (ended.timed_out, ended.exit_code) == (False, 0)


def test_every_process_carries_the_mark_of_its_run_and_those_of_runs_around_it(tmp_path: Path) -> None:
    around = {f"{MARK}outer": "run-1"}
    runner = LocalProcesses({**os.environ, **around}, mark={f"{MARK}inner": "run-2"})
    code = f"import os; print(sorted(os.environ[n] for n in os.environ if n.startswith({MARK!r})))"
    ended = runner.run(Request(argv=(sys.executable, "-c", code), cwd=tmp_path, timeout_s=30))
    assert "'run-1', 'run-2'" in ended.stdout
