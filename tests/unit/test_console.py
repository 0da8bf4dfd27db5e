"""What people read while a run goes on, where lines stay: in a file, in a pipe, in the log of a CI system."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.console import Console, standard
from pipeline.core.finding import Finding, Severity
from pipeline.core.stage import StageResult, Status, not_run
from pipeline.errors import ConfigurationError
from pipeline.execution.redaction import SecretRedactor
from tests.samples import passed, report

ROOT = Path(__file__).parents[2]
GITHUB = {"GITHUB_ACTIONS": "true"}


@pytest.fixture(name="seconds")
def seconds_fixture(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The console's clock: the last number is now."""
    seconds = [0.0]
    monkeypatch.setattr("pipeline.console.time.monotonic", lambda: seconds[-1])
    return seconds


def console_on(stream: io.TextIOBase, environ: dict[str, str] | None = None) -> Console:
    redact = SecretRedactor({"MY_TOKEN": "hidden-" + "value"})
    return Console(stream, redact, environ or {})  # type: ignore[arg-type]  # as much of a stream as it needs


def failed(*messages: str, name: str = "lint") -> StageResult:
    findings = [
        Finding(rule="E1", tool="ruff", severity=Severity.HIGH, message=m, path="a.py", line=3, snippet="  x = 1")
        for m in messages
    ]
    return replace(passed(name), status=Status.FAIL, reasons=("Too many.",), findings=tuple(findings))


def test_each_step_is_a_plain_line_and_a_stage_that_passes_is_one() -> None:
    stream = io.StringIO()
    console = console_on(stream)
    console.begin("lint")
    console.say("making the lint environment")
    console.end(passed())
    assert stream.getvalue() == (
        "lint: started\n  making the lint environment\nlint     pass            1.5 s  1/1 files  Score 10.\n"
    )


def test_a_planned_stage_says_which_of_how_many_it_is() -> None:
    stream = io.StringIO()
    console = console_on(stream)
    console.plan(["lint", "scan"])
    console.begin("scan")
    console.end(passed("scan"))
    console.begin("lint")
    lines = stream.getvalue().splitlines()
    assert (lines[0], lines[-1]) == ("scan: started, 1 of 2", "lint: started, 2 of 2")


def test_progress_within_a_step_is_said_now_and_then(seconds: list[float]) -> None:
    stream = io.StringIO()
    console = console_on(stream)
    console.begin("lint")
    for now in (5.0, 9.9, 10.0, 15.0, 20.0):
        seconds.append(now)
        console.update(f"pylint: {now:.0f} of 99 files")
    assert stream.getvalue().splitlines()[1:] == [
        "  pylint: 10 of 99 files (10 s)",
        "  pylint: 20 of 99 files (20 s)",
    ]


def test_what_goes_on_outside_of_a_stage_is_said_too() -> None:
    stream = io.StringIO()
    console = console_on(stream)
    console.say("looking for an engine")
    with console.step("engine"):
        console.say("starting it")
    assert stream.getvalue() == "  looking for an engine\nengine: started\n  starting it\n"


def test_secrets_are_masked_wherever_they_stand() -> None:
    secret = "-".join(("hidden", "value"))
    stream = io.StringIO()
    console = console_on(stream, GITHUB)
    console.line(f"one {secret}\ntwo")
    console.begin(secret)
    console.say(f"three {secret}")
    console.update(secret)
    finding = Finding(
        rule=secret, tool=secret, severity=Severity.HIGH, message=secret, path=f"{secret}.py", line=1, column=1,
        context=(secret,), context_start=1, fix=secret,
    )  # fmt: skip
    console.end(replace(failed(), name=secret, reasons=(secret,), findings=(finding,) * 9, command=secret))
    console.annotate([f"::error title={secret}::{secret}"])
    console.verdict(report(replace(passed(), name=secret)), [secret])
    assert secret not in stream.getvalue()
    assert "one [secret]\\ntwo\n::group::[secret]\n  three [secret]\n" in stream.getvalue()


def test_a_stream_of_another_encoding_gets_escapes() -> None:
    raw = io.BytesIO()
    console = console_on(io.TextIOWrapper(raw, encoding="ascii"), GITHUB)
    console.line("✅ ä")
    console.say("ü")
    console.annotate(["::notice::ö"])
    console.end(replace(failed(), reasons=("z" * 2000,)))
    text = raw.getvalue().decode("ascii")
    assert text.startswith("\\u2705 \\xe4\n  \\xfc\n::notice::\\xf6\n")
    assert "z~\n" in text


def test_when_the_reader_has_gone_the_run_goes_on() -> None:
    stream = io.StringIO()
    console = console_on(stream)
    stream.close()
    console.begin("lint")
    console.say("x")
    console.end(passed())


def test_a_broken_pipe_is_tried_once() -> None:
    tries = []

    class _Broken(io.StringIO):
        def write(self, text: str, /) -> int:
            tries.append(text)
            raise BrokenPipeError

    console = console_on(_Broken())
    console.line("a")
    console.line("b")
    assert tries == ["a\n"]


def test_the_standard_console_writes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    standard(SecretRedactor({}), {}).line("text")
    captured = capsys.readouterr()
    assert ("text" in captured.err, captured.out) == (True, "")


def test_what_lays_lines_out_is_loaded_when_there_is_a_line() -> None:
    code = (
        "import io, sys, pipeline, pipeline.cli, pipeline.nox_sessions, pipeline.workplace as workplace\n"
        "console = workplace.standard(str, {})\n"
        "print('rich' in sys.modules); console.line(''); print('rich' in sys.modules)"
    )
    done = subprocess.run((sys.executable, "-c", code), cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_another_colour_than_there_is_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="PIPELINE_COLOR must be one of auto, always, never, and is 'blue'"):
        console_on(io.StringIO(), {"PIPELINE_COLOR": "blue"})


def folded(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """The lines as GitHub shows them, each with whether it is within a group; no group stands within another."""
    within = False
    for line in lines:
        if line.startswith("::group::"):
            assert not within
            within = True
        elif line == "::endgroup::":
            assert within
            within = False
        else:
            yield line, within
    assert not within


def test_in_github_actions_what_failed_stands_outside_of_the_stage_s_group() -> None:
    stream = io.StringIO()
    console = console_on(stream, GITHUB)
    console.begin("scan")
    console.say("making the scan environment")
    console.end(passed("scan"))
    console.begin("lint")
    console.end(failed(*(f"m{number}" for number in range(7))))
    console.end(not_run("push", "push needs lint to pass."))
    lines = stream.getvalue().splitlines()
    shown = dict(folded(lines))
    assert [line for line in lines if line.startswith("::")] == ["::group::scan", "::endgroup::"] * 1 + [
        "::group::lint",
        "::endgroup::",
    ]
    assert shown["  making the scan environment"]
    assert shown["    met: lint findings of severity medium or worse: allowed 0, found 0."]
    outside = [line for line, within in shown.items() if not within]
    assert outside[0].startswith("scan     pass ")
    assert outside[1].startswith("lint     fail ")
    assert "    Too many." in outside
    assert "    high: m0 [ruff E1]" in outside
    assert "    again: nox -s lint" in outside
    assert outside[-1] == "    push needs lint to pass."
    # What is beyond the first few is not lost.
    assert shown["    high: a.py:3: m6 [ruff E1]"]


def test_a_group_is_closed_also_when_a_stage_does_not_come_to_its_end() -> None:
    stream = io.StringIO()
    console = console_on(stream, GITHUB)
    console.begin("lint")
    console.begin("scan")
    console.close()
    console.close()
    assert stream.getvalue().splitlines() == ["::group::lint", "::endgroup::", "::group::scan", "::endgroup::"]


def test_in_gitlab_a_stage_is_a_section() -> None:
    stream = io.StringIO()
    console = console_on(stream, {"GITLAB_CI": "true"})
    console.begin("own stage")
    console.say("at work")
    console.end(passed("own stage"))
    start, said, *_, end, line = stream.getvalue().removesuffix("\n").split("\n")
    assert re.fullmatch(r"\x1b\[0Ksection_start:\d{10}:pipeline_own_stage\[collapsed=true\]\r\x1b\[0Kown stage", start)
    assert re.fullmatch(r"\x1b\[0Ksection_end:\d{10}:pipeline_own_stage\r\x1b\[0K", end)
    assert (said, line[:14]) == ("  at work", "own stage pass")


def test_annotations_are_for_github_alone() -> None:
    for environ, printed in (
        ({}, ""),
        ({"GITLAB_CI": "true"}, ""),
        (GITHUB, "::error file=a.py,line=3::Bad: 100%25.\n"),
    ):
        stream = io.StringIO()
        console_on(stream, environ).annotate(["::error file=a.py,line=3::Bad: 100%25."])
        assert stream.getvalue() == printed


@pytest.mark.parametrize(
    "command",
    [
        "::add-mask::x",
        "::error::a\n::set-output name=x::y",
        "::error::a\r::x",
        "::error::##[add-mask]x",
        "::error::\x1b[2J",
        "::error file=a:b.py::x",
        "::warning",
        " ::error::x",
        "error",
    ],
)
def test_an_annotation_is_nothing_else(command: str) -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="not an annotation"):
        console_on(stream, GITHUB).annotate(["::notice::fine", command])
    assert not stream.getvalue()
