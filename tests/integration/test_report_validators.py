"""JUnit and SARIF held against what others say of them: the published schemas, and Microsoft's validator for GitHub."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree

from pipeline.core.finding import Finding, Severity, State, with_fingerprints
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status, not_run
from pipeline.reporters import FORMATS, junit
from tests.finished_reports import MIXED, finished
from tests.node_tools import npm_tool
from tests.published_schemas import published
from tests.samples import HOSTILE, passed, report, results

# Asking every link whether it answers is no matter of the format, and would need the network.
CONFIGURATION = """<?xml version="1.0" encoding="utf-8"?>
<Properties>
  <Properties Key="SARIF2006.UrisShouldBeReachable.Options"><Property Key="RuleEnabled" Value="Disabled" /></Properties>
</Properties>
"""


@pytest.fixture(name="run_files", scope="module")
def run_files_fixture(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The files that a run left whose stages have every status, with findings of all tools."""
    folder = finished(tmp_path_factory.mktemp("run") / "project", MIXED)
    paths = [path for path in folder.rglob("*") if path.suffix in (".sarif", ".xml")]
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def hostile() -> Report:
    """Findings with hostile text, of every severity and state, and a stage that could not tell."""
    found = [
        Finding(
            rule=text.strip() or "R", tool="bandit", severity=severity, message=text.strip() or "M", path="a b/c:d.py",
            line=number, column=number, snippet=text, cwe=(79,), fix=text, state=list(State)[number % 3], owner=text,
        )
        for number, (text, severity) in enumerate(zip(HOSTILE, list(Severity) * 4, strict=False))
    ]  # fmt: skip
    nowhere = Finding(rule="log-error", tool="container log", severity=Severity.MEDIUM, message="line 1: oh")
    return report(
        replace(passed("scan"), status=Status.FAIL, reasons=HOSTILE, findings=with_fingerprints(found)),
        replace(passed("smoke"), doubts=("It crashed.",), findings=with_fingerprints([nowhere])),
        StageResult(name="lint", status=Status.INCONCLUSIVE, reasons=("It crashed.",)),
        not_run("test", "It was not selected."),
    )


@functools.cache
def xsd() -> etree.XMLSchema:
    """The schema of Jenkins' xUnit plugin."""
    return etree.XMLSchema(etree.parse(str(published("junit-10.xsd"))))


@functools.cache
def sarif_schema() -> Any:
    """A validator of SARIF 2.1.0 that looks at formats (URIs, times) too."""
    schema = json.loads(published("sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
    checker = jsonschema.validators.validator_for(schema)
    return checker(schema, format_checker=checker.FORMAT_CHECKER)


def assert_is_junit(text: str) -> None:
    """It is valid, but for the two attributes that GitLab reads, Jenkins tolerates, and its schema does not know."""
    document = etree.fromstring(text.encode())
    for case in document.iter("testcase"):
        case.attrib.pop("file", "")
        case.attrib.pop("line", "")
    xsd().assertValid(document)


def test_junit_of_a_run_is_valid_to_the_schema_of_jenkins(run_files: Mapping[str, str]) -> None:
    files = [text for path, text in run_files.items() if path.endswith(".xml")]
    assert len(files) == 1 + len(MIXED)
    for text in (*files, *junit.render(hostile()).values()):
        assert_is_junit(text)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(results(), results(name="scan"))
def test_junit_of_any_text_is_valid(one: StageResult, other: StageResult) -> None:
    for text in junit.render(report(one, other)).values():
        assert_is_junit(text)


def test_junit_with_a_planted_fault_is_not_valid() -> None:
    with pytest.raises(etree.DocumentInvalid):
        assert_is_junit(junit.render(report(passed()))[junit.MERGED].replace("<testcase ", "<test-case "))


def test_sarif_of_a_run_is_valid_to_the_official_schema(run_files: Mapping[str, str]) -> None:
    logs = [text for path, text in run_files.items() if path.endswith(".sarif")]
    assert len(logs) == 14
    for text in (*logs, *FORMATS["sarif"].files(hostile()).values()):
        sarif_schema().validate(json.loads(text))


@settings(max_examples=10)
@given(results(), results(name="scan"))
def test_sarif_of_any_text_is_valid(one: StageResult, other: StageResult) -> None:
    for text in FORMATS["sarif"].files(report(one, other)).values():
        sarif_schema().validate(json.loads(text))


def complaints(folder: Path, texts: Sequence[str]) -> list[list[str]]:
    """The errors and warnings that Microsoft's validator has of each text, with the rules of SARIF and of GitHub.

    Called directly: the package's launcher goes through a shell, which cuts the list of rules at its semicolon.
    """
    program = npm_tool("@microsoft/sarif-multitool-linux") / "Sarif.Multitool"
    # What npm fetches may not run by itself, and this is all that the package's script does.
    program.chmod(0o755)
    folder.mkdir()
    (folder / "configuration.xml").write_text(CONFIGURATION, encoding="utf-8")
    files = [folder / f"{number}.sarif" for number, _ in enumerate(texts)]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    output = folder / "output.json"
    command = [
        str(program), "validate", *map(str, files), "--config", str(folder / "configuration.xml"),
        "--rule-kind", "Sarif;Ghas", "--level", "Error;Warning", "--output", str(output),
        "--log", "ForceOverwrite;PrettyPrint",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    scanned = re.search(r"^Done\. (\d+) files scanned\.$", done.stdout, re.M)
    # It ends with 0 for a wrong option too, and says nothing but its help.
    assert scanned is not None and int(scanned[1]) == len(files), done.stdout + done.stderr
    (run,) = json.loads(output.read_text(encoding="utf-8-sig"))["runs"]
    told: list[list[str]] = [[] for _ in files]
    for result in run.get("results", []):
        where = result["locations"][0]["physicalLocation"]["artifactLocation"]
        number = re.search(r"(\d+)\.sarif$", where.get("uri") or run["artifacts"][where["index"]]["location"]["uri"])
        assert number is not None, result
        told[int(number[1])].append(f"{result['ruleId']}: {result['message']}")
    return told


def test_github_s_rules_are_met_by_a_run_and_by_hostile_text(run_files: Mapping[str, str], tmp_path: Path) -> None:
    uploads = [text for path, text in run_files.items() if path.startswith("sarif/")]
    hostile_ones = FORMATS["sarif"].files(hostile())
    whole = [hostile_ones["sarif-all/bandit.sarif"], hostile_ones["sarif/container-log.sarif"]]
    assert not any(complaints(tmp_path / "validated", [*uploads, *whole]))


def changed(change: Callable[[dict[str, Any]], Any]) -> str:
    """A log of one result, changed."""
    found = Finding(rule="B602", tool="bandit", severity=Severity.HIGH, message="Bad.", path="a.py", line=1, column=1)
    made = report(replace(passed("scan"), findings=with_fingerprints([found])))
    log: dict[str, Any] = json.loads(FORMATS["sarif"].files(made)["sarif/bandit.sarif"])
    change(log["runs"][0])
    return json.dumps(log)


def test_the_validator_sees_planted_faults(tmp_path: Path) -> None:
    faults: Mapping[str, Callable[[dict[str, Any]], Any]] = {
        "GH1017": lambda run: run["results"][0].pop("locations"),
        "GH2012": lambda run: run["tool"]["driver"]["rules"][0].pop("help"),
        "SARIF1004": lambda run: location(run)["artifactLocation"].update(uri="/a.py"),
    }
    told = complaints(tmp_path / "validated", [changed(fault) for fault in faults.values()])
    for rule, texts in zip(faults, told, strict=True):
        assert any(text.startswith(f"{rule}:") for text in texts), (rule, texts)


def location(run: dict[str, Any]) -> dict[str, Any]:
    """Where the first result is."""
    place: dict[str, Any] = run["results"][0]["locations"][0]["physicalLocation"]
    return place
