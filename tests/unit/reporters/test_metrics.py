"""``metrics.prom`` is read by Prometheus' own parsers, both of them, and says what the run was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from prometheus_client import Metric
from prometheus_client import parser as textfile
from prometheus_client.openmetrics import parser as openmetrics

from pipeline.core.component import Component, ComponentKind
from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Finding, Severity, State
from pipeline.core.run_record import Report
from pipeline.core.stage import NotChecked, StageResult, Status, Suppression, not_run
from pipeline.reporters import metrics
from tests.samples import HOSTILE, TEXT, passed, report, results
from tests.waivers import make_waiver, waived_report

Parser = Callable[[str], Iterable[Metric]]
read_openmetrics: Parser = openmetrics.text_string_to_metric_families
read_textfile: Parser = textfile.text_string_to_metric_families
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(families: Iterable[Metric]) -> Series:
    """Every sample by its name and labels; each must be there once."""
    samples = [sample for family in families for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def read(made: Report) -> Series:
    """The metrics as both parsers read them, which must be the same."""
    text = metrics.render(made)
    found = series(read_openmetrics(text))
    assert found == series(read_textfile(text))
    return found


def value(made: Report, name: str, **labels: str) -> float | None:
    """One sample, or none."""
    return read(made).get((name, frozenset(labels.items())))


def test_verdict_and_statuses_are_one_of_four() -> None:
    made = report(passed(), not_run("scan", "It was not selected."))
    found = read(made)
    verdicts = {dict(labels)["verdict"]: on for (name, labels), on in found.items() if name == "pipeline_verdict"}
    assert verdicts == {"pass": 1, "fail": 0, "inconclusive": 0, "not-run": 0}
    assert value(made, "pipeline_stage_status", stage="scan", status="not-run") == 1
    assert value(made, "pipeline_stage_status", stage="scan", status="pass") == 0
    assert value(made, "pipeline_stage_required", stage="lint") == 1
    assert value(made, "pipeline_stage_required", stage="scan") == 0


def test_times_are_in_seconds_and_say_so() -> None:
    made = report(passed())
    assert value(made, "pipeline_run_started_timestamp_seconds") == 1767225600
    assert value(made, "pipeline_run_finished_timestamp_seconds") == 1767225609
    assert value(made, "pipeline_stage_duration_seconds", stage="lint") == 1.5
    units = {family.name: family.unit for family in read_openmetrics(metrics.render(made)) if family.unit}
    assert set(units.values()) == {"seconds"}
    assert set(units) == {name for name, _ in read(made) if name.endswith("_seconds")}


@pytest.mark.parametrize(
    ("measured", "told"),
    [(10.0, 10), (9.75, 9.75), (41_000_000, 41_000_000), (True, 1), ("10", None), (None, None), (2.0**60, None)]
    + [(float(word), None) for word in ("inf", "-inf", "nan")],
)
def test_numbers_that_a_stage_measured_are_told_and_other_values_are_not(
    measured: float | str | None, told: float | None
) -> None:
    made = report(replace(passed(), metrics={"score": measured}))
    assert value(made, "pipeline_stage_measurement", stage="lint", measurement="score") == told


def test_findings_are_counted_by_severity_and_state_and_so_is_none() -> None:
    found = tuple(
        Finding(rule="r", tool="t", severity=severity, message="m", state=state)
        for severity, state in [(Severity.HIGH, State.NEW), (Severity.HIGH, State.NEW), (Severity.LOW, State.WAIVED)]
    )
    made = report(replace(passed(), findings=found))
    labels = {"stage": "lint", "severity": "high"}
    assert value(made, "pipeline_stage_findings", **labels, state="new") == 2
    assert value(made, "pipeline_stage_findings", **labels, state="waived") == 0
    assert value(made, "pipeline_stage_findings", stage="lint", severity="low", state="waived") == 1


def test_evidence_controls_and_gates_are_counted() -> None:
    controls = (Control(tool="a", planted="x", caught=True), Control(tool="b", planted="y", caught=False))
    evidence = Evidence.of("files", expected=("a", "b"), checked=("b", "c"), controls=controls)
    made = report(replace(passed(), status=Status.INCONCLUSIVE, evidence=evidence))
    assert value(made, "pipeline_stage_evidence_expected", stage="lint", unit="files") == 2
    assert value(made, "pipeline_stage_evidence_checked", stage="lint", unit="files") == 1
    assert value(made, "pipeline_stage_controls", stage="lint", caught="false") == 1
    assert value(made, "pipeline_stage_gates", stage="lint", passed="true") == 1
    assert value(made, "pipeline_stage_gates", stage="lint", passed="false") == 0


def test_what_was_left_out_silenced_or_listed_is_counted() -> None:
    silenced = Suppression(kind="noqa", path="a.py", line=1, text="# noqa")
    part = Component(kind=ComponentKind.DEBIAN, name="libc6", version="2")
    left_out = NotChecked(what="docs", reason="They are made.")
    stage = replace(passed(), suppressions=(silenced, silenced), components=(part,), not_checked=(left_out,))
    made = report(stage, replace(passed("scan"), cached=True))
    assert value(made, "pipeline_stage_suppressions", stage="lint", kind="noqa") == 2
    assert value(made, "pipeline_stage_components", stage="lint", kind="deb") == 1
    assert value(made, "pipeline_stage_not_checked", stage="lint") == 1
    assert value(made, "pipeline_stage_not_checked", stage="scan") == 0
    assert value(made, "pipeline_stage_reused", stage="scan") == 1
    assert value(waived_report(make_waiver()), "pipeline_waivers", state="unused") == 1


def test_a_stage_that_did_not_run_has_no_zeros() -> None:
    told = {
        name for name, labels in read(report(not_run("lint", "It was not selected."))) if ("stage", "lint") in labels
    }
    assert told == {"pipeline_stage_status", "pipeline_stage_required"}


def test_every_family_is_a_gauge_with_a_help_text_and_the_file_says_where_it_ends() -> None:
    """Prometheus' own reader of the older format, in Go, refuses a file with a type that is not of that format."""
    text = metrics.render(report(passed()))
    families = list(read_openmetrics(text))
    assert {family.type for family in families} == {"gauge"}
    assert all(len(family.documentation.split()) > 2 for family in families)
    assert len({family.name for family in families}) == len(families)
    assert text.endswith("\n# EOF\n")
    assert text.count("# EOF") == 1


def test_quotes_backslashes_and_ends_of_lines_come_back() -> None:
    made = report(passed())
    made = replace(made, record=replace(made.record, branch='a"b\\c{}=,#'))
    told = [dict(labels) for name, labels in read(made) if name == "pipeline_run_info"]
    assert told[0]["branch"] == 'a"b\\c{}=,#'
    assert (told[0]["dirty"], told[0]["commit"]) == ("false", "c" * 40)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_label_steers_a_terminal_or_a_ci_system(text: str) -> None:
    made = report(passed())
    shown = metrics.render(replace(made, record=replace(made.record, branch=text)))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e\ud800-\udfff]|##(\[|vso)", shown)
    assert not re.search(r"(?m)^\s*(::|section_)", shown)
    assert len(shown) < 20_000


@given(results(), results("scan"), TEXT)
def test_any_text_makes_metrics_that_both_parsers_read_alike(one: StageResult, other: StageResult, text: str) -> None:
    made = report(one, other)
    assert read(replace(made, record=replace(made.record, branch=text, commit=text)))
