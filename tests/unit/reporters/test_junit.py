"""JUnit XML that every reader takes, with the statuses that DESIGN.md maps and whatever text the target holds."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from lxml import etree

from pipeline.core.finding import Finding, Severity, State
from pipeline.core.gate import Gate
from pipeline.core.stage import StageResult, Status, not_run
from pipeline.reporters import junit
from tests.samples import HOSTILE, passed, report, results

ROOT_COUNTS = ("tests", "failures", "errors")
TAGS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def _stdlib(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # nosec B314 - our own document, parsed as many readers parse it


def _parsed(*stages: StageResult, required: tuple[str, ...] = ("lint",)) -> ElementTree.Element:
    return _stdlib(junit.render(report(*stages, required=required))[junit.MERGED])


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
    files = junit.render(report(one, other))
    assert list(files) == [junit.MERGED, "junit/lint.xml", "junit/scan.xml"]
    for text in files.values():
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
    for text in junit.render(report(stage)).values():
        assert len(text) < 200_000
        assert etree.fromstring(text.encode()) is not None


def test_what_xml_forbids_is_shown() -> None:
    stage = replace(passed(), findings=(_finding(message="a\x00\x1b\ud800\ufffe\x85\rb\tc🐍ä"),))
    (failure,) = _parsed(stage).iter("failure")
    assert failure.text == "high: a\\x00\\x1b\\ud800\\ufffe\\x85\\rb\tc🐍ä\na.py:3"


def test_a_stage_has_a_file_of_its_own_with_the_same_suite() -> None:
    failed = replace(passed(), status=Status.FAIL, findings=(_finding(), _finding(counted=False)))
    files = junit.render(report(failed, not_run("scan", "Not selected."), passed("test")))
    merged = _stdlib(files.pop(junit.MERGED))
    assert list(files) == ["junit/lint.xml", "junit/scan.xml", "junit/test.xml"]
    for suite, text in zip(merged, files.values(), strict=True):
        (alone,) = _stdlib(text)
        assert ElementTree.tostring(alone) == ElementTree.tostring(suite)


def test_names_are_the_same_in_the_next_run_however_the_outcome_changes() -> None:
    before = replace(passed(), status=Status.FAIL, gates=(Gate(what="score", allowed="10", found="9", passed=False),))
    after = replace(passed(), gates=(Gate(what="score", allowed="10", found="10", passed=True),), duration_s=9.0)
    found = replace(before, findings=(_finding(),))
    moved = replace(before, findings=(replace(_finding(), line=99, severity=Severity.LOW),))
    names = [[case.get("name") for case in _parsed(stage)[0]] for stage in (before, after, found, moved)]
    assert names[0] == names[1] and names[2] == names[3]


def test_of_very_many_findings_those_that_count_have_cases_and_the_rest_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(junit, "MOST_FINDINGS", 10)
    quiet = tuple(_finding(finding_id=f"q{number}", counted=False) for number in range(20))
    loud = tuple(_finding(finding_id=f"l{number}") for number in range(4))
    few = tuple(_finding(finding_id=f"f{number}") for number in range(3))
    files = junit.render(report(replace(passed(), findings=(*quiet, *loud)), replace(passed("scan"), findings=few)))
    lint, scan = _stdlib(files[junit.MERGED])
    assert (lint.get("tests"), lint.get("failures")) == (str(2 + 7 + 1), "4")
    assert (scan.get("tests"), scan.get("failures")) == (str(2 + 3), "3")
    assert lint[-1].get("name") == "further findings"
    assert lint[-1][0].text == "17 more findings are in pipeline.json."
    (alone,) = _stdlib(files["junit/lint.xml"])
    assert (alone.get("tests"), alone.get("failures")) == (str(2 + 10 + 1), "4")


def test_findings_that_count_and_have_no_case_are_a_failure_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(junit, "MOST_FINDINGS", 1)
    stage = replace(passed(), findings=tuple(_finding(finding_id=str(number)) for number in range(3)))
    *_, last = _parsed(stage)[0]
    assert [(child.tag, child.text) for child in last] == [
        ("failure", "2 more findings are in pipeline.json. 2 of them count.")
    ]


def test_ten_thousand_findings_stay_within_what_gitlab_reads() -> None:
    long = "m" * 5000
    findings = tuple(_finding(message=long, finding_id=f"{number:032x}") for number in range(12_000))
    for text in junit.render(report(replace(passed(), findings=findings))).values():
        assert len(text.encode()) < 30_000_000
        root = _stdlib(text)
        assert len(list(root.iter("testcase"))) == junit.MOST_FINDINGS + 3
        objects = sum(1 + len(element.attrib) + bool(element.text) for element in root.iter())
        assert objects < 250_000


def test_a_start_that_is_no_time_is_left_out() -> None:
    stage = replace(passed(), started="::error::now")
    assert _parsed(stage)[0].get("timestamp") is None
