"""What people read where lines stay while several stages go on at the same time, each in a process of its own."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TextIO

import pytest

from pipeline.console import Console
from pipeline.execution.redaction import SecretRedactor
from tests.samples import passed

ROOT = Path(__file__).parents[2]
GITHUB = {"GITHUB_ACTIONS": "true"}


@pytest.fixture(name="seconds")
def seconds_fixture(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The console's clock: the last number is now."""
    seconds = [0.0]
    monkeypatch.setattr("pipeline.console.time.monotonic", lambda: seconds[-1])
    return seconds


def console_on(stream: TextIO, environ: dict[str, str] | None = None) -> Console:
    redact = SecretRedactor({"MY_TOKEN": "hidden-" + "value"})
    return Console(stream, redact, environ or {})


def test_of_stages_at_the_same_time_each_line_says_whose_it_is(seconds: list[float]) -> None:
    stream = io.StringIO()
    console = console_on(stream)
    console.plan(["lint", "scan"])
    console.begin("lint", beside=True)
    console.begin("scan", beside=True)
    console.hear("lint", "say", "making the lint environment")
    seconds.append(11.0)
    console.hear("scan", "update", "bandit")
    console.hear("lint", "line", "  A note that stays.")
    console.end(passed("scan"))
    console.end(passed())
    console.draw()
    assert stream.getvalue().splitlines() == [
        "lint: started, 1 of 2",
        "scan: started, 2 of 2",
        "  lint: making the lint environment",
        "  scan: bandit (11 s)",
        "  A note that stays.",
        "scan     pass            1.5 s  1/1 files  Score 10.",
        "lint     pass            1.5 s  1/1 files  Score 10.",
    ]


def test_the_groups_of_stages_at_the_same_time_are_not_mixed() -> None:
    stream = io.StringIO()
    console = console_on(stream, GITHUB)
    console.begin("lint", beside=True)
    console.begin("scan", beside=True)
    console.hear("lint", "say", "one")
    console.hear("scan", "say", "two")
    console.end(passed("scan"))
    console.end(passed())
    lines = stream.getvalue().splitlines()
    assert lines[:4] == ["lint: started", "scan: started", "::group::scan", "  two"]
    assert lines.count("::endgroup::") == 2
    end = lines.index("::endgroup::")
    assert lines[end + 1].startswith("scan     pass")
    assert lines[end + 2 : end + 4] == ["::group::lint", "  one"]


def test_a_console_in_a_stage_s_process_tells_another_and_masks_what_it_tells() -> None:
    stream = io.StringIO()
    console = console_on(stream)
    told: list[tuple[str, str]] = []
    console.relay(lambda how, text: told.append((how, text)))
    secret = "-".join(("hidden", "value"))
    console.say(f"a {secret}")
    console.update("b")
    console.line("c")
    console.end(passed())
    assert told == [("say", "a [secret]"), ("update", "b"), ("line", "c")]
    assert not stream.getvalue()
