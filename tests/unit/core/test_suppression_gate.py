"""Suppressions are listed, counted and gated, each gate printed as what is allowed against what was found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.evidence import Evidence
from pipeline.core.stage import Examination, Suppression
from pipeline.core.suppression_gate import UNUSED, WITHOUT_REASON, Most, gated, surplus
from pipeline.core.suppressions import SuppressionKind

BLANK = Examination(evidence=Evidence.of("files", expected=("a",), checked=("a",)))


def noqa(line: int, reason: str = "it is generated") -> Suppression:
    """A comment for ruff."""
    return Suppression(kind=SuppressionKind.NOQA, path="a.py", line=line, text="# noqa", reason=reason)


def most(number: int | None) -> Most:
    """A limit on comments for ruff."""
    return Most(kind=SuppressionKind.NOQA, what="noqa comments", key="lint.max_noqa", most=number)


def sentences(examination: Examination) -> list[str]:
    """The gates that are not met."""
    return [gate.sentence for gate in examination.gates if not gate.passed]


@given(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 5)))
def test_no_more_than_the_most_of_a_kind_passes(count: int, limit: int | None) -> None:
    examined = gated(BLANK, [noqa(n) for n in range(count)], [most(limit)], reasons=True)
    assert (not sentences(examined)) is (limit is None or count <= limit)
    assert examined.metrics == {"noqa": count}
    assert len(examined.suppressions) == count


def test_what_is_allowed_and_found_is_printed() -> None:
    examined = gated(BLANK, [noqa(1), noqa(2)], [most(1)], reasons=True)
    assert sentences(examined) == ["noqa comments: allowed at most 1, found 2."]
    unlimited = gated(BLANK, [noqa(1)], [most(None)], reasons=True).gates[0]
    assert unlimited.sentence == "noqa comments: allowed any number (no lint.max_noqa is set), found 1."


def test_one_without_a_reason_is_named_and_fails_unless_none_are_needed() -> None:
    lacking = [noqa(1), noqa(7, reason="")]
    assert sentences(gated(BLANK, lacking, [], reasons=True)) == [f"{WITHOUT_REASON}: allowed 0, found 1: a.py:7 noqa."]
    assert not sentences(gated(BLANK, lacking, [], reasons=False))


@pytest.mark.parametrize(("unused", "told"), [(None, []), ((), []), (("a.py:7",), ["allowed 0, found 1: a.py:7."])])
def test_one_that_suppresses_nothing_fails_where_the_tool_can_tell(
    unused: tuple[str, ...] | None, told: list[str]
) -> None:
    examined = gated(BLANK, [], [], reasons=True, unused=unused)
    assert sentences(examined) == [f"{UNUSED}: {text}" for text in told]
    assert any(gate.what == UNUSED for gate in examined.gates) is (unused is not None)


@pytest.mark.parametrize(("found", "hidden", "told"), [(0, 0, ()), (2, 2, ()), (1, 3, ()), (3, 1, ("a.py (2 of 3)",))])
def test_each_comment_that_is_of_use_hides_at_least_one_finding(found: int, hidden: int, told: tuple[str, ...]) -> None:
    assert surplus("a.py", found, hidden) == told
