"""Lines for a terminal: never wider than it, and whatever stands in a text, never more than text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from pipeline.console_layout import Layout
from tests.emulator import SGR
from tests.samples import HOSTILE, TEXT

# Joiners, marks, characters of two cells, and what rich would take for its own markup or for an emoji's name.
ODD = st.text(st.sampled_from("\u200d\ufe0f\u0301👩🏽❤☺名\u3000:# [\ta\\"), max_size=60)
MARKUP = st.sampled_from(["[bold red]x[/]", "[link=javascript:alert(1)]x[/link]", ":smile:", "[@click=x]y", "\\[x]"])
OUTSIDE = st.one_of(TEXT, ODD, MARKUP, st.text(max_size=200))


def layout_of(width: int | None, *, colour: bool = False, encoding: str = "utf-8") -> Layout:
    return Layout(lambda text: text.replace("hidden", "[secret]"), width=width, colour=colour, encoding=encoding)


@given(OUTSIDE, st.sampled_from(["", "bold red"]), st.integers(20, 90), st.booleans())
def test_no_line_steers_or_is_wider_than_the_terminal(text: str, style: str, width: int, colour: bool) -> None:
    layout = layout_of(width, colour=colour)
    made = layout.text(text, style)
    table = Table(box=None)
    table.add_column(Text("what"))
    table.add_row(layout.text(text))
    for line in [layout.line(made), *layout.paragraph(made, 2, 6), *layout.table(table)]:
        plain = SGR.sub("", line) if colour else line
        assert "\x1b" not in plain
        assert not {unicodedata.category(character) for character in plain} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert not plain.lstrip().startswith(("::", "section_start:", "section_end:"))
        assert "##[" not in plain
        assert cell_len(plain) <= width
        line.encode("utf-8")


@given(OUTSIDE)
def test_nothing_is_markup(text: str) -> None:
    layout = layout_of(None)
    assert layout.whole(layout.text(text)) == layout.safe(text).rstrip()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_line_without_a_width_is_the_text_made_safe(text: str) -> None:
    layout = layout_of(None)
    shown = layout.paragraph(layout.text(text), 4, 6)
    assert [line.rstrip() for line in shown] == [f"    {layout.safe(text)}".rstrip()]


def test_a_command_that_only_wrapping_would_make_is_none_and_loses_its_colours() -> None:
    layout = layout_of(21, colour=True)
    lines = layout.paragraph(layout.text(f"{'x' * 20} ::error::boom-boom-b ##[x]", "red"))
    assert lines == [f"\x1b[31m{'x' * 20}\x1b[0m", "\\::error::boom-boom-b", "\x1b[31m#\\#[x]\x1b[0m"]


def test_an_escape_that_gets_as_far_as_the_last_look_becomes_visible() -> None:
    assert layout_of(None).whole(Text("a\x1b[2Jb")) == "a\\x1b[2Jb"


def test_secrets_are_masked_before_a_text_is_cut() -> None:
    layout = layout_of(24)
    text = layout.text(f"{'x' * 18} hidden {'x' * 9}")
    assert layout.line(text) == f"{'x' * 18} [se…"
    assert "hidden" not in "".join(layout.paragraph(text))


@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "…"), ("ascii", "~"), ("latin-1", "~")])
def test_the_ellipsis_is_one_that_the_stream_takes(encoding: str, end: str) -> None:
    layout = layout_of(21, encoding=encoding)
    shown = layout.line(layout.text("é" * 40))
    assert shown.endswith(end)
    assert len(shown) == 20
    shown.encode(encoding)


def test_a_paragraph_has_its_indents_and_breaks_between_words() -> None:
    lines = layout_of(31).paragraph(Text("one two three four five six seven"), 2, 4)
    assert lines == ["  one two three four five", "    six seven"]


def test_what_is_to_be_copied_is_not_broken() -> None:
    assert layout_of(21).whole(Text("x" * 50)) == "x" * 50


def test_a_table_has_no_spaces_at_the_ends_of_its_lines() -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column(Text("a"))
    table.add_column(Text("b"))
    table.add_row(Text("long name"), Text(""))
    assert layout_of(None).table(table) == ["a          b", "long name"]
    assert max(map(len, layout_of(20).table(table))) < 20
