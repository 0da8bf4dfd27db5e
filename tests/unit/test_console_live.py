"""What a person at a terminal sees: a real pseudo-terminal, read back with a terminal emulator of others' making."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyte import modes

from pipeline import console_live
from pipeline.console import Console
from pipeline.core.finding import Finding, Severity
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status, not_run
from tests.emulator import SGR, PseudoTerminal, shown, too_long
from tests.samples import passed, report

ROOT = Path(__file__).parents[2]
SOURCE = ("def handler(request):", "\tname = subprocess.call(request.args['cmd'], shell=True)  # 名前" + "!" * 90, "")


def failed() -> StageResult:
    finding = Finding(
        rule="B602", tool="bandit", severity=Severity.HIGH, message="A shell is started with what a client sends.",
        path=f"service/{'deep/' * 20}名前.py", line=12, column=9, context=SOURCE, context_start=11, fix="Use a list.",
    )  # fmt: skip
    reasons = ("scan findings of severity medium or worse: allowed 0, found 1.", "It says:\n\x1b[2J::error::planted")
    return replace(passed("scan"), status=Status.FAIL, reasons=reasons, findings=(finding,))


def whole_run() -> Report:
    return report(passed(), failed(), not_run("push", "push needs scan to pass."), required=("lint", "scan", "push"))


def show(console: Console, work: Callable[[], None] = lambda: None) -> None:
    """A run of three stages, and the last lines."""
    console.plan(["lint", "scan", "push"])
    made = whole_run()
    for result in made.results:
        if result.status is not Status.NOT_RUN:
            console.begin(result.name, 12.0)
            console.say(f"making the {result.name} environment 名前" + "." * 200)
            console.update("pylint: 120 of 285 files")
            work()
        console.end(result)
    console.verdict(made, ["reports/index.html"])
    console.close()


def soon(happened: Callable[[], bool]) -> None:
    """Wait until it has."""
    until = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


def run_on(terminal: PseudoTerminal, environ: dict[str, str], work: Callable[[], None] = lambda: None) -> None:
    show(Console(terminal.stream, str, environ), work)
    terminal.close()


@pytest.fixture(name="_fast", autouse=True)
def fast_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_live, "TICK_S", 0.02)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_at_any_width_nothing_overflows_and_the_live_line_is_gone_in_the_end(columns: int) -> None:
    with PseudoTerminal(columns) as terminal:
        run_on(terminal, {}, lambda: soon(lambda: "120 of 285 files" in terminal.written))
        assert re.search(r"\[1/3\] lint \d+ s \(last time 12 s\): making the lint env", SGR.sub("", terminal.written))
        assert not too_long(terminal.written, columns)
        seen = terminal.seen()
    assert seen[0].startswith("lint     pass            1.5 s  1/1 files  Score 10.")
    assert seen[1].startswith("scan     fail ")
    assert "    again: nox -s lint" in seen
    assert seen[-1] == "report: reports/index.html"
    assert not [row for row in seen if "last time" in row or "120 of 285" in row]
    assert not [row for row in seen if row.startswith("::")]


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_caret_stands_below_the_place(columns: int) -> None:
    with PseudoTerminal(columns) as terminal:
        run_on(terminal, {})
        seen = terminal.seen()
    at = next(number for number, row in enumerate(seen) if row.lstrip().startswith("12 | "))
    assert seen[at].index("subprocess") == seen[at + 1].index("^")


def test_the_live_line_is_what_a_person_sees_meanwhile() -> None:
    with PseudoTerminal(60) as terminal:
        console = Console(terminal.stream, str, {"NO_COLOR": "1"})
        console.plan(["lint", "scan"])
        console.begin("scan")
        console.say("pulling the image 名前名前名前名前名前名前名前名前名前名前名前名前")
        console.line("A line that stays.")
        console.say("nearly done")
        terminal.stream.flush()
        # What is closed now is the terminal, not the stage.
        terminal.close()
        assert terminal.seen()[0] == "A line that stays."
        assert re.fullmatch(r"\[1/2\] scan \d+ s: nearly done", "\n".join(terminal.seen()[1:]))
        assert not too_long(terminal.written, 60)
        assert "\x1b[3" not in terminal.written
        console.close()


def test_time_goes_on_by_itself() -> None:
    with PseudoTerminal(80) as terminal:
        console = Console(terminal.stream, str, {})
        console.begin("lint")
        soon(lambda: terminal.written.count("\r\x1b[2K") > 4)
        console.close()
        terminal.close()
        assert terminal.seen() == [""]


@pytest.mark.parametrize("after", [60, 140])
def test_when_the_window_changes_the_lines_change_with_it(after: int) -> None:
    with PseudoTerminal(100) as terminal:
        console = Console(terminal.stream, str, {})
        console.begin("scan")
        console.say("x" * 300)
        first = len(terminal.written)
        terminal.resize(after)
        time.sleep(0.1)
        console.end(failed())
        terminal.close()
        assert not too_long(terminal.written[first:], max(after, 100))
        settled = terminal.written[terminal.written.index("scan     ") :]
        assert not too_long(settled, after)
        longest = max(len(SGR.sub("", line)) for line in settled.split("\r\n"))
        assert longest > 60 or after == 60


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": "dumb", "COLUMNS": "60"}])
def test_a_dumb_terminal_gets_lines_of_its_width_without_a_single_escape(environ: dict[str, str]) -> None:
    with PseudoTerminal(70) as terminal:
        run_on(terminal, environ)
        assert "\x1b" not in terminal.written
        assert "\r" not in terminal.written.replace("\r\n", "")
        copied = "    again: "
        lines = [line for line in terminal.lines if not line.startswith(copied) and not line.startswith("  making")]
        assert not too_long("\n".join(lines), int(environ.get("COLUMNS", 70)))
        assert "lint: started, 1 of 3" in lines


@pytest.mark.parametrize(
    ("environ", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True), ({"PIPELINE_COLOR": "always"}, True)]
)
def test_a_pipe_gets_whole_lines_and_colours_only_when_they_are_asked_for(
    environ: dict[str, str], coloured: bool
) -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        show(Console(stream, str, environ))
    with os.fdopen(read, encoding="utf-8") as other:
        text = other.read()
    assert ("\x1b[1;31mfail" in text) is coloured
    assert "\x1b" not in SGR.sub("", text)
    assert "\r" not in text
    assert f"      service/{'deep/' * 20}名前.py:12:9\n" in SGR.sub("", text)


def test_colours_can_be_refused_on_a_terminal_and_the_live_line_stays() -> None:
    with PseudoTerminal(80) as terminal:
        run_on(terminal, {"NO_COLOR": "1"})
        assert not SGR.search(terminal.written)
        assert "\r\x1b[2K" in terminal.written


def test_in_a_ci_system_nothing_is_rewritten_even_on_a_terminal() -> None:
    with PseudoTerminal(80) as terminal:
        run_on(terminal, {"GITHUB_ACTIONS": "true", "NO_COLOR": "1"})
        assert "\x1b" not in terminal.written
        assert terminal.lines.count("::endgroup::") == 2


def test_a_run_that_is_killed_leaves_a_terminal_that_can_be_used() -> None:
    code = (
        "import sys, time; from pipeline.console import Console\n"
        "console = Console(sys.stderr, str, {}); console.begin('lint'); console.say('x' * 200)\n"
        "time.sleep(60)"
    )
    with PseudoTerminal(60) as terminal:
        argv = (sys.executable, "-c", code)
        with subprocess.Popen(argv, cwd=ROOT, stderr=terminal.stream) as process:
            try:
                soon(lambda: "xxx" in terminal.written)
            finally:
                process.send_signal(signal.SIGKILL)
        terminal.close()
        screen = terminal.screen()
    assert not screen.cursor.hidden
    assert modes.DECAWM in screen.mode
    assert (screen.cursor.y, screen.cursor.attrs.fg) == (0, pyte.screens.Char("").fg)


def test_a_terminal_that_goes_away_does_not_end_the_stage() -> None:
    terminal = PseudoTerminal(80)
    console = Console(terminal.stream, str, {})
    console.begin("lint")
    terminal.close()
    time.sleep(0.1)
    console.end(passed())


# Of what no version of Unicode has assigned yet, nobody knows how wide it will be.
ASSIGNED = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Sk"))


@settings(max_examples=40)
@given(st.text(ASSIGNED, max_size=150))
def test_whatever_is_said_and_found_the_terminal_shows_it_in_its_lines(text: str) -> None:
    text = "".join(character for character in text if unicodedata.east_asian_width(character) != "A")
    with PseudoTerminal(60) as terminal:
        console = Console(terminal.stream, str, {})
        console.begin("scan")
        console.say(text)
        finding = replace(failed().findings[0], message=text or "m", context=(text,), context_start=12, path="a.py")
        console.end(replace(failed(), reasons=(text,), findings=(finding,), command=""))
        terminal.close()
        first, _, rest = terminal.written.rpartition("\x1b[?7h")
        assert not too_long(rest, 60)
        assert shown(first, 60).cursor.y == 0


def test_stages_at_the_same_time_have_a_line_each_and_leave_none() -> None:
    with PseudoTerminal(60) as terminal:
        console = Console(terminal.stream, str, {"NO_COLOR": "1"})
        console.plan(["lint", "scan", "test"])
        for name in ("lint", "scan", "test"):
            console.begin(name, beside=True)
        console.hear("scan", "say", "bandit")
        console.line("A line that stays.")
        console.draw()
        assert console.draws
        console.end(passed("scan"))
        console.draw()
        console.end(passed("lint"))
        console.end(passed("test"))
        terminal.close()
        seen = terminal.seen()
    assert [row.split()[:2] for row in seen[1:]] == [["scan", "pass"], ["lint", "pass"], ["test", "pass"]]
    assert seen[0] == "A line that stays."


def test_there_are_never_more_lines_than_rows() -> None:
    with PseudoTerminal(60) as terminal:
        fcntl.ioctl(terminal.stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 3, 60, 0, 0))
        console = Console(terminal.stream, str, {})
        for number in range(6):
            console.begin(f"stage-{number}", beside=True)
        console.close()
        terminal.close()
        assert "stage-1" in terminal.written
        assert "stage-2" not in terminal.written
        assert terminal.seen() == [""]
