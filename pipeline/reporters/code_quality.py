"""``gl-code-quality-report.json``: the findings as GitLab reads them, in a merge request and beside the changed lines.

A finding that was there before stays in it, since GitLab compares the report with the target branch's; a waived one
does not. Format: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import msgspec

from pipeline.core.finding import Finding, Severity, State
from pipeline.core.run_record import Report
from pipeline.core.safe_text import cut, json_document, visible

PLACE = "gl-code-quality-report.json"
NOWHERE = "pyproject.toml"
"""Where a finding without a file is shown, as GitLab leaves out what has no place."""
# GitLab knows no "unknown"; what nobody has rated is never called harmless.
SEVERITIES = {
    Severity.CRITICAL: "blocker", Severity.HIGH: "critical", Severity.UNKNOWN: "critical",
    Severity.MEDIUM: "major", Severity.LOW: "minor", Severity.INFO: "info",
}  # fmt: skip
_LONGEST = 1000
_LONGEST_NAME = 250


def render(report: Report) -> str:
    """The report, worst first; an empty list where nothing was found, by which GitLab sees what is resolved."""
    findings = [f for result in report.results for f in result.findings if f.state is not State.WAIVED]
    findings.sort(key=lambda finding: -finding.severity.rank)
    seen: Counter[str] = Counter()
    issues = [_issue(finding, seen) for finding in findings]
    return json_document(msgspec.json.format(msgspec.json.encode(issues), indent=1).decode()) + "\n"


def _issue(finding: Finding, seen: Counter[str]) -> dict[str, Any]:
    rule = f"{finding.tool} {finding.rule}"
    lines = {"begin": max(finding.line, 1)} if finding.path else {"begin": 1}
    return {
        "description": visible(cut(f"{finding.message} [{rule}]", _LONGEST)),
        "check_name": visible(cut(rule, _LONGEST_NAME)),
        "fingerprint": _fingerprint(finding, seen),
        "severity": SEVERITIES[finding.severity],
        "location": {"path": visible(finding.path) or NOWHERE, "lines": lines},
    }


def _fingerprint(finding: Finding, seen: Counter[str]) -> str:
    """The finding's own; a second one of the same gets another, because GitLab would drop it."""
    basis = finding.id or "\0".join((finding.tool, finding.rule, finding.path, finding.message))
    seen[basis] += 1
    if finding.id and seen[basis] == 1:
        return visible(finding.id)
    return hashlib.sha256(f"{basis}\0{seen[basis]}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
