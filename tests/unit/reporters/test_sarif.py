"""SARIF by which GitHub opens the right alerts, keeps them apart and closes them, whatever text the target holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Finding, Severity, State
from pipeline.core.finding_tools import FINDING_TOOLS, RATED_BY_RULE, SECURITY_TOOLS
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status, Tool, not_run
from pipeline.reporters import FORMATS, sarif
from tests.samples import HOSTILE, TEXT, passed, report, results
from tests.waivers import make_finding as make_waived
from tests.waivers import make_waiver, waived_report


def made(**values: Any) -> Finding:
    """A finding of ruff, unless told otherwise."""
    usual = {"rule": "F821", "tool": "ruff", "severity": Severity.HIGH, "message": "Undefined name (undefined-name)"}
    return Finding(
        **{**usual, "path": "a.py", "line": 3, "column": 5, "snippet": "x = absent", "id": "0" * 32, **values}
    )


def stage(name: str, *findings: Finding, **changes: Any) -> StageResult:
    """A stage that ran, with these findings."""
    return replace(passed(name), findings=findings, tools=(), evidence=seen(), **changes)


def seen(*tools: str) -> Evidence:
    """Everything was checked, and each of the tools caught its planted fault."""
    controls = tuple(Control(tool=tool, planted="fault", caught=True) for tool in tools)
    return Evidence.of("files", expected=("a",), checked=("a",), controls=controls)


def runs(shown: Report, folder: str = "sarif") -> dict[str, dict[str, Any]]:
    """The one run of each file in the folder, by the file's name."""
    files = {path: json.loads(text) for path, text in sarif.render(shown).items()}
    return {
        p.split("/")[1].removesuffix(".sarif"): f["runs"][0] for p, f in files.items() if p.startswith(f"{folder}/")
    }


def test_a_tool_is_a_file_a_run_and_a_category() -> None:
    files = sarif.render(report(stage("lint", made(), made(tool="pylint", rule="E0602")), stage("scan")))
    tools = ["bandit", "pipeline", "pylint", "ruff"]
    assert sorted(files) == [*(f"sarif-all/{tool}.sarif" for tool in tools), *(f"sarif/{tool}.sarif" for tool in tools)]
    for path, text in files.items():
        document = json.loads(text)
        (run,) = document["runs"]
        assert (document["version"], document["$schema"]) == ("2.1.0", sarif.SCHEMA)
        assert run["tool"]["driver"]["name"] == path.split("/")[1].removesuffix(".sarif")
        assert run["automationDetails"] == {"id": f"pipeline/{run['tool']['driver']['name']}/"}


def test_a_result_has_what_github_demands() -> None:
    (result,) = runs(report(stage("lint", made())))["ruff"]["results"]
    assert result["ruleId"] == "F821" and result["level"] == "error" and result["baselineState"] == "new"
    assert result["message"] == {"text": "Undefined name (undefined-name)."}
    assert result["partialFingerprints"] == {"primaryLocationLineHash": "0" * 32}
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "a.py", "uriBaseId": "%SRCROOT%"},
                "region": {
                    "startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 11, "snippet": {"text": "x = absent"},
                },
            }
        }
    ]  # fmt: skip


def test_the_end_is_that_of_the_whole_line_where_the_lines_around_are_known() -> None:
    finding = made(snippet="absent", context=("first", "second", "    x = absent", "y"), context_start=1)
    (result,) = runs(report(stage("lint", finding)))["ruff"]["results"]
    region = result["locations"][0]["physicalLocation"]["region"]
    assert (region["endColumn"], region["snippet"]["text"]) == (15, "    x = absent")


@pytest.mark.parametrize(("path", "line"), [("", 0), ("", 7), ("a.py", 0)])
def test_a_finding_without_a_place_is_shown_at_one_that_exists(path: str, line: int) -> None:
    (result,) = runs(report(stage("lint", made(path=path, line=line, column=0))))["ruff"]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == (path or "pyproject.toml")
    assert (place["region"]["startLine"], place["region"]["startColumn"]) == (max(line, 1), 1)
    assert place["region"]["endColumn"] > place["region"]["startColumn"]


def test_severity_stands_on_the_rule() -> None:
    bandit = [made(tool="bandit", rule="B602", severity=severity, cwe=(78,)) for severity in Severity]
    rules = runs(report(stage("scan", *bandit)))["bandit"]["tool"]["driver"]["rules"]
    told = {r["id"]: (r["properties"].get("security-severity"), r["defaultConfiguration"]["level"]) for r in rules}
    assert told == {
        "B602-critical": ("9.5", "error"), "B602-high": ("8.0", "error"), "B602-unknown": (None, "error"),
        "B602-medium": ("5.5", "warning"), "B602-low": ("2.0", "note"), "B602-info": (None, "note"),
    }  # fmt: skip
    assert rules[0]["properties"]["tags"] == ["security", "external/cwe/cwe-078"]


def test_a_rule_has_the_same_id_whatever_else_is_found() -> None:
    one, both = made(tool="bandit", severity=Severity.LOW), made(tool="bandit")
    ids = [
        [r["ruleId"] for r in runs(report(stage("scan", *found)))["bandit"]["results"]]
        for found in ((one,), (one, both))
    ]
    assert ids == [["F821-low"], ["F821-high", "F821-low"]]
    rated_by_rule = runs(report(stage("lint", made(severity=Severity.LOW))))["ruff"]["results"]
    assert [result["ruleId"] for result in rated_by_rule] == ["F821"]


def test_what_is_no_matter_of_security_has_no_number() -> None:
    (rule,) = runs(report(stage("lint", made())))["ruff"]["tool"]["driver"]["rules"]
    assert rule["properties"] == {"tags": ["quality"], "problem.severity": "error"}
    assert rule["shortDescription"] == {"text": "F821 (undefined-name)"}
    assert rule["helpUri"] == "https://docs.astral.sh/ruff/rules/undefined-name/"


@pytest.mark.parametrize(("cvss", "shown"), [(7.5, "7.5"), (None, "8.0"), (9.8, "8.0"), (0.0, "8.0")])
def test_the_score_of_an_advisory_is_shown_where_github_calls_it_the_same(cvss: float | None, shown: str) -> None:
    finding = made(tool="pip-audit", rule="PYSEC-2021-66", package="jinja2", version="2.10", cvss=cvss, fix="2.11.3")
    run = runs(report(stage("audit", finding)))["pip-audit"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["properties"]["security-severity"] == shown
    assert rule["shortDescription"]["text"] == "PYSEC-2021-66 in jinja2"
    assert run["results"][0]["message"]["text"].endswith(" Fixed in 2.11.3.")


def test_no_message_gets_into_a_rule() -> None:
    own = stage("own", made(tool="own", message="Call (me)"))
    (rule,) = runs(report(own))["own"]["tool"]["driver"]["rules"]
    assert rule["shortDescription"] == {"text": "F821"}


@pytest.mark.parametrize(
    ("fix", "said"),
    [
        ("", "Bad (x)."),
        ("Define it", "Bad (x). Define it."),
        ("See https://bandit.readthedocs.io/en/1.9.4/plugins/b602_x.html", "Bad (x)."),
    ],
)
def test_what_helps_is_said_once(fix: str, said: str) -> None:
    finding = made(tool="bandit", rule="B602", message="Bad (x)", fix=fix)
    (result,) = runs(report(stage("scan", finding)))["bandit"]["results"]
    assert result["message"]["text"] == said


def test_tags_stay_within_what_github_keeps() -> None:
    finding = made(tool="bandit", cwe=tuple(range(1, 40)))
    (rule,) = runs(report(stage("scan", finding)))["bandit"]["tool"]["driver"]["rules"]
    assert len(rule["properties"]["tags"]) == 10


def test_what_is_not_open_is_in_the_whole_file_alone() -> None:
    known = make_waived(id="e" * 32, rule="B105", state=State.EXISTING)
    shown = waived_report(make_waiver(), findings=(make_waived(state=State.WAIVED), known, make_waived(rule="B102")))
    assert [r["ruleId"] for r in runs(shown)["bandit"]["results"]] == ["B102-high"]
    assert [r["id"] for r in runs(shown)["bandit"]["tool"]["driver"]["rules"]] == ["B102-high"]
    every = {r["ruleId"]: r for r in runs(shown, "sarif-all")["bandit"]["results"]}
    states = {rule: (r["baselineState"], len(r.get("suppressions", []))) for rule, r in every.items()}
    assert states == {"B101-high": ("unchanged", 1), "B105-high": ("unchanged", 0), "B102-high": ("new", 0)}
    (suppression,) = every["B101-high"]["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert suppression["justification"].startswith("Asserts are how tests speak. (Platform, until ")


def test_a_waiver_that_is_not_known_leaves_a_suppression_without_a_reason() -> None:
    run = runs(report(stage("scan", made(tool="bandit", state=State.WAIVED))), "sarif-all")["bandit"]
    assert run["results"][0]["suppressions"] == [{"kind": "external", "status": "accepted"}]


def test_a_tool_that_found_nothing_closes_its_alerts() -> None:
    run = runs(report(stage("scan")))["bandit"]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])
    assert [invocation["executionSuccessful"] for invocation in run["invocations"]] == [True]


def test_a_tool_of_which_no_stage_has_run_leaves_its_alerts_as_they_are() -> None:
    assert "bandit" not in runs(report(not_run("scan", "It was not selected."), stage("lint")))


@pytest.mark.parametrize(
    "doubtful",
    [
        stage("scan", doubts=("bandit crashed.",), status=Status.INCONCLUSIVE, reasons=("bandit crashed.",)),
        StageResult(name="scan", status=Status.INCONCLUSIVE, reasons=("bandit crashed.",)),
        StageResult(name="scan", status=Status.FAIL, reasons=("bandit crashed.",)),
    ],
)
def test_a_stage_that_could_not_tell_is_no_success(doubtful: StageResult) -> None:
    (invocation,) = runs(report(doubtful))["bandit"]["invocations"]
    assert invocation["executionSuccessful"] is False
    told = [(n["level"], n["message"]["text"]) for n in invocation["toolExecutionNotifications"]]
    assert told == [("error", f"The stage scan is {doubtful.status}."), ("error", "bandit crashed.")]


@pytest.mark.parametrize(("required", "successful"), [(("test", "smoke"), [True, False]), (("test",), [True])])
def test_a_tool_of_two_stages_has_one_run_with_two_invocations(
    required: tuple[str, ...], successful: list[bool]
) -> None:
    failed = made(tool="pytest", rule="test-failure")
    stages = (stage("test", failed), not_run("smoke", "build did not pass."))
    run = runs(report(*stages, required=required))["pytest"]
    assert [invocation["executionSuccessful"] for invocation in run["invocations"]] == successful
    assert len(run["results"]) == 1


def test_the_tools_of_a_project_s_own_stage_are_known_by_their_controls_and_findings() -> None:
    own = replace(
        stage("own"), tools=tuple(Tool(name=n, version="v1.0") for n in ("spdx", "tar")), evidence=seen("spdx")
    )
    shown = runs(report(replace(own, findings=(made(tool="find it all now"),))))
    assert sorted(shown) == ["find-it-all-now", "spdx"]
    drivers = {name: run["tool"]["driver"] for name, run in shown.items()}
    assert (drivers["spdx"]["version"], drivers["spdx"]["informationUri"]) == (
        "0 (v1.0)",
        "urn:proven-pipeline:tool:spdx",
    )
    assert drivers["find-it-all-now"]["name"] == "find-it-all-now"


def test_our_own_findings_are_a_tool_with_our_release() -> None:
    shown = report(stage("lint", made(tool="pipeline", rule="no-rules")))
    named = replace(shown, record=replace(shown.record, generator="proven-pipeline 1.2.3"))
    driver = runs(named)["pipeline"]["tool"]["driver"]
    assert (driver["version"], driver["informationUri"]) == ("1.2.3", "https://pypi.org/project/proven-pipeline/")


def test_the_worst_results_are_uploaded_and_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 2)
    found = [made(rule=f"R{number}", severity=Severity.LOW) for number in range(4)]
    shown = report(stage("lint", *found, made(severity=Severity.CRITICAL)))
    run = runs(shown)["ruff"]
    assert [result["ruleId"] for result in run["results"]] == ["F821", "R0"]
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    text = "3 more results are in sarif-all/ruff.sarif alone, because GitHub keeps 2."
    assert (told["level"], told["message"]["text"]) == ("warning", text)
    whole = runs(shown, "sarif-all")["ruff"]
    assert len(whole["results"]) == 5 and "toolExecutionNotifications" not in whole["invocations"][0]


def test_no_more_files_are_uploaded_than_github_takes_runs() -> None:
    own = stage("own", *(made(tool=f"aaa{number}") for number in range(30)))
    shown = report(stage("lint", made()), own)
    assert len(runs(shown)) == 20 and {"ruff", "pylint", "pipeline"} <= set(runs(shown))
    assert len(runs(shown, "sarif-all")) == 33


def test_the_lists_of_tools_fit_together() -> None:
    known = {tool for tools in FINDING_TOOLS.values() for tool in tools}
    assert known > RATED_BY_RULE and known > SECURITY_TOOLS
    assert known - RATED_BY_RULE == {"bandit"}


def texts(value: Any) -> list[str]:
    """Every text in a JSON value, keys included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for item in pair for text in texts(item)]
    return [text for item in value for text in texts(item)] if isinstance(value, list) else []


@settings(max_examples=40)
@given(results(), results(name="scan"), TEXT)
def test_any_text_makes_a_log_that_is_whole(one: StageResult, other: StageResult, generator: str) -> None:
    shown = report(one, other)
    files = FORMATS["sarif"].files(replace(shown, record=replace(shown.record, generator=generator)))
    found = [f for r in (one, other) for f in r.findings]
    whole = [json.loads(text) for path, text in files.items() if path.startswith("sarif-all/")]
    assert sum(len(log["runs"][0]["results"]) for log in whole) == len(found)
    upload = [json.loads(text) for path, text in files.items() if path.startswith("sarif/")]
    assert sum(len(log["runs"][0]["results"]) for log in upload) == sum(f.state is State.NEW for f in found)
    for log in (*whole, *upload):
        (run,) = log["runs"]
        rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
        assert {result["ruleId"] for result in run["results"]} == rules
        for text in texts(log):
            assert text, "GitHub refuses empty texts"
            assert not any((ord(c) < 32 and c not in "\n\t") or 0xD800 <= ord(c) < 0xE000 for c in text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_no_command_where_the_file_is_printed(text: str) -> None:
    finding = made(message=text, rule=text, tool=text, snippet=text, fix=text, owner=text)
    for shown in sarif.render(report(stage("own", finding, command=text))).values():
        lines = shown.splitlines()
        assert not [line for line in lines if line.lstrip().startswith("::") or "##[" in line or "##vso" in line]
        assert "<script" not in shown and "\x1b" not in shown
