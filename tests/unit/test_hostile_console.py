"""A run of hostile code, as it is shown: on a terminal, in a log, and as a job of GitHub or GitLab."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.console import Console
from pipeline.core.run_record import Report
from pipeline.execution.redaction import SecretRedactor
from pipeline.reporters.annotations import annotation_commands
from tests.emulator import PseudoTerminal
from tests.hostile import PAYLOADS, TEXTS, commands_in, marked, planted, unseen_in
from tests.page_samples import failing

SECRET = "-".join(("s3cr3t", "+/é'", "<&>Zz9"))
COLUMNS = 100
# What the console itself writes: colours, the erased line and the return to its beginning, no wrapping meanwhile.
_OWN = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?7[lh]|\r?\x1b\[2K|\r\n|\r(?=\x1b\[2K)")
GITLAB = {"section_start", "section_end"}
GITHUB = {"group", "endgroup", "error", "warning", "notice"}


def _show(console: Console, report: Report) -> None:
    console.plan([result.name for result in report.results])
    for result in report.results:
        console.begin(result.name, 3)
        console.say(f"doing {result.command}")
        console.update(f"done {result.command}")
        console.line(f"said: {' '.join(result.reasons)}")
        console.end(result)
    console.annotate(annotation_commands(report, [result.name for result in report.results]))
    console.verdict(report, ["reports/index.html"])


def _shown(report: Report, **environ: str) -> str:
    stream = io.StringIO()
    _show(Console(stream, SecretRedactor({"MY_TOKEN": SECRET}), environ), report)
    return stream.getvalue()


def _hostile(payloads: list[str]) -> Report:
    return planted(failing(), marked(payloads)[0])


def _check(payloads: list[str]) -> None:
    report = _hostile(payloads)
    harmless = _hostile(["word"])
    plain = _shown(report)
    assert (unseen_in(plain), commands_in(plain)) == ("", [])
    assert len(set(re.findall(r"q\d+q", plain))) > 30
    github = _shown(report, GITHUB_ACTIONS="true")
    assert not unseen_in(github)
    assert set(commands_in(github)) <= GITHUB
    groups = ("group", "endgroup")
    wanted = [name for name in commands_in(_shown(harmless, GITHUB_ACTIONS="true")) if name in groups]
    assert [name for name in commands_in(github) if name in groups] == wanted
    gitlab = _shown(report, GITLAB_CI="true")
    assert set(commands_in(gitlab)) <= GITLAB
    assert not unseen_in(re.sub(r"\x1b\[0Ksection_(start|end):\d+:[\w.-]+(\[collapsed=true\])?\r\x1b\[0K", "", gitlab))


@pytest.mark.parametrize("turn", range(5))
def test_payloads_are_shown_and_do_nothing(turn: int) -> None:
    _check([*PAYLOADS[turn * 31 :], *PAYLOADS[: turn * 31]])


@settings(max_examples=10)
@given(st.lists(TEXTS, min_size=1, max_size=40))
def test_any_text_is_shown_and_does_nothing(texts: list[str]) -> None:
    _check(texts)


@pytest.mark.parametrize("turn", range(3))
def test_a_terminal_shows_them_and_nothing_else_happens_to_it(turn: int) -> None:
    report = _hostile([*PAYLOADS[turn * 50 :], *PAYLOADS[: turn * 50]])
    with PseudoTerminal(COLUMNS) as terminal:
        _show(Console(terminal.stream, SecretRedactor({}), {"TERM": "xterm-256color"}), report)
        terminal.close()
    assert not unseen_in(_OWN.sub("", terminal.written))
    screen = terminal.screen()
    assert (screen.title, screen.icon_name) == ("", "")
    assert screen.margins is None
    assert not commands_in("\n".join(terminal.lines))


def test_no_secret_is_shown_whichever_text_it_stands_in() -> None:
    report = planted(failing(), lambda _: f"before {SECRET} behind")
    for environ in ({}, {"GITHUB_ACTIONS": "true"}, {"GITLAB_CI": "true"}):
        shown = _shown(report, **environ)
        assert "[secret]" in shown
        assert "s3cr3t" not in shown and "Zz9" not in shown
