"""pytest's marker expressions are read as pytest reads them; what can't be read leaves nothing out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.marker_expression import selects

NAMES = ("smoke", "system", "full")
Sample = tuple[str, Callable[[frozenset[str]], bool]]
"""An expression, and what it means."""


def name(word: str) -> Sample:
    """A marker's name alone."""
    return word, lambda marks: word in marks


def without(inner: Sample) -> Sample:
    """The contrary."""
    return f"not ({inner[0]})", lambda marks: not inner[1](marks)


def both(left: Sample, right: Sample) -> Sample:
    """One and the other."""
    return f"({left[0]}) and ({right[0]})", lambda marks: left[1](marks) and right[1](marks)


def either(left: Sample, right: Sample) -> Sample:
    """One or the other."""
    return f"({left[0]} or {right[0]})", lambda marks: left[1](marks) or right[1](marks)


SAMPLES = st.recursive(
    st.sampled_from(NAMES).map(name),
    lambda inner: st.one_of(inner.map(without), st.builds(both, inner, inner), st.builds(either, inner, inner)),
    max_leaves=6,
)


@given(SAMPLES, st.frozensets(st.sampled_from(NAMES)))
def test_names_and_or_not_and_brackets_mean_what_they_say(sample: Sample, marks: frozenset[str]) -> None:
    expression, meaning = sample
    assert selects(expression, marks) is meaning(marks)


@pytest.mark.parametrize("expression", ["", "  "])
def test_no_expression_selects_every_test(expression: str) -> None:
    assert selects(expression, ())


@pytest.mark.parametrize("expression", ["device(serial='1')", "not", "a-b", "a if b else c", "x < 1", "\0"])
def test_what_can_not_be_read_leaves_nothing_out(expression: str) -> None:
    assert selects(expression, ())


def test_true_and_false_are_constants() -> None:
    assert selects("True", ())
    assert not selects("smoke and False", {"smoke"})
