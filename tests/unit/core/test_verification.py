"""The pure parts of a verification: files told apart, texts under masks, images, and what all of it amounts to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.finding import Finding, Severity, State
from pipeline.core.secret_forms import MASK
from pipeline.core.stage import StageResult, Status
from pipeline.core.verification import (
    Answer,
    Statement,
    conclusion,
    confirmed,
    contradicted,
    is_contradicted,
    left_open,
    outdated,
    standing,
)
from pipeline.core.verification_files import compared_files
from pipeline.core.verification_results import joined, judged_again, same_text, states_told
from tests.samples import RECORD, passed, results

GOOD, OPEN = confirmed("report", "It is so."), left_open("lint", "It is said so.")
OLD, BAD = outdated("waivers", "It was so."), contradicted("lint", "It is not so.")


def texts(statements: tuple[Statement, ...], answer: Answer) -> list[str]:
    """What is said with this answer."""
    return [statement.text for statement in statements if statement.answer is answer]


def test_missing_changed_and_extra_files_are_told_apart() -> None:
    found = {"same": "1", "changed": "2", "extra": "3", "pipeline.json": "4"}
    statements = compared_files({"same": "1", "changed": "0", "gone": "5"}, found, ("pipeline.json",))
    assert texts(statements, Answer.CONTRADICTED) == [
        "changed was changed: its digest is not the one that was recorded.",
        "gone is missing.",
        "extra is extra: no result names it.",
    ]
    assert not texts(statements, Answer.CONFIRMED)


def test_files_that_are_all_there_are_confirmed() -> None:
    statements = compared_files({"a": "1"}, {"a": "1"}, ())
    assert [statement.answer for statement in statements] == [Answer.CONFIRMED]


@pytest.mark.parametrize(
    ("statements", "verdict", "expected", "said"),
    [
        ((GOOD, OPEN), Status.PASS, Status.PASS, "its verdict is pass"),
        ((GOOD,), Status.INCONCLUSIVE, Status.INCONCLUSIVE, "its verdict is inconclusive"),
        ((GOOD, OLD), Status.PASS, Status.FAIL, "does not hold today"),
        ((BAD, OLD), Status.PASS, Status.FAIL, "1 contradiction found"),
        ((BAD, BAD), Status.NOT_RUN, Status.FAIL, "2 contradictions found"),
    ],
)
def test_what_the_statements_amount_to(
    statements: tuple[Statement, ...], verdict: Status, expected: Status, said: str
) -> None:
    assert standing(statements, verdict) is expected
    assert said in conclusion(statements, verdict)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_mask_stands_for_anything(before: str, hidden: str, after: str) -> None:
    assert same_text(f"{before}{MASK}{after}", f"{before}{hidden}{after}")
    assert same_text(f"{before}{hidden}{after}", f"{before}{MASK}{after}")


@pytest.mark.parametrize(
    ("told", "derived"),
    [
        ("a", "b"),
        (f"a{MASK}", "b"),
        (f"{MASK}a", "ab"),
        (f"a{MASK}b{MASK}c", "axc"),
        (f"ab{MASK}ba", "aba"),
        ("a", ""),
    ],
)
def test_texts_that_differ_beside_the_mask_are_not_the_same(told: str, derived: str) -> None:
    assert not same_text(told, derived)


def test_many_masks_are_answered_at_once() -> None:
    assert not same_text(f"{MASK}a" * 5000, "a" * 20_000 + "b")


@given(results(), st.sampled_from(Status))
def test_another_status_than_the_one_that_follows_is_told(result: StageResult, status: Status) -> None:
    statements = judged_again(replace(result, status=status, reasons=("It is so.",)))
    assert is_contradicted(statements) or status is result.status


def test_results_of_one_run_belong_together() -> None:
    result = replace(passed(), snapshot=RECORD.snapshot, policy=RECORD.policy_digest)
    assert [s.answer for s in joined(RECORD, [result])] == [Answer.CONFIRMED]


def test_a_required_stage_that_the_report_does_not_have_is_told() -> None:
    assert "'other' is required" in joined(replace(RECORD, required=("other",)), [])[0].text


def test_that_findings_are_old_ones_is_left_open() -> None:
    assert not states_told([passed()])
    old = Finding(rule="r", tool="t", severity=Severity.LOW, message="m", state=State.EXISTING)
    (only,) = states_told([replace(passed(), findings=(old, old))])
    assert (only.answer, only.text) == (Answer.OPEN, "That 2 findings are not new rests on the report's own word.")


def test_a_result_without_evidence_rests_on_its_own_word() -> None:
    crashed = StageResult(name="lint", status=Status.INCONCLUSIVE, reasons=("ruff crashed.",))
    (only,) = judged_again(crashed)
    assert (only.answer, only.text.endswith("ruff crashed.")) == (Answer.OPEN, True)
