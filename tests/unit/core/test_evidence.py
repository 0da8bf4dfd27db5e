"""Evidence that has a gap says so, in sentences that stay short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.evidence import Control, Evidence, listed

NAMES = st.frozensets(st.sampled_from([f"f{number}.py" for number in range(12)]))


@given(NAMES, NAMES, st.booleans())
def test_there_is_a_doubt_exactly_where_something_is_missing(
    expected: frozenset[str], checked: frozenset[str], caught: bool
) -> None:
    control = Control(tool="ruff", planted="fault", caught=caught)
    evidence = Evidence.of("files", expected=expected, checked=checked, controls=(control,))
    assert bool(evidence.doubts) == (not expected or not expected <= checked or not caught)
    assert evidence.missing == tuple(sorted(expected - checked))
    assert all(sentence.endswith(".") for sentence in evidence.doubts)


def test_nothing_to_check_is_not_a_pass() -> None:
    assert Evidence.of("test functions", expected=(), checked=("a",)).doubts == (
        "There were no test functions to check, and nothing to check is not a pass.",
    )


def test_what_is_missing_is_counted_and_named_up_to_a_bound() -> None:
    names = [f"f{number:03}" for number in range(200)]
    sentence = " ".join(Evidence.of("files", expected=names, checked=names[:1]).doubts)
    assert sentence == "199 of 200 files were not checked: f001, f002, f003, f004, f005 and 194 more."


def test_more_than_was_expected_does_not_hide_what_is_missing() -> None:
    assert Evidence.of("files", expected=("a", "b"), checked=("b", "c", "d")).missing == ("a",)


def test_each_control_that_was_not_caught_is_named() -> None:
    controls = [Control(tool=tool, planted="fault", caught=tool == "ruff") for tool in ("ruff", "pylint")]
    sentence = " ".join(Evidence.of("files", expected="a", checked="a", controls=controls).doubts)
    assert sentence == "pylint did not catch the planted fault, so its silence proves nothing."


def test_a_short_list_is_given_whole() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([]) == ""
    assert listed(iter("abc"), most=2) == "a, b and 1 more"
