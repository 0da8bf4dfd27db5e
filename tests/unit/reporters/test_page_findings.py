"""The findings' order, what is told of each, and the data that the page's script gets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.finding import Finding, Severity, State
from pipeline.core.safe_text import visible
from pipeline.core.stage import Status
from pipeline.reporters import page_findings
from tests import page_samples
from tests.page_findings import advisories, finding, findings
from tests.samples import FINDINGS, passed, report


def views(*found: Finding) -> tuple[page_findings.FindingView, ...]:
    """How a report with these findings shows them."""
    return tuple(listed(*found).views())


def listed(*found: Finding) -> page_findings.Listed:
    """A report with these findings."""
    scan = replace(passed("scan"), status=Status.FAIL, reasons=("Why.",), findings=found)
    return page_findings.listed(report(scan))


def test_what_fails_comes_first_then_severity_with_the_new_first_and_the_waived_last() -> None:
    shown = views(
        finding("waived", Severity.CRITICAL, "m", state=State.WAIVED),
        finding("below", Severity.LOW, "m", counted=False),
        finding("known-high", Severity.HIGH, "m", state=State.EXISTING),
        finding("known-low", Severity.LOW, "m", state=State.EXISTING),
        finding("medium", Severity.MEDIUM, "m"),
        finding("high", Severity.HIGH, "m"),
        finding("unrated", Severity.UNKNOWN, "m"),
    )
    assert [view.rule for view in shown] == ["high", "unrated", "medium", "known-high", "below", "known-low", "waived"]
    assert [view.fails for view in shown] == [True, True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ((), "No stage that ran has found anything."),
        (findings()[:1], "1 finding: 1 fails its gate."),
        (findings(), "4 findings: 2 fail their gates, 2 existing."),
        (
            (*findings(), finding("x", Severity.LOW, "m", counted=False)),
            "5 findings: 2 fail their gates, 2 existing, 1 is new and below the gate.",
        ),
    ],
)
def test_a_sentence_says_how_many_there_are(found: tuple[Finding, ...], sentence: str) -> None:
    assert listed(*found).headline == sentence


def test_they_are_counted_by_severity_in_its_order() -> None:
    shown = listed(*advisories(), *findings())
    assert list(shown.numbers("severity").items()) == [
        ("critical", 1), ("high", 2), ("medium", 1), ("low", 1),
    ]  # fmt: skip
    assert shown.numbers("owner") == {"": 1, "@echo/core": 3, "@echo/tools": 1}


def facts(view: page_findings.FindingView) -> dict[str, tuple[str, str]]:
    """What is told of it, by its terms."""
    return {fact.term: (fact.text, fact.address) for fact in view.facts}


def test_an_advisory_is_told_with_its_links_its_fix_and_its_owner() -> None:
    told = facts(views(*advisories())[0])
    assert told["Rule"] == ("GHSA-2g68-c3qc-8985 of pip-audit", "https://github.com/advisories/GHSA-2g68-c3qc-8985")
    assert told["Weakness"] == ("CWE-352", "https://cwe.mitre.org/data/definitions/352.html")
    assert told["Also known as"] == ("PYSEC-2024-55", "https://osv.dev/vulnerability/PYSEC-2024-55")
    assert told["Package"][0] == "werkzeug 3.0.2" and told["Fix"][0] == "3.0.3" and told["Owner"][0] == "@echo/core"
    assert told["Known to be exploited"][0] == "since 2025-11-04"
    assert told["Likelihood of exploitation"][0] == "43.1% within 30 days (EPSS)"


def test_a_finding_of_the_source_is_told_with_who_else_reports_it() -> None:
    ours = findings()[0]
    told = facts(views(ours, replace(ours, tool="ruff", rule="S608"))[0])
    assert told["Rule"][1].startswith("https://bandit.readthedocs.io/")
    assert told["Also reported by"] == ("ruff:S608", "") and told["Confidence"] == ("medium", "")
    assert facts(views(findings()[3])[0])["Owner"] == ("nobody is named", "")
    scored = replace(advisories()[0], cvss=7.5)
    assert facts(views(scored)[0])["CVSS"] == ("7.5", "")


def test_a_waived_finding_is_told_with_its_waiver() -> None:
    waived = next(page_findings.listed(page_samples.passing()).views())
    assert facts(waived)["Waived"][0] == (
        "The assertion states what the type checker already knows. (ada@example.org, 9 days left)"
    )


def test_the_source_shows_the_line_that_is_meant_and_the_word_in_it() -> None:
    shown = views(findings()[0])[0].source
    assert shown is not None
    assert (shown.first, shown.line, len(shown.lines)) == (1, 4, 7)
    assert shown.before + shown.marked + shown.after == shown.lines[3]
    assert shown.marked == '"' and shown.before == "    query = "
    snippet = views(findings()[1])[0].source
    assert snippet is not None and (snippet.line, snippet.marked) == (118, "subprocess")
    assert views(finding("x", Severity.LOW, "m", path="a.py", line=3))[0].source is None


def test_a_line_or_column_that_is_not_there_marks_nothing() -> None:
    beyond = views(replace(findings()[0], column=4000))[0].source
    assert beyond is not None and beyond.marked == "" and beyond.before == beyond.lines[3]
    other = views(replace(findings()[0], line=4000))[0].source
    assert other is not None and other.line == 0
    unknown = views(finding("x", Severity.LOW, "m", snippet="a = 1\nb = 2\n"))[0].source
    assert unknown is not None and (unknown.first, unknown.line, unknown.lines) == (0, 0, ("a = 1", "b = 2"))


def test_lines_and_texts_without_end_are_cut() -> None:
    endless = finding("x", Severity.LOW, "m" * 10_000, path="a.js", line=1, snippet="y" * 10_000)
    (shown,) = views(endless)
    assert shown.source is not None
    assert len(shown.source.lines[0]) == page_findings.LONGEST_LINE
    assert len(shown.message) == page_findings.LONGEST_TEXT


@given(st.lists(FINDINGS, max_size=6))
def test_the_data_are_the_findings_in_their_order_and_end_no_script(found: list[Finding]) -> None:
    shown = views(*found)
    text = listed(*found).packed()
    assert not set("<>&\u2028\u2029") & set(text) and "##[" not in text
    data: dict[str, Any] = json.loads(text)
    strings = data["strings"]
    assert all(visible(value, keep="\n\t") == value for value in strings)
    for row, view in zip(data["findings"], shown, strict=True):
        told = [strings[at] for at in (row[0], row[1], *row[3:7], *row[8:11])]
        own = (
            view.severity,
            view.state,
            view.stage,
            view.tool,
            view.rule,
            view.path,
            view.place,
            view.message,
            view.owner,
        )
        assert told == [visible(value, keep="\n\t") for value in own]
        assert (bool(row[2]), row[7]) == (view.fails, view.line)
        texts = [text for fact in view.facts for text in (fact.term, fact.text, fact.address)]
        assert [strings[at] for at in row[11]] == [visible(value, keep="\n\t") for value in texts]
        assert bool(row[12]) == (view.source is not None)
