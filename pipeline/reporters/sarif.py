"""``sarif/<tool>.sarif`` for an upload to GitHub, and ``sarif-all/<tool>.sarif`` with everything: SARIF 2.1.0.

The upload holds what is open: neither waived findings nor those that were there before, since GitHub ignores
suppressions. It keeps GitHub's limits and says in the file what was left out for them. A tool that has found nothing
has a file too, by which GitHub closes its alerts; one of which no stage has run has none, so that they stay. Where a
stage could not tell, the execution was not successful: GitHub refuses such a file, and the tool's alerts stay too.
Specification: https://docs.oasis-open.org/sarif/sarif/v2.1.0/. What GitHub asks for and its limits:
https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support-for-code-scanning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from string import digits
from typing import Any
from urllib.parse import quote

import msgspec

from pipeline.core.finding import Finding, State
from pipeline.core.finding_tools import FINDING_TOOLS
from pipeline.core.run_record import Report
from pipeline.core.safe_text import cut, json_document, visible
from pipeline.core.stage import StageResult, Status
from pipeline.reporters.file_names import file_names
from pipeline.reporters.sarif_result import ROOT, rendered_result
from pipeline.reporters.sarif_rule import rendered_rules
from pipeline.reporters.sarif_text import message_text

UPLOAD, WHOLE = "sarif/<tool>.sarif", "sarif-all/<tool>.sarif"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 5000
"""GitHub takes 25,000 results a run and keeps 5,000 of them; here the worst are chosen, and the rest is told."""
MOST_FILES = 20
"""GitHub takes 20 runs in an upload, and its action joins the files of a folder."""
_LONGEST_TITLE = 200
_MOST_WORDS = 3
_KNOWN = frozenset(tool for tools in FINDING_TOOLS.values() for tool in tools)
_OWN = "https://pypi.org/project/proven-pipeline/"
_HOMES: Mapping[str, str] = {
    "bandit": "https://bandit.readthedocs.io/",
    "container log": _OWN,
    "detect-secrets": "https://github.com/Yelp/detect-secrets",
    "image check": _OWN,
    "pip-audit": "https://github.com/pypa/pip-audit",
    "pipeline": _OWN,
    "pylint": "https://pylint.readthedocs.io/",
    "pytest": "https://docs.pytest.org/",
    "ruff": "https://docs.astral.sh/ruff/",
    "schemathesis": "https://schemathesis.readthedocs.io/",
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """A finding and its result, as JSON already: it stands in two files."""

    finding: Finding
    result: msgspec.Raw


def render(report: Report) -> dict[str, str]:
    """Both folders' files, by path."""
    stages = _stages_of_tools(report)
    names = file_names(stages)
    # What comes last where there are too many are the tools of a project's own stages.
    uploaded = sorted(stages, key=lambda tool: (tool not in _KNOWN, tool))[:MOST_FILES]
    files: dict[str, str] = {}
    for tool, results in stages.items():
        # The same finding comes first in every run: sorted by how bad it is, and else as the stages have sorted it.
        findings = sorted((f for r in results for f in r.findings if f.tool == tool), key=lambda f: -f.severity.rank)
        shown = [_Shown(f, msgspec.Raw(msgspec.json.encode(rendered_result(f, report)))) for f in findings]
        whole = WHOLE.replace("<tool>", names[tool])
        driver = _driver(tool, results, report)
        files[whole] = _log(driver, results, shown)
        if tool in uploaded:
            files[UPLOAD.replace("<tool>", names[tool])] = _upload(driver, results, shown, whole)
    return files


def _stages_of_tools(report: Report) -> Mapping[str, list[StageResult]]:
    """The stages that run each tool whose findings are reported, for the tools of which at least one has begun.

    One that nobody wanted and that has not run is no part of a tool's work; a required one that has not run is.
    """
    stages: dict[str, list[StageResult]] = {}
    for result in report.results:
        if result.status is Status.NOT_RUN and result.name not in report.record.required:
            continue
        planted = [control.tool for control in result.evidence.controls] if result.evidence else []
        ran = [tool.name for tool in result.tools if tool.name and tool.name in planted]
        for tool in {*FINDING_TOOLS.get(result.name, ()), *ran, *(finding.tool for finding in result.findings)}:
            stages.setdefault(tool, []).append(result)
    begun = {tool for tool, results in stages.items() if any(r.status is not Status.NOT_RUN for r in results)}
    return {tool: stages[tool] for tool in sorted(begun)}


def _upload(driver: Mapping[str, Any], results: Sequence[StageResult], shown: Sequence[_Shown], whole: str) -> str:
    open_ones = [item for item in shown if item.finding.state is State.NEW]
    left_out = len(open_ones) - MOST_RESULTS
    note = f"{left_out} more results are in {whole} alone, because GitHub keeps {MOST_RESULTS}." if left_out > 0 else ""
    return _log(driver, results, open_ones[:MOST_RESULTS], note)


def _driver(tool: str, results: Sequence[StageResult], report: Report) -> dict[str, Any]:
    """The tool. Microsoft's validator wants a version that begins with a number, and a name of three words at most."""
    title = visible(cut(tool, _LONGEST_TITLE))
    told = (item.version for result in results for item in result.tools if item.name == tool)
    own = report.record.generator.rpartition(" ")[2] if _HOMES.get(tool) == _OWN else ""
    version = visible(cut(next(filter(None, told), own), _LONGEST_TITLE)) or "unknown"
    return {
        "name": title if len(title.split()) <= _MOST_WORDS else "-".join(title.split()),
        "version": version if version[0] in digits else f"0 ({version})",
        "informationUri": _HOMES.get(tool) or f"urn:proven-pipeline:tool:{quote(title, safe='')}",
    }


def _log(driver: Mapping[str, Any], results: Sequence[StageResult], shown: Sequence[_Shown], note: str = "") -> str:
    run = {
        "tool": {"driver": {**driver, "rules": rendered_rules(item.finding for item in shown)}},
        # What GitHub calls the category, up to the last slash; behind it would stand the name of the one run.
        "automationDetails": {"id": f"pipeline/{driver['name']}/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
        "invocations": [_invocation(result, note) for result in results],
        "results": [item.result for item in shown],
    }
    log = msgspec.json.encode({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})
    return json_document(msgspec.json.format(log, indent=1).decode()) + "\n"


def _invocation(result: StageResult, note: str) -> dict[str, Any]:
    """A stage's part in the run: not successful where it has not seen all that it should have."""
    evidence = result.evidence
    told = result.status not in (Status.INCONCLUSIVE, Status.NOT_RUN)
    whole = told and evidence is not None and not evidence.doubts and not result.doubts
    invocation: dict[str, Any] = {"executionSuccessful": whole}
    began = _instant(result.started)
    if began is not None:
        invocation["startTimeUtc"] = _utc(began)
        invocation["endTimeUtc"] = _utc(began + timedelta(seconds=result.duration_s))
    if result.command:
        invocation["commandLine"] = visible(cut(result.command, _LONGEST_TITLE))
    reasons = () if whole else (f"The stage {result.name} is {result.status}.", *result.reasons)
    notes = [_notification(text, "error") for text in reasons] + ([_notification(note, "warning")] if note else [])
    if notes:
        invocation["toolExecutionNotifications"] = notes
    return invocation


def _notification(text: str, level: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": message_text(text)}}


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        # Nothing has begun, or it is no time at all: then there is none to tell.
        return None


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
