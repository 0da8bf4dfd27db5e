"""JUnit XML that every reader takes, with the statuses that DESIGN.md maps and whatever text the target holds."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from lxml import etree

from pipeline.core.finding import Finding, Severity, State
from pipeline.core.gate import Gate
from pipeline.core.stage import StageResult, Status, not_run
from pipeline.reporters import junit
from tests.samples import HOSTILE, passed, report, results

SCHEMA = Path(os.environ.get("SHARED_SCHEMAS", Path(__file__).parents[4] / "shared" / "schemas")) / "junit-10.xsd"
ROOT_COUNTS = ("tests", "failures", "errors")
TAGS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def _stdlib(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # nosec B314 - our own document, parsed as many readers parse it


def _parsed(*stages: StageResult, required: tuple[str, ...] = ("lint",)) -> ElementTree.Element:
    return _stdlib(junit.render(report(*stages, required=required)))


def _outcome(stage: StageResult, *, required: bool) -> list[tuple[str, str | None, str | None]]:
    root = _parsed(stage, required=(stage.name,) if required else ("other",))
    case = next(case for case in root.iter("testcase") if case.get("name") == "stage")
    return [(child.tag, child.get("message"), child.text) for child in case]


def _finding(message: str = "bad", state: State = State.NEW, counted: bool = True, finding_id: str = "1") -> Finding:
    return Finding(
        rule="E1",
        tool="ruff",
        severity=Severity.HIGH,
        message=message,
        path="a.py",
        line=3,
        state=state,
        counted=counted,
        id=finding_id,
    )


@pytest.mark.parametrize(
    ("status", "required", "tag"),
    [
        (Status.FAIL, True, "failure"),
        (Status.FAIL, False, "failure"),
        (Status.INCONCLUSIVE, True, "error"),
        (Status.INCONCLUSIVE, False, "error"),
        (Status.NOT_RUN, True, "error"),
        (Status.NOT_RUN, False, "skipped"),
    ],
)
def test_each_status_becomes_what_the_contract_says(status: Status, required: bool, tag: str) -> None:
    stage = StageResult(name="lint", status=status, reasons=("First.", "Second."))
    assert _outcome(stage, required=required) == [(tag, "First.", "First.\nSecond.")]


def test_a_pass_has_nothing_below_it() -> None:
    assert not _outcome(passed(), required=True)


def test_gates_and_findings_are_cases_of_their_own() -> None:
    missed = Gate(what="score", allowed="10", found="9", passed=False)
    findings = (_finding(), _finding(state=State.WAIVED), _finding(counted=False))
    stage = replace(passed(), status=Status.FAIL, gates=(*passed().gates, missed), findings=findings)
    suite = _parsed(stage)[0]
    shown = [(case.get("name"), case.get("file"), case.get("line"), [child.tag for child in case]) for case in suite]
    assert shown == [
        ("stage", None, None, ["failure"]),
        ("gate: lint findings of severity medium or worse", None, None, []),
        ("gate: score", None, None, ["failure"]),
        ("ruff E1 1", "a.py", "3", ["failure"]),
        ("ruff E1 1 #2", "a.py", "3", ["skipped"]),
        ("ruff E1 1 #3", "a.py", "3", ["system-out"]),
    ]
    assert {case.get("classname") for case in suite} == {"pipeline.lint"}
    assert (suite.get("time"), suite.get("timestamp")) == ("1.500", "2026-01-01T00:00:00")
    assert [suite.get(name) for name in (*ROOT_COUNTS, "skipped")] == ["6", "3", "0", "1"]


@settings(max_examples=50)
@given(results(), results(name="scan"))
def test_any_text_makes_well_formed_xml_with_true_counts_and_unique_names(one: StageResult, other: StageResult) -> None:
    text = junit.render(report(one, other))
    root = _stdlib(text)
    assert etree.fromstring(text.encode()).tag == root.tag == "testsuites"
    for suite in root:
        cases = suite.findall("testcase")
        names = [case.get("name") for case in cases]
        assert len(set(names)) == len(names)
        assert suite.get("tests") == str(len(cases))
        for attribute, tag in TAGS.items():
            assert suite.get(attribute) == str(sum(case.find(tag) is not None for case in cases))
    for name in ROOT_COUNTS:
        assert root.get(name) == str(sum(int(suite.get(name, "")) for suite in root))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_changes_no_structure(text: str) -> None:
    tame, planted = (replace(passed(), findings=(_finding(message=m),), reasons=(m,)) for m in ("tame", text))
    tags = [[element.tag for element in _parsed(stage).iter()] for stage in (tame, planted)]
    assert tags[0] == tags[1]


def test_names_that_only_look_alike_stay_apart() -> None:
    same = [_finding(finding_id=name) for name in ("a", "a", "a #2", "\x00", "\\x00", "x" * 2000, "x" * 2001)]
    suite = _parsed(replace(passed(), findings=tuple(same)))[0]
    names = [case.get("name") for case in suite]
    assert len(set(names)) == len(names) == 9


def test_text_of_megabytes_is_cut_so_that_parsers_take_it() -> None:
    huge = "y" * 30_000_000
    stage = replace(passed(), status=Status.FAIL, reasons=(huge,), findings=(_finding(message=huge),))
    text = junit.render(report(stage))
    assert len(text) < 200_000
    assert etree.fromstring(text.encode()) is not None


def test_what_xml_forbids_is_shown() -> None:
    assert junit.clean("a\x00\x1b\ud800\ufffe\x85\rb\tc\n") == "a\\x00\\x1b\\ud800\\ufffe\\x85\\rb\tc\n"
    assert junit.clean("🐍ä") == "🐍ä"
    assert junit.clean("abcdef", 3) == "ab…"


@pytest.mark.parametrize("required", [("lint", "scan"), ()])
def test_it_is_valid_to_the_published_schema(required: tuple[str, ...]) -> None:
    failed = replace(passed(), status=Status.FAIL, findings=(_finding(), _finding(counted=False)))
    doubtful = StageResult(name="scan", status=Status.INCONCLUSIVE, reasons=("No.",))
    text = junit.render(report(failed, doubtful, not_run("test", "Not selected."), required=required))
    document = etree.fromstring(text.encode())
    for case in document.iter("testcase"):
        # GitLab reads these two and Jenkins tolerates them; its schema knows neither.
        case.attrib.pop("file", "")
        case.attrib.pop("line", "")
    if SCHEMA.exists():
        etree.XMLSchema(etree.parse(str(SCHEMA))).assertValid(document)
        return
    # Without the schema at hand: what it demands of a document like ours.
    assert document.tag == "testsuites"
    for suite in document:
        assert set(suite.attrib) >= {"name", "tests", "failures", "errors"}
        for case in suite:
            assert set(case.attrib) == {"name", "classname", "time"}
            assert {child.tag for child in case} <= {"skipped", "error", "failure", "system-out"}
            assert all(set(child.attrib) <= {"message", "type"} for child in case)
