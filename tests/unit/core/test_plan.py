"""Plans hold what was asked for and all it needs, in order; what could not run says which need it lacked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.evidence import Evidence
from pipeline.core.plan import Step, ordered, unmet
from pipeline.core.stage import StageResult, Status

STEPS = (
    Step(name="lint"),
    Step(name="test"),
    Step(name="build", needs=("lint",)),
    Step(name="smoke", needs=("build",)),
    Step(name="push", needs=("lint", "test", "smoke")),
)
NAMES = [step.name for step in STEPS]


@given(st.lists(st.sampled_from(NAMES)))
def test_a_plan_is_closed_under_needs_and_in_order(selected: list[str]) -> None:
    plan = ordered(STEPS, selected)
    assert set(selected) <= set(plan)
    assert list(plan) == [name for name in NAMES if name in plan]
    for step in STEPS:
        if step.name in plan:
            assert set(step.needs) <= set(plan)


def test_nothing_more_is_planned_than_is_needed() -> None:
    assert ordered(STEPS, ["smoke"]) == ("lint", "build", "smoke")
    assert not ordered(STEPS, [])


def test_needs_in_a_circle_end() -> None:
    steps = (Step(name="a", needs=("b",)), Step(name="b", needs=("a",)))
    assert ordered(steps, ["a"]) == ("a", "b")


@pytest.mark.parametrize("selected", [["nothing"], ["a"]])
def test_an_unknown_stage_is_an_error(selected: list[str]) -> None:
    with pytest.raises(KeyError):
        ordered((Step(name="a", needs=("missing",)),), selected)


def _result(name: str, status: Status) -> StageResult:
    evidence = Evidence.of("files", expected="a", checked="a")
    return StageResult(name=name, status=status, reasons=("Because.",), evidence=evidence)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.FAIL, "is fail"),
        (Status.INCONCLUSIVE, "is inconclusive"),
        (Status.NOT_RUN, "has not run"),
        (None, "has not run"),
    ],
)
def test_an_unmet_need_is_named(status: Status | None, words: str) -> None:
    results = {} if status is None else {"lint": _result("lint", status)}
    assert unmet(STEPS[2], results) == (f"build needs lint to pass, and lint {words}.",)


def test_a_step_whose_needs_passed_may_run() -> None:
    assert not unmet(STEPS[2], {"lint": _result("lint", Status.PASS)})
    assert not unmet(STEPS[0], {})
    assert len(unmet(STEPS[4], {"test": _result("test", Status.FAIL)})) == 3
