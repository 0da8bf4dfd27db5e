"""Runs to whom bad things happen: a full disk, an engine that says nothing, a terminal that goes away, two at once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator import PseudoTerminal
from tests.projects import git
from tests.quick_stages import (
    ROOT,
    STAGES,
    at_work,
    children,
    command,
    environment,
    heard,
    held,
    quick_project,
    reasons,
    report,
    statuses,
)

LONGEST_S = 300
FULL_DISK = f"""
import os, subprocess, sys
from pathlib import Path
from tests.quick_stages import at_work, command, environment, quick_project, report, statuses

def run():
    options = dict(cwd=project, env=environment(), capture_output=True, text=True, timeout={LONGEST_S})
    return subprocess.run(command(), **options)

project = quick_project(Path(sys.argv[1]) / "project")
first = run()
assert first.returncode == 0, first.stderr
before = report(project)
filler = Path(sys.argv[1]) / "filler"
with filler.open("wb", buffering=0) as file:
    try:
        while file.write(b"x" * 4096):
            pass
    except OSError:
        pass
full = run()
assert full.returncode == 3, (full.returncode, full.stderr)
assert "No space left on device" in full.stderr, full.stderr
assert "Traceback" not in full.stderr, full.stderr
assert report(project) == before or report(project)["verdict"] != "pass", report(project)
assert not at_work(project)
filler.unlink()
again = run()
assert again.returncode == 0, again.stderr
assert set(statuses(project).values()) == {{"pass"}}
"""
ENGINE_STAGE = '''"""A stage that asks the engine."""

from dataclasses import dataclass

from pipeline import nox_sessions


@dataclass(frozen=True)
class AskingStage:
    """Asks."""

    name: str = "one"
    needs: tuple = ()
    tags: tuple = ()
    summary: str = "Ask."

    def check_settings(self, settings, snapshot):
        """Nothing can be wrong."""

    def still_holds(self, context, result):
        """Never."""
        return False

    def run(self, context):
        """Ask."""
        context.ports.engine().image("sample")


nox_sessions.register(extra=[AskingStage()])
'''


CONTROLLED = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal that it writes to the one that controls it, and becomes another program."""


@pytest.fixture(name="project", scope="module")
def project_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quick_project(tmp_path_factory.mktemp("hard") / "project")


@pytest.fixture(name="dead", params=["says nothing", "has gone"])
def dead_fixture(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an engine that takes every connection and answers none, or whose socket is all that is left."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "engine.sock"))
        if request.param == "says nothing":
            server.listen(64)
        yield f"unix://{tmp_path}/engine.sock"


def run(project: Path, *more: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = environment(**variables)
    return subprocess.run(
        command(*more), cwd=project, env=env, capture_output=True, text=True, check=False, timeout=LONGEST_S
    )


@contextlib.contextmanager
def begun(project: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A run whose lines can be heard."""
    with subprocess.Popen(
        command(*more), cwd=project, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def test_a_full_disk_is_told_and_when_there_is_room_again_the_next_run_goes_on(tmp_path: Path) -> None:
    own = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    script = 'mount -t tmpfs -o size=96m none "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ("unshare", *own, "--mount", "sh", "-c", script, "sh", str(tmp_path), sys.executable, FULL_DISK),
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=3 * LONGEST_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_dead_engine_leaves_a_stage_that_can_t_tell(tmp_path: Path, dead: str) -> None:
    project = quick_project(tmp_path / "project")
    (project / "noxfile.py").write_text(ENGINE_STAGE, encoding="utf-8")
    (project / "pyproject.toml").write_text(
        '[project]\nname = "s"\n[tool.pipeline]\nrequired = ["one"]\n', encoding="utf-8"
    )
    git(project, "commit", "-qam", "ask")
    variables = {"PIPELINE_ENGINE_HOST": dead, "PIPELINE_ENGINE_TIMEOUT_S": "2", "PIPELINE_RUN_RETRIES": "0"}
    done = subprocess.run(
        (sys.executable, "-m", "pipeline", "run", "one"), cwd=project, env=environment(**variables),
        capture_output=True, text=True, check=False, timeout=LONGEST_S,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert statuses(project) == {"one": "inconclusive"}
    assert "engine" in reasons(project, "one")


def test_a_terminal_that_is_closed_ends_the_run_and_the_report_says_so(project: Path) -> None:
    terminal = PseudoTerminal(100)
    with held(project), subprocess.Popen(
        (sys.executable, "-c", CONTROLLED, *command()), cwd=project, env=environment(TERM="xterm"),
        stdin=terminal.stream, stdout=terminal.stream, stderr=terminal.stream,
    ) as process:  # fmt: skip
        until = time.monotonic() + LONGEST_S
        while "[1/4]" not in terminal.written and time.monotonic() < until:
            time.sleep(0.02)
        terminal.hang_up()
        assert process.wait(LONGEST_S) == 130
    assert "not-run" in statuses(project).values()
    assert not at_work(project)
    assert run(project).returncode == 0


def test_two_stages_have_a_line_each_on_a_terminal(project: Path) -> None:
    with PseudoTerminal(100) as terminal:
        done = subprocess.run(
            command("--jobs", "2"), cwd=project, env=environment(TERM="xterm"), stdin=terminal.stream,
            stdout=terminal.stream, stderr=terminal.stream, check=False, timeout=LONGEST_S,
        )  # fmt: skip
        terminal.close()
        seen, written = terminal.seen(), terminal.written
    assert done.returncode == 0, "\n".join(seen)
    assert "\x1b[1A" in written, "there were never two lines"
    assert not [row for row in seen if row.startswith("[")], "a live line was left"
    summed_up = [row.split()[0] for row in seen if row.split()[1:2] == ["pass"] and row.split()[0] in STAGES]
    assert summed_up[-len(STAGES) :] == [*STAGES], "the order is the pipeline's"


def test_a_log_says_of_each_line_whose_it_is(project: Path) -> None:
    done = run(project, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "  one: waited\n" in done.stderr
    assert "  two: waited\n" in done.stderr


def test_in_github_actions_the_groups_are_not_mixed(project: Path) -> None:
    done = run(project, "--jobs", "2", GITHUB_ACTIONS="true")
    assert done.returncode == 0, done.stderr
    inside = ""
    for line in done.stderr.splitlines():
        if line.startswith("::group::"):
            assert not inside, done.stderr
            inside = line.removeprefix("::group::")
        elif line == "::endgroup::":
            inside = ""
    assert not inside
    assert done.stderr.count("::group::") == len(STAGES)


def test_serial_and_parallel_runs_of_a_real_project_give_the_same_report_but_for_times(project: Path) -> None:
    texts = []
    for jobs in ("1", "4"):
        assert run(project, "--jobs", jobs).returncode == 0
        document = report(project)
        for name in ("started", "finished", "run", "results", "checksum", "last_green"):
            del document[name]
        for stage in document["stages"]:
            for name in ("started", "duration_s"):
                del stage[name]
        texts.append(json.dumps(document, indent=1))
    assert texts[0] == texts[1]


def test_sessions_that_nox_runs_at_the_same_time_are_one_run(project: Path) -> None:
    nox = (sys.executable, "-m", "nox", "-s", *STAGES)
    done = subprocess.run(
        (*nox, "-j", "2"), cwd=project, env=environment(), capture_output=True, text=True, check=False,
        timeout=LONGEST_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert statuses(project) == dict.fromkeys(STAGES, "pass")
    document = report(project)
    assert all(s["started"] >= document["started"] for s in document["stages"] if s["name"] in STAGES)


def test_a_run_beside_another_is_refused_and_harms_nothing(project: Path) -> None:
    with held(project) as hold, begun(project) as first:
        heard(first, "one: started")
        first.send_signal(signal.SIGSTOP)
        second = run(project)
        first.send_signal(signal.SIGCONT)
        assert second.returncode == 2
        assert f"pid {first.pid}" in second.stderr
        hold.unlink()
        assert first.stderr is not None
        first.stderr.read()
        assert first.wait(LONGEST_S) == 0
    assert set(statuses(project).values()) == {"pass"}


def test_the_next_run_waits_for_what_a_killed_one_has_left_to_stop(project: Path) -> None:
    with held(project) as hold, begun(project) as first:
        heard(first, "one: started")
        first.send_signal(signal.SIGKILL)
        hold.unlink()
        assert run(project).returncode == 0
    assert set(statuses(project).values()) == {"pass"}


def escaped(project: Path) -> set[int]:
    """What the tools have started in sessions of their own."""
    return {pid for pid, line in at_work(project).items() if " -c import time; time.sleep(60)" in line}


def test_what_outlives_a_run_that_is_killed_with_all_its_stages_is_ended_by_the_next(project: Path) -> None:
    with held(project), begun(project, "--jobs", "2") as first:
        for name in ("one", "two"):
            heard(first, f"{name}: started")
        until = time.monotonic() + LONGEST_S
        while len(left := escaped(project)) < 2:
            assert time.monotonic() < until, "the tools' own processes do not come"
            time.sleep(0.02)
        family = [pid for pid in (first.pid, *children(first.pid)) if pid not in left]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            # First stopped, so that none of them can answer to the end of another.
            for pid in family:
                os.kill(pid, number)
    assert escaped(project) == left
    assert run(project).returncode == 0
    assert not left.intersection(at_work(project))
    assert set(statuses(project).values()) == {"pass"}
