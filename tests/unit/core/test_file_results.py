"""The key of a file's result, and keeping nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.file_results import NothingKept, key_of

PARTS = st.lists(st.text(st.characters(exclude_categories=()), max_size=4), max_size=4)


@given(PARTS, PARTS)
def test_two_sequences_have_one_key_only_when_they_are_equal(one: list[str], other: list[str]) -> None:
    assert (key_of(one) == key_of(other)) == (one == other)


def test_parts_that_are_cut_elsewhere_are_another_key() -> None:
    assert len({key_of(("a", "bc")), key_of(("ab", "c")), key_of(("abc",)), key_of(("abc", ""))}) == 4


def test_nothing_is_kept() -> None:
    kept = NothingKept()
    kept.write("bandit", {"key": "text"})
    assert not kept.read("bandit")
