"""The fakes that ship behave like what they stand for, as far as they go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.core.ports import Clock, Outcome, ProcessRunner, Progress, Request
from pipeline.execution.clock import SystemClock
from pipeline.testing import FixedClock, ScriptedRunner, SilentProgress, outcome

REQUEST = Request(argv=("tool", "--version"), cwd=Path("."), timeout_s=1)


def test_a_scripted_runner_answers_in_order_and_remembers() -> None:
    def _echo(request: Request) -> Outcome:
        return outcome(stdout=" ".join(request.argv))

    runner: ProcessRunner = ScriptedRunner([outcome(3, "out", "err", timed_out=True), _echo])
    first = runner.run(REQUEST)
    assert (first.exit_code, first.stdout, first.stderr, first.timed_out) == (3, "out", "err", True)
    assert runner.run(REQUEST).stdout == "tool --version"
    assert isinstance(runner, ScriptedRunner) and runner.requests == [REQUEST, REQUEST]
    with pytest.raises(AssertionError, match="no step is left"):
        runner.run(REQUEST)


def test_a_fixed_clock_moves_only_when_told() -> None:
    clock: Clock = FixedClock(datetime(2026, 5, 1, tzinfo=UTC))
    assert (clock.now(), clock.monotonic()) == (datetime(2026, 5, 1, tzinfo=UTC), 0.0)
    clock.sleep(90)
    assert (clock.now(), clock.monotonic()) == (datetime(2026, 5, 1, 0, 1, 30, tzinfo=UTC), 90.0)
    assert FixedClock().now().tzinfo is UTC


def test_the_machines_clock_goes_on_in_utc() -> None:
    clock: Clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(0.01)
    assert clock.monotonic() >= before + 0.01
    assert clock.now().utcoffset() == timedelta(0)


def test_silent_progress_keeps_what_it_was_told() -> None:
    progress = SilentProgress()
    shown: Progress = progress
    shown.say("one")
    assert progress.said == ["one"]


def test_the_tail_of_an_outcome_prefers_errors() -> None:
    assert outcome(stdout="o1\no2\n", stderr=" \n").tail(1) == "o2"
    assert outcome(stdout="o", stderr="e1\ne2\ne3\n").tail(2) == "e2\ne3"
    assert outcome().tail() == ""
