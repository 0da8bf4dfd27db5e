"""Runs that are killed or stopped at random moments: nothing stays, the report is true, and the next run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from tests.quick_stages import STAGES, at_work, children, command, environment, quick_project, report, statuses

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "pipeline/reporters/pipeline-report.schema.json").read_text(encoding="utf-8")
)
LONGEST_S = 300.0
"""What a run may take to end on a busy machine, in seconds; a run that hangs takes longer."""
GONE_S = 60.0
SHORT, FULL = 6, 200
MOMENTS = (
    "",
    "looking for credentials",
    "one: started",
    "two: started",
    "one      pass",
    "three: started",
    "four: started",
)
EVERY = 5
"""After so many kills a run is left alone, and must pass."""
OVERHEARD = re.compile(
    r"^Exception ignored [^\n]*\nTraceback \(most recent call last\):\n(?: [^\n]*\n)+KeyboardInterrupt[^\n]*\n", re.M
)
"""What Python itself says of an interrupt that comes where it must ignore errors, as in callbacks of its import system.

It goes on then, and so do we: that a request has come is known without the error too.
"""
KINDS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "child SIGKILL", "child SIGSTOP", "run SIGSTOP")


@pytest.fixture(name="project", scope="module")
def project_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that has run once, so that its environments are made."""
    project = quick_project(tmp_path_factory.mktemp("killed") / "project")
    assert passes(project)
    return project


def passes(project: Path) -> bool:
    """Whether a run that nobody disturbs is green."""
    done = subprocess.run(
        command(), cwd=project, env=environment(), capture_output=True, text=True, check=False, timeout=LONGEST_S
    )
    assert done.returncode == 0, done.stderr
    return statuses(project) == dict.fromkeys(STAGES, "pass")


@contextlib.contextmanager
def started(project: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A run; it is in a session of its own, so that a signal is for it alone."""
    with (project.parent / "said.txt").open("wb") as errors, subprocess.Popen(
        command(), cwd=project, env=environment(**variables), text=True, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=errors,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def said(project: Path) -> str:
    """What the run has said so far."""
    return (project.parent / "said.txt").read_text(encoding="utf-8", errors="replace")


def moment(project: Path, process: subprocess.Popen[str], chance: random.Random) -> str:
    """Wait for a random moment, a little after something that a run says; which that is.

    However busy the machine is, all parts of a run are met, and not only its start.
    """
    text = chance.choice(MOMENTS)
    until = time.monotonic() + LONGEST_S
    while text not in said(project) and process.poll() is None:
        assert time.monotonic() < until, f"it never came to {text!r}: {said(project)}"
        time.sleep(0.005)
    time.sleep(chance.uniform(0.0, 0.5))
    return text


def disturb(process: subprocess.Popen[str], kind: str, chance: random.Random) -> str:
    """Do it, and say to whom."""
    whom, _, name = kind.rpartition(" ")
    if whom == "":
        process.send_signal(getattr(signal, name))
        return kind
    targets = children(process.pid) if whom == "child" else [process.pid]
    if not targets:
        return f"{kind}: there was none"
    target = chance.choice(targets)
    with contextlib.suppress(ProcessLookupError):
        os.kill(target, getattr(signal, name))
        if name == "SIGSTOP":
            time.sleep(chance.uniform(0.05, 0.5))
            os.kill(target, signal.SIGCONT)
    return f"{kind} to {target} of {targets}"


def gone(project: Path) -> dict[int, str]:
    """Who is still at work after a while; nobody, it is hoped."""
    until = time.monotonic() + GONE_S
    while (left := at_work(project)) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def check(project: Path, told: str, code: int, run_before: str, interrupted: bool) -> None:
    """The report is whole, of the schema, and true."""
    document = report(project)
    jsonschema.validate(document, SCHEMA)
    found = {stage["name"]: stage for stage in document["stages"] if stage["name"] in STAGES}
    if document["run"] == run_before:
        # It never came as far as to begin, so what stands there is the whole report of the run before.
        assert code != 0, told
        return
    for name, stage in found.items():
        its_own = json.loads((project / f"reports/stages/{name}/result.json").read_text(encoding="utf-8"))
        assert stage["status"] == "pass" or stage["reasons"], told
        if stage["status"] == "pass":
            assert stage["started"] >= document["started"], f"{told}: an earlier pass was lent to {name}"
            assert its_own["status"] == "pass", told
        if stage["status"] != "not-run" or its_own["status"] == "not-run":
            assert stage["status"] == its_own["status"], told
    every = {stage["status"] for stage in found.values()}
    assert (document["verdict"] == "pass") == (every == {"pass"}), told
    if code == 0:
        assert every == {"pass"}, told
    if interrupted and code == 130:
        assert "not-run" in every, told
        assert all("interrupted" in " ".join(s["reasons"]) for s in found.values() if s["status"] == "not-run"), told


def kill_at_random(project: Path, count: int, seed: int) -> dict[str, int]:
    """Kill so many runs, and check after each; how often each kind of disturbance came, and how the runs ended."""
    chance = random.Random(seed)
    told: dict[str, int] = {}
    before = report(project)["run"]
    for number in range(count):
        kind = KINDS[number % len(KINDS)] if count >= len(KINDS) else chance.choice(KINDS)
        with started(project) as process:
            when = moment(project, process, chance)
            what = f"seed {seed}, number {number}, {when or 'start'}: {disturb(process, kind, chance)}"
            process.wait(timeout=LONGEST_S)
        errors = said(project)
        left = gone(project)
        assert not left, f"{what} left {left}"
        what = f"{what}, exit code {process.returncode}: {errors[-2000:]}"
        # Before any code of ours has run, Python itself answers to SIGINT with a trace, which may end in notes.
        early = report(project)["run"] == before and "KeyboardInterrupt" in errors.splitlines()
        assert "Traceback" not in OVERHEARD.sub("", errors) or early, what
        assert process.returncode != 2, f"{what}: it was refused"
        check(project, what, process.returncode, before, interrupted=kind in ("SIGINT", "SIGTERM", "SIGHUP"))
        before = report(project)["run"]
        entry = f"{kind} after '{when}' -> {process.returncode}"
        told[entry] = told.get(entry, 0) + 1
        if number % EVERY == EVERY - 1:
            assert passes(project), what
            before = report(project)["run"]
    assert passes(project)
    assert not (project / ".pipeline/state/unfinished").exists()
    assert not [*(project / ".pipeline/tmp").iterdir()]
    return told


def test_whenever_a_run_is_killed_nothing_stays_and_the_next_goes_on(project: Path) -> None:
    kill_at_random(project, SHORT, seed=random.SystemRandom().randrange(2**32))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_that_comes_when_all_has_been_said_changes_nothing(project: Path, number: signal.Signals) -> None:
    with started(project) as process:
        until = time.monotonic() + LONGEST_S
        while (code := process.poll()) is None and "report: " not in said(project):
            assert time.monotonic() < until, said(project)
            time.sleep(0.001)
        assert code in (None, 0), said(project)
        process.send_signal(number)
        assert process.wait(timeout=LONGEST_S) == 0
    assert said(project).splitlines()[-1].startswith("report: ")


def test_what_python_itself_says_of_an_interrupt_is_told_from_a_fault_of_ours() -> None:
    ignored = "Exception ignored in: <function f at 0x1>\nTraceback (most recent call last):\n  File x\n    f()\n"
    assert OVERHEARD.sub("", f"said\n{ignored}KeyboardInterrupt: SIGINT\nmore\n") == "said\nmore\n"
    for other in (f"{ignored}ValueError: x\n", f"{ignored.partition(chr(10))[2]}KeyboardInterrupt\n"):
        assert "Traceback" in OVERHEARD.sub("", other)


@pytest.mark.full
def test_two_hundred_runs_that_are_killed_at_random(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = kill_at_random(project, FULL, seed=random.SystemRandom().randrange(2**32))
    with capsys.disabled():
        print(f"\n{FULL} runs were killed: {json.dumps(told, indent=1, sort_keys=True)}")
    assert sum(told.values()) == FULL
