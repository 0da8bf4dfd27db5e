"""The summary is a bounded table that shows the target's text and is never steered by it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings

from pipeline.core.change import entry_of
from pipeline.core.finding import Finding, Severity, State
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
    assert "- and 3 more in pipeline\\.json\n" in text


@settings(max_examples=40)
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
    assert len(text) < 200_000


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_one_escaped_line(text: str) -> None:
    tame, planted = (summary.render(report(replace(passed(), reasons=(said,)))) for said in ("tame", text))
    assert len(planted.splitlines()) == len(tame.splitlines())


def test_it_is_registered() -> None:
    assert FORMATS["summary"].files(report(passed())) == {"summary.md": summary.render(report(passed()))}


def test_findings_are_named_with_their_page_their_fix_and_their_owner() -> None:
    finding = Finding(
        rule="CVE-2020-28493", tool="pip-audit", severity=Severity.HIGH, message="Slow.", path="a.txt", line=3,
        package="jinja2", version="2.10", fix="2.11.3", owner="@team", exploited="2024-02-29",
    )  # fmt: skip
    text = summary.render(report(replace(passed("audit"), findings=(finding,))))
    assert "[CVE\\-2020\\-28493](<https://www.cve.org/CVERecord?id\\=CVE-2020-28493>)".replace("\\=", "=") in text
    assert "Fixed in 2\\.11\\.3\\." in text and "**Exploited since 2024\\-02\\-29\\.**" in text and "team" in text


def test_new_findings_come_before_known_ones_and_the_worst_first() -> None:
    found = (
        replace(_finding("old"), severity=Severity.CRITICAL, state=State.EXISTING),
        replace(_finding("mild"), severity=Severity.LOW),
        _finding("bad"),
        _finding("quiet", counted=False),
    )
    text = summary.render(report(replace(passed(), findings=found)))
    assert re.findall(r"3: (\w+)$", text, re.M) == ["bad", "mild", "old"]
    assert "- 1 below the gate in pipeline\\.json\n" in text


def test_what_changed_since_the_last_green_run_is_told() -> None:
    made = report(passed(), replace(passed("scan"), status=Status.FAIL, reasons=("No.",)))
    green = entry_of(report(passed(), passed("scan")))
    text = summary.render(replace(made, record=replace(made.record, last_green=green)))
    head = "### Since the last green run (2026\\-01\\-01T00\\:00\\:00\\.000Z, commit cccccccccccc)"
    assert f"{head}\n\n- scan was pass and is fail\\.\n" in text
    assert "last green" not in summary.render(made)


def test_whatever_there_is_it_stays_below_github_s_limit_and_says_that_there_is_more() -> None:
    worst = "&" * 300
    finding = Finding(rule=worst, tool=worst, severity=Severity.HIGH, message=worst, path=worst, owner=worst, fix=worst)
    left_out = tuple(NotChecked(what=worst, reason=worst) for _ in range(500))
    silenced = tuple(Suppression(kind=f"{n}{worst}", path="a", line=1, text="") for n in range(500))
    stages = [
        replace(passed(f"{n}{worst}"), reasons=(worst,), findings=(finding,) * 50, not_checked=left_out,
                suppressions=silenced)
        for n in range(120)
    ]  # fmt: skip
    text = summary.render(report(*stages))
    assert len(text.encode()) <= summary.MOST_BYTES < 1024 * 1024
    assert len(_rows(text)) == summary.MOST_STAGES + 1
    for more in ("and 70 more in", "- and 5980 more in", "- and 59980 more in"):
        assert more in text


def test_a_summary_that_would_be_too_long_ends_with_a_whole_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "MOST_BYTES", 600)
    stage = replace(passed(), findings=tuple(_finding(f"ä{number}") for number in range(30)))
    text = summary.render(report(stage))
    assert len(text.encode()) <= 600
    *_, last, _, told = text.splitlines()
    assert last.startswith("- **high**") and re.search(r"ä\d+$", last)
    assert told == "This is not all: the rest is in pipeline\\.json\\."
