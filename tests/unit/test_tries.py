"""What is tried again, how often, and that a late pass is never told like one that came at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.core.stage import StageResult, Status
from pipeline.errors import (
    EngineTrouble,
    EnvironmentTrouble,
    FetchTrouble,
    RegistryTrouble,
    StorageTrouble,
    TargetFault,
    ToolTrouble,
)
from pipeline.settings_run import Running
from pipeline.testing import FixedClock, SilentProgress
from pipeline.tries import Tries
from pipeline.troubles import may_pass
from tests.samples import passed


def trouble(number: int) -> StageResult:
    reasons = (f"The engine was silent ({number}).",)
    return replace(passed(), status=Status.INCONCLUSIVE, reasons=reasons, notes=())


def tries(*outcomes: tuple[StageResult, bool]) -> tuple[Callable[[], tuple[StageResult, bool]], list[int]]:
    calls: list[int] = []

    def attempt() -> tuple[StageResult, bool]:
        calls.append(1)
        return outcomes[len(calls) - 1]

    return attempt, calls


def test_a_pass_at_once_is_left_as_it_is() -> None:
    attempt, calls = tries((passed(), False))
    assert Tries(Running(), FixedClock(), SilentProgress()).last("lint", attempt) == passed()
    assert len(calls) == 1


def test_a_pass_after_trouble_says_so_in_its_reasons_and_keeps_what_was_before() -> None:
    attempt, _ = tries((trouble(1), True), (trouble(2), True), (passed(), False))
    clock, progress = FixedClock(), SilentProgress()
    result = Tries(Running(retries=2, retry_wait_s=3), clock, progress).last("smoke", attempt)
    assert result.status is Status.PASS
    assert result.retries == ("The engine was silent (1).", "The engine was silent (2).")
    assert "no steady pass" in result.reasons[-1]
    assert result.notes[-1] == result.reasons[-1], "so that the reasons can be derived again"
    assert clock.monotonic() == 6
    assert progress.said == [f"smoke is tried again: The engine was silent ({number})." for number in (1, 2)]


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_it_is_tried_as_often_as_the_settings_say_and_no_more(retries: int) -> None:
    attempt, calls = tries(*[(trouble(1), True)] * 9)
    result = Tries(Running(retries=retries), FixedClock(), SilentProgress()).last("smoke", attempt)
    assert result.status is Status.INCONCLUSIVE
    assert len(calls) == retries + 1
    assert len(result.retries) == retries


def test_what_a_stage_found_is_never_tried_again() -> None:
    failed = replace(passed(), status=Status.FAIL, reasons=("One finding.",))
    attempt, calls = tries((failed, False), (passed(), False))
    assert Tries(Running(retries=5), FixedClock(), SilentProgress()).last("lint", attempt) == failed
    assert len(calls) == 1


@pytest.mark.parametrize("kind", [EngineTrouble, RegistryTrouble, FetchTrouble, EnvironmentTrouble])
def test_trouble_with_what_the_pipeline_stands_on_may_pass(kind: type[EngineTrouble]) -> None:
    assert may_pass(kind("Gone for a moment."))


@pytest.mark.parametrize(
    "error", [TargetFault("A fault."), ToolTrouble("It crashed."), StorageTrouble("Full."), ValueError()]
)
def test_nothing_else_does(error: Exception) -> None:
    assert not may_pass(error)
