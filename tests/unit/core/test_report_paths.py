"""A report's file lies below the reports folder, by a name that is one everywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.report_paths import report_path
from pipeline.reporters import FORMATS
from tests.hostile import TEXTS


@pytest.mark.parametrize(
    "name", ["index.html", "sarif/bandit.sarif", "stages/lint/raw/ruff.json", "stages/a-b/raw/x.y/z"]
)
def test_ordinary_names_are_taken(name: str) -> None:
    assert report_path(name).as_posix() == name


def test_the_places_of_all_formats_are_taken() -> None:
    for made in FORMATS.values():
        for place in made.places:
            report_path(place.replace("<", "").replace(">", ""))


@pytest.mark.parametrize("name", ["", "/a", "a//b", "a/", ".", "..", "../a", "a/../b", "a/..", "./a", "a/./b"])
def test_what_leads_out_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no report lies outside of the reports folder"):
        report_path(name)


@pytest.mark.parametrize(
    "name",
    ["a\0b", "a\nb", "\x1b[2J", "\u202egpj", "\udce9", "a\\b", "C:x", "a:b", "a|b", "a?", "a*b", '"a"', "<a>", "NUL",
     "con.txt", "a/com1", "lpt9.x/b", "COM¹", "a.", "a ", "a/b /c"],
)  # fmt: skip
def test_what_is_no_name_everywhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name for a report's file"):
        report_path(name)


def test_a_name_that_no_file_system_takes_is_refused() -> None:
    assert report_path("ä" * 100).name == "ä" * 100
    with pytest.raises(ValueError, match="too long"):
        report_path("ä" * 101)


@given(st.one_of(TEXTS, st.text("./\\a~ \0", max_size=12)))
def test_whatever_is_taken_leads_nowhere_else(name: str) -> None:
    try:
        path = report_path(name)
    except ValueError:
        return
    assert not path.is_absolute()
    assert path.as_posix() == name
    assert not {"..", ".", "~", ""} & set(name.split("/")) - {"~"}
