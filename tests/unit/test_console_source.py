"""Source lines around a finding: the caret stands below the character that the finding names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pipeline.console_layout import Layout
from pipeline.console_source import source_lines
from pipeline.core.finding import Finding, Severity
from tests.emulator import shown
from tests.samples import TEXT


def finding(
    *context: str, column: int = 0, line: int = 0, snippet: str = "", path: str = "a.py", start: int = 9
) -> Finding:
    return Finding(
        rule="E1", tool="ruff", severity=Severity.HIGH, message="m", path=path, line=line, column=column,
        context=context, context_start=start if context else 0, snippet=snippet,
    )  # fmt: skip


def lines_of(found: Finding, width: int | None = None) -> list[str]:
    return source_lines(found, Layout(str, width=width), 2)


def test_one_line_before_and_after_is_shown_and_the_numbers_are_aligned() -> None:
    found = finding("a = 1", "b = 2", "c = x", "d = 4", "e = 5", line=10, column=5, start=8)
    assert lines_of(found) == ["   9 | b = 2", "  10 | c = x", "     |     ^", "  11 | d = 4"]


def test_without_a_column_there_is_no_caret() -> None:
    assert lines_of(finding("a", "b", line=10)) == ["   9 | a", "  10 | b"]


def test_where_nothing_but_the_snippet_is_known_it_is_shown() -> None:
    assert lines_of(finding(snippet="  x = y\n", line=3, column=7)) == ["  3 |   x = y", "    |       ^"]
    assert lines_of(finding(snippet="\n x = y", path="")) == ["    |  x = y"]
    assert not lines_of(finding(line=3, column=1))
    assert lines_of(finding("a", "b", line=50, snippet="z")) == ["  50 | z"]


@pytest.mark.parametrize("column", [0, 7, 4000])
def test_a_column_beyond_the_line_has_no_caret(column: int) -> None:
    assert lines_of(finding("12345", line=9, column=column)) == ["  9 | 12345"]


def test_the_end_of_a_line_is_a_place_too() -> None:
    assert lines_of(finding("12345", line=9, column=6))[1] == "    |      ^"


@pytest.mark.parametrize("width", [30, 60, 200])
@pytest.mark.parametrize(
    "before",
    ["", "x" * 10, "\t\tif ", "名前 = ", "x" * 300, "名" * 150, "a\x1b[31m", "e\u0301" * 9, "👩 " * 40, " " * 80],
)
def test_an_independent_terminal_shows_the_caret_below_the_character(before: str, width: int) -> None:
    rows = lines_of(finding("short", f"{before}§{' and more' * 30}", line=10, column=len(before) + 1), width)
    screen = shown("\r\n".join(rows), width)
    own, caret = screen.display[1], screen.display[2]
    # A screen has a place for each cell, and pyte's display a character for each character.
    assert screen.cursor.y == len(rows) - 1
    assert cell_len(own[: own.index("§")]) == caret.index("^")
    assert all(cell_len(row) < width for row in rows)


@given(st.lists(TEXT, min_size=1, max_size=3), st.integers(0, 400), st.integers(20, 200))
def test_whatever_the_lines_are_they_keep_to_the_width(lines: list[str], column: int, width: int) -> None:
    for row in lines_of(finding(*lines, line=9, column=column), width):
        assert cell_len(row) < max(width, 30)
        assert "\x1b" not in row and "\r" not in row
