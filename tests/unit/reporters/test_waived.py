"""What is waived stays visible in every format, with reason, owner and days left, and is never shown as a failure."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from pipeline.console_layout import Layout
from pipeline.console_stage import stage_lines
from pipeline.core.finding import Finding, State
from pipeline.core.run_record import Report
from pipeline.core.stage import Status
from pipeline.core.waiver import Waiver
from pipeline.reporters import json_reading, json_report, junit, summary
from tests.samples import FINDINGS, HOSTILE, WORDS, passed, report
from tests.waivers import DAY, make_finding, make_waiver, waived_report


def waiver(**changes: object) -> Waiver:
    """A waiver that is in force on the day, with 90 days left."""
    return make_waiver(**{"created": DAY, "expires": DAY + timedelta(days=90), **changes})


WAIVED = make_finding(state=State.WAIVED)
BOTH = (WAIVED, make_finding(rule="B105", id="e" * 32, message="bad"))


def parsed(made: Report) -> etree._Element:
    """Its JUnit document."""
    return etree.fromstring(junit.render(made)[junit.MERGED].encode())


def test_junit_skips_it_with_reason_owner_and_days_left() -> None:
    root = parsed(waived_report(waiver(), findings=BOTH, status=Status.FAIL))
    cases = {case.get("name"): list(case) for case in root.iter("testcase")}
    (skipped,) = cases[f"bandit B101 {'f' * 32}"]
    told = "waived: Asserts are how tests speak. (Platform, 90 days left)"
    assert (skipped.tag, skipped.get("message")) == ("skipped", told)
    assert (skipped.text or "").startswith(told) and "tests/unit/test_a.py" in (skipped.text or "")
    assert [child.tag for child in cases[f"bandit B105 {'e' * 32}"]] == ["failure"]


def test_the_summary_lists_it_apart_from_what_failed() -> None:
    text = summary.render(waived_report(waiver(), findings=BOTH, status=Status.FAIL))
    failed, _, waived = text.partition("### Waived")
    assert "B105" in failed and "B101" not in failed
    assert (
        "- **high** bandit B101 tests/unit/test\\_a\\.py\\:3: Asserts are how tests speak\\. (Platform, 90 days left)"
        in waived.replace("\\(", "(").replace("\\)", ")")
    )


def test_without_waivers_the_summary_has_no_such_part() -> None:
    assert "Waived" not in summary.render(report(passed()))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"expires": DAY + timedelta(days=12)}, "expires within 30 days"),
        ({"expires": DAY - timedelta(days=1), "created": DAY - timedelta(days=9)}, "expired on 2025\\-12\\-31"),
        ({"id": "B999"}, "hides nothing\\: remove lines 3\\-10 of waivers\\.toml"),
        ({"tool": "pip-audit", "stages": ("audit",)}, "is not known"),
    ],
)
def test_the_summary_names_every_waiver_that_needs_somebody(changed: dict[str, object], said: str) -> None:
    text = summary.render(waived_report(waiver(**changed), findings=(WAIVED,)))
    assert said in text.partition("### Waived")[2]


def test_the_summary_is_bounded() -> None:
    findings = tuple(replace(WAIVED, line=number) for number in range(1, 30))
    unused = tuple(waiver(id=f"U{number}") for number in range(25))
    text = summary.render(waived_report(waiver(), *unused, findings=findings))
    assert "- and 9 more in pipeline\\.json\n" in text
    assert "- and 5 more waivers to look after in pipeline\\.json\n" in text


def test_json_holds_every_waiver_with_its_standing_and_is_a_record_again() -> None:
    made = waived_report(waiver(), waiver(id="B999"), findings=BOTH)
    text = json_report.render(made)
    shown = json.loads(text)["waivers"]
    assert [(w["id"], w["state"], w["days_left"], w["hides"]) for w in shown] == [
        ("B101", "used", 90, ["f" * 32]), ("B999", "unused", 90, []),
    ]  # fmt: skip
    assert json_reading.parse_record(text)[0].waivers == made.record.waivers


def test_of_several_waivers_the_one_that_lasts_longest_is_shown() -> None:
    made = waived_report(waiver(), waiver(scope="**/test_a.py", owner="Ann", expires=DAY + timedelta(days=91)))
    standing = made.waived_by(WAIVED)
    assert standing is not None and standing.waiver.owner == "Ann"
    assert made.waived_by(BOTH[1]) is None


def test_the_terminal_does_not_show_it_among_what_failed() -> None:
    stage = replace(passed("scan"), findings=BOTH, status=Status.FAIL, reasons=("One.",))
    lines = "\n".join(stage_lines(stage, Layout(str)))
    assert "B105" in lines and "B101" not in lines


@given(FINDINGS, WORDS, st.sampled_from(HOSTILE))
def test_whatever_a_waiver_says_no_format_is_taken_apart(finding: Finding, owner: str, reason: str) -> None:
    known = replace(finding, path="tests/a.py", package="", state=State.WAIVED)
    entry = waiver(id=known.rule, tool=known.tool, owner=owner, reason=reason)
    made = waived_report(entry, findings=(known,))
    root = parsed(made)
    assert [element.tag for element in root.iter() if element.tag == "skipped"] == ["skipped"]
    assert json.loads(json_report.render(made))["waivers"][0]["owner"] == owner
    assert len([line for line in summary.render(made).splitlines() if line.startswith("- **")]) == 1
