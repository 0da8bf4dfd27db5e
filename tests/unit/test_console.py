"""What people read while a run goes on: plain lines off a terminal, a live one on it, and none that steers."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import console as module
from pipeline.console import Console, safe, stage_lines, standard
from pipeline.core.finding import Finding, Severity
from pipeline.core.stage import StageResult, Status, not_run
from pipeline.execution.redaction import SecretRedactor
from tests.samples import HOSTILE, passed, report


class _Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


def _console(stream: io.TextIOBase, environ: dict[str, str] | None = None) -> Console:
    redact = SecretRedactor({"MY_TOKEN": "hidden-" + "value"})
    return Console(stream, redact, environ or {})  # type: ignore[arg-type]  # as much of a stream as it needs


def _failed(*messages: str) -> StageResult:
    findings = [
        Finding(rule="E1", tool="ruff", severity=Severity.HIGH, message=m, path="a.py", line=3, snippet="  x = 1")
        for m in messages
    ]
    return replace(passed(), status=Status.FAIL, reasons=("Too many.",), findings=tuple(findings))


def test_off_a_terminal_each_step_is_a_plain_line() -> None:
    stream = io.StringIO()
    console = _console(stream)
    console.begin("lint")
    console.say("making the lint environment")
    console.end(passed())
    assert stream.getvalue() == (
        "lint: started\n  making the lint environment\nlint     pass            1.5 s  1/1 files\n    Score 10.\n"
    )


def test_on_a_terminal_the_step_is_rewritten_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TICK_S", 0.02)
    stream = _Terminal()
    console = _console(stream)
    console.begin("lint")
    console.begin("lint")
    console.say("x" * 500)
    time.sleep(0.2)
    drawn = stream.getvalue().split("\r\x1b[2K")
    assert len(drawn) > 3
    assert all("\n" not in line and len(line) < 500 for line in drawn)
    console.end(passed())
    ended = stream.getvalue()
    assert "\x1b[32mlint     pass" in ended
    time.sleep(0.1)
    assert stream.getvalue() == ended


def test_time_is_counted_from_the_beginning_of_the_console_too() -> None:
    stream = _Terminal()
    _console(stream).say("looking for an engine")
    assert stream.getvalue().endswith("looking for an engine (0 s)")


def test_a_terminal_that_goes_away_ends_the_live_line_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TICK_S", 0.02)
    stream = _Terminal()
    console = _console(stream)
    console.begin("lint")
    stream.close()
    time.sleep(0.1)


@pytest.mark.parametrize(
    ("terminal", "environ", "coloured"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_is_for_those_who_want_it(terminal: bool, environ: dict[str, str], coloured: bool) -> None:
    stream = _Terminal() if terminal else io.StringIO()
    _console(stream, environ).line("text", "31")
    assert ("\x1b[31mtext\x1b[0m" in stream.getvalue()) is coloured


def test_secrets_are_masked_and_lines_kept_apart() -> None:
    stream = io.StringIO()
    console = _console(stream)
    console.line("one hidden-value\ntwo")
    console.say("three hidden-value\nfour")
    assert stream.getvalue() == "one [secret]\ntwo\n  three [secret]\\nfour\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_stream_of_another_encoding_gets_escapes(terminal: bool) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    stream.isatty = lambda: terminal  # type: ignore[method-assign]  # nothing here is one
    console = _console(stream)
    console.line("✅ ä")
    console.say("ü")
    assert "\\u2705 \\xe4\n" in raw.getvalue().decode("ascii")
    assert "\\xfc" in raw.getvalue().decode("ascii")


def test_a_stage_that_failed_shows_its_findings_up_to_a_bound_and_how_to_run_it_again() -> None:
    texts = [text for text, _ in stage_lines(_failed(*(f"m{number}" for number in range(7))))]
    assert texts[0].startswith("lint     fail")
    assert texts[1] == "    Too many."
    assert texts[2:4] == ["    high: a.py:3: m0 [ruff E1]", "        x = 1"]
    assert texts[-2:] == ["    and 2 more in the report", "    again: nox -s lint"]


def test_a_stage_that_has_not_run_and_one_of_an_earlier_run() -> None:
    texts = [text for text, _ in stage_lines(not_run("push", "push needs test to pass."))]
    assert texts == ["push     not-run         0.0 s", "    push needs test to pass."]
    assert ", earlier result" in stage_lines(replace(passed(), cached=True))[0][0]
    quiet = replace(_failed("m"), findings=(replace(_failed("m").findings[0], counted=False, snippet=""),))
    assert not [text for text, _ in stage_lines(quiet) if "[ruff E1]" in text]


def test_the_verdict_names_what_holds_it_back() -> None:
    stream = io.StringIO()
    console = _console(stream)
    console.verdict(report(_failed("m"), not_run("scan", "No."), required=("lint", "scan")), "reports")
    console.verdict(report(passed()), "reports")
    assert stream.getvalue().splitlines()[::2] == ["verdict: fail (lint fail, scan not-run)", "verdict: pass"]
    assert "reports: reports/pipeline.json, reports/pipeline.junit.xml\n" in stream.getvalue()


@pytest.mark.parametrize("start", ["", "  ", "\u3000"])
@pytest.mark.parametrize("command", ["::error::x", "::set-output name=a::b", "section_start:1:x", "section_end:1:x"])
def test_no_line_begins_with_a_workflow_command(start: str, command: str) -> None:
    assert safe(start + command) == f"{start}\\{command}"


@pytest.mark.parametrize("command", ["##[error]x", "##vso[task.complete]x", "##VSO[x]y", "##teamcity[x]"])
def test_no_line_holds_a_command_that_is_read_anywhere(command: str) -> None:
    shown = safe(f"a {command}")
    assert "##" not in shown
    assert shown == "a #\\#" + command[2:]


@given(st.one_of(st.text(), st.text(st.characters()), st.sampled_from(HOSTILE)))
def test_safe_text_is_one_line_without_control_characters(text: str) -> None:
    shown = safe(text)
    assert len(shown.splitlines()) <= 1
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)
    assert not shown.lstrip().startswith("::")
    shown.encode("utf-8")


def test_ordinary_text_stays() -> None:
    assert safe("a::b ## [x] ä 🐍\tz") == "a::b ## [x] ä 🐍    z"


def test_the_standard_console_writes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    standard(SecretRedactor({})).line("text")
    captured = capsys.readouterr()
    assert ("text" in captured.err, captured.out) == (True, "")
