"""What a stream can show, by itself and by its environment."""

from __future__ import annotations

import io
import os

import pytest

from pipeline.console_terminal import Terminal
from tests.emulator import PseudoTerminal


@pytest.mark.parametrize(
    ("terminal", "environ", "coloured"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        (True, {"PIPELINE_COLOR": "never"}, False),
        (True, {"PIPELINE_COLOR": "never", "FORCE_COLOR": "1"}, False),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (False, {"PIPELINE_COLOR": "always"}, True),
        (False, {"PIPELINE_COLOR": "always", "NO_COLOR": "1"}, True),
        (False, {"PIPELINE_COLOR": "auto", "FORCE_COLOR": "1"}, True),
        (False, {"PIPELINE_COLOR": ""}, False),
    ],
)
def test_colour_is_for_those_who_want_it(terminal: bool, environ: dict[str, str], coloured: bool) -> None:
    if not terminal:
        assert Terminal(io.StringIO(), environ).coloured is coloured
        return
    with PseudoTerminal(80) as pseudo:
        assert Terminal(pseudo.stream, environ).coloured is coloured


def test_a_line_is_rewritten_only_on_a_terminal_that_can() -> None:
    with PseudoTerminal(80) as pseudo:
        assert Terminal(pseudo.stream, {"TERM": "xterm"}).drawable
        assert not Terminal(pseudo.stream, {"TERM": "dumb"}).drawable
    assert not Terminal(io.StringIO(), {"FORCE_COLOR": "1"}).drawable


def test_the_width_is_the_terminal_s_own_as_of_now() -> None:
    with PseudoTerminal(123) as pseudo:
        terminal = Terminal(pseudo.stream, {})
        assert terminal.width == 123
        pseudo.resize(61)
        assert terminal.width == 61
        pseudo.resize(3)
        assert terminal.width == 20
        # What a terminal says that does not know it, as over a serial line.
        pseudo.resize(0)
        assert terminal.width == 80


@pytest.mark.parametrize(
    ("columns", "width"),
    [("72", 72), ("1", 20), ("0", 100), ("", 100), ("wide", 100), ("-5", 100), ("²", 100)],
)
def test_a_width_that_is_asked_for_comes_first(columns: str, width: int) -> None:
    with PseudoTerminal(100) as pseudo:
        assert Terminal(pseudo.stream, {"COLUMNS": columns}).width == width


def test_a_pipe_has_no_width_unless_it_is_asked_for() -> None:
    read, write = os.pipe()
    with os.fdopen(read), os.fdopen(write, "w") as stream:
        assert Terminal(stream, {}).width is None
        assert Terminal(stream, {"COLUMNS": "60"}).width == 60


def test_a_terminal_that_has_gone_has_the_usual_width() -> None:
    class _Gone(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert Terminal(_Gone(), {}).width == 80
