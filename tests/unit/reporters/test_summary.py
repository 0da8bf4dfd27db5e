"""The summary is a bounded table that shows the target's text and is never steered by it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given

from pipeline.core.finding import Finding, Severity
from pipeline.core.stage import NotChecked, StageResult, Status, Suppression, not_run
from pipeline.reporters import FORMATS, summary
from tests.samples import HOSTILE, RECORD, passed, report, results


def _finding(message: str = "bad", *, counted: bool = True) -> Finding:
    return Finding(
        rule="E1", tool="ruff", severity=Severity.HIGH, message=message, path="a.py", line=3, counted=counted
    )


def _rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_a_run_is_one_row_a_stage() -> None:
    text = summary.render(report(passed(), not_run("scan", "It was not selected.")))
    assert text.startswith("## ✅ Pipeline: pass\n")
    assert _rows(text)[1:] == [
        "| lint | ✅ pass | 1 of 1 files | 1.5 | Score 10\\. |",
        "| scan (optional) | ⏸️ not-run |  | 0.0 | It was not selected\\. |",
    ]
    assert "### " not in text


def test_a_dirty_tree_and_an_earlier_result_are_labelled() -> None:
    made = report(replace(passed(), cached=True))
    assert "with uncommitted changes" in summary.render(replace(made, record=replace(RECORD, dirty=True)))
    assert "pass (earlier result)" in summary.render(made)


def test_suppressions_are_counted_by_stage_and_kind() -> None:
    silenced = tuple(Suppression(kind="noqa", path="a.py", line=n, text="# noqa") for n in range(3))
    other = Suppression(kind="type-ignore", path="a.py", line=9, text="# type: ignore")
    text = summary.render(report(replace(passed(), suppressions=(*silenced, other))))
    assert "### Suppressed in the sources\n\n- lint, noqa: 3\n- lint, type\\-ignore: 1\n" in text


def test_findings_that_count_are_listed_up_to_a_bound() -> None:
    findings = tuple(_finding(f"m{number}") for number in range(25))
    stage = replace(passed(), status=Status.FAIL, findings=(*findings, _finding("quiet", counted=False)))
    text = summary.render(report(stage))
    assert "- **high** lint E1 a\\.py\\:3: m0\n" in text
    assert "m19" in text and "m20" not in text and "quiet" not in text
    assert "and 5 more in pipeline\\.json" in text


def test_what_was_not_checked_is_listed_up_to_a_bound() -> None:
    left_out = tuple(NotChecked(what=f"w{number}", reason="made by a tool") for number in range(23))
    text = summary.render(report(replace(passed(), not_checked=left_out)))
    assert "- lint, w0: made by a tool\n" in text
    assert "- and 3 more\n" in text


@given(results())
def test_no_text_breaks_the_table_or_starts_anything(result: StageResult) -> None:
    text = summary.render(report(result, passed("scan")))
    assert len(_rows(text)) == 3
    for row in _rows(text):
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 6
    assert not re.search(r"(?m)^\s*(::|##\[)", text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[<`]", text)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]", text)
    text.encode("utf-8")
    assert len(text) < 100_000


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_one_escaped_line(text: str) -> None:
    shown = summary.text(text)
    assert "\n" not in shown and "\r" not in shown
    assert len(shown) <= 2 * summary.MOST_REASON


def test_text_is_cut() -> None:
    assert summary.text("x" * 400) == "x" * 299 + "…"


def test_every_format_is_registered() -> None:
    assert set(FORMATS) == {"pipeline.json", "pipeline.junit.xml", "summary.md", "openvex.json"}
