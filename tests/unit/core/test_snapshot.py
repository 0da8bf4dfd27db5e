"""A snapshot's digest stands for exactly its content, and its paths are found without surprises."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.snapshot import Entry, Kind, Snapshot, is_below

ENTRIES = st.lists(
    st.builds(
        Entry,
        path=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6),
        kind=st.sampled_from(list(Kind)),
        digest=st.sampled_from(["0" * 64, "1" * 64]),
    ),
    unique_by=lambda entry: entry.path,
    max_size=4,
)


def _snapshot(*entries: Entry) -> Snapshot:
    ordered = tuple(sorted(entries, key=lambda entry: entry.path))
    return Snapshot(entries=ordered, commit="c", branch="main", dirty=False, committed="2026-01-01T00:00:00Z")


def _file(path: str, kind: Kind = Kind.FILE) -> Entry:
    return Entry(path=path, kind=kind, digest="0" * 64)


@given(ENTRIES, ENTRIES)
def test_digests_are_equal_exactly_when_the_contents_are(one: list[Entry], other: list[Entry]) -> None:
    equal = _snapshot(*one).entries == _snapshot(*other).entries
    assert (_snapshot(*one).digest == _snapshot(*other).digest) == equal


def test_a_name_with_a_new_line_can_not_pass_for_two_entries() -> None:
    tricky = Entry(path=f"a\0{'0' * 64}\nfile\0b".replace("\0", "?"), kind=Kind.FILE, digest="0" * 64)
    assert _snapshot(tricky).digest != _snapshot(_file("a"), _file("b")).digest


@pytest.mark.parametrize(
    "other",
    [
        Entry(path="a", kind=Kind.EXECUTABLE, digest="0" * 64),
        Entry(path="a", kind=Kind.FILE, digest="1" * 64),
        Entry(path="b", kind=Kind.FILE, digest="0" * 64),
    ],
)
def test_mode_content_and_name_all_count(other: Entry) -> None:
    assert _snapshot(_file("a")).digest != _snapshot(other).digest


def test_where_it_comes_from_does_not_count() -> None:
    snapshot = _snapshot(_file("a"))
    assert replace(snapshot, commit="d", branch="", dirty=True).digest == snapshot.digest


def test_a_name_that_is_not_utf8_has_a_digest() -> None:
    assert _snapshot(_file("a\udcff")).digest != _snapshot(_file("a\udcfe")).digest


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("service/app.py", "service", True),
        ("service/app.py", "./service/", True),
        ("service/app.py", "service/app.py", True),
        ("service2/app.py", "service", False),
        ("service", "service/app.py", False),
        ("anything", ".", True),
        ("anything", "", True),
        ("a/service/x", "service", False),
    ],
)
def test_below_means_whole_parts_of_a_path(path: str, root: str, expected: bool) -> None:
    assert is_below(path, root) is expected


def test_files_are_regular_and_match() -> None:
    snapshot = _snapshot(
        _file("a.py"),
        _file("b/c.py"),
        _file("b/run", Kind.EXECUTABLE),
        _file("l.py", Kind.LINK),
        _file("m", Kind.SUBMODULE),
    )
    assert snapshot.files() == ("a.py", "b/c.py", "b/run")
    assert snapshot.files(pattern="*.py") == ("a.py", "b/c.py")
    assert snapshot.files(("b", "b/c.py"), "*.py") == ("b/c.py",)
    assert not snapshot.files(())
    assert snapshot.by_path["l.py"].kind is Kind.LINK


def test_a_folder_is_there_when_something_lies_below_it() -> None:
    snapshot = _snapshot(_file("service/app.py"))
    assert snapshot.has_folder("service") and snapshot.has_folder(".") and snapshot.has_folder("")
    assert not snapshot.has_folder("serv") and not snapshot.has_folder("..") and not snapshot.has_folder("/service")
