"""Which files count is read from the snapshot, and what is left out is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.snapshot import Entry, Kind, Snapshot
from pipeline.errors import ConfigurationError
from pipeline.settings import Exclusion
from pipeline.stages.source_files import apply_exclusions, python_files, require_paths

NOWHERE = Path("nowhere")
PATHS = ("noxfile.py", "service/app.py", "service/gen/a.py", "service/gen/b.py", "service/readme.md", "service2/x.py")


def _snapshot(*paths: str) -> Snapshot:
    entries = tuple(Entry(path=path, kind=Kind.FILE, digest="0" * 64) for path in sorted(paths))
    return Snapshot(entries=entries, commit="c", branch="", dirty=False, committed="")


def _exclusion(path: str) -> Exclusion:
    return Exclusion(path=path, reason="made by a tool")


def test_python_files_below_the_paths_count() -> None:
    snapshot = _snapshot(*PATHS)
    assert python_files(snapshot, ("service",), (), NOWHERE)[0] == (
        "service/app.py",
        "service/gen/a.py",
        "service/gen/b.py",
    )
    assert python_files(snapshot, ("noxfile.py", "service2"), (), NOWHERE)[0] == ("noxfile.py", "service2/x.py")
    assert len(python_files(snapshot, (".",), (), NOWHERE)[0]) == 5


def test_each_exclusion_says_how_much_it_leaves_out_and_why() -> None:
    exclude = [_exclusion(path) for path in ("service/gen", "service/app.py", "gone", "service/gen/a.py")]
    files, left_out = python_files(_snapshot(*PATHS), ("service",), exclude, NOWHERE)
    assert not files
    assert [(item.what, item.reason) for item in left_out] == [
        ("service/gen (2 files)", "made by a tool"),
        ("service/app.py (1 file)", "made by a tool"),
        ("gone (0 files)", "made by a tool"),
        ("service/gen/a.py (0 files)", "made by a tool"),
    ]


@given(
    st.lists(st.sampled_from(PATHS), unique=True), st.lists(st.sampled_from((*PATHS, "service", "service/gen", "x")))
)
def test_no_file_gets_lost_unsaid(paths: list[str], excluded: list[str]) -> None:
    kept, left_out = apply_exclusions(paths, map(_exclusion, excluded))
    amounts = [int(item.what.rpartition("(")[2].split()[0]) for item in left_out]
    assert len(kept) + sum(amounts) == len(paths)
    assert len(left_out) == len(excluded)


@pytest.mark.parametrize("path", ["services", "service/gone.py", "..", "/service"])
def test_a_path_with_nothing_below_it_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="the checkout has no such file or folder") as caught:
        require_paths(_snapshot(*PATHS), ("service", path), "lint.paths")
    assert f"lint.paths names {path!r}" in str(caught.value)


def test_paths_that_are_there_are_fine() -> None:
    require_paths(_snapshot(*PATHS), (".", "service", "service/gen/", "noxfile.py"), "lint.paths")
