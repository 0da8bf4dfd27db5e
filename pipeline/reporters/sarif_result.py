"""One finding as a SARIF result (SARIF 2.1.0, section 3.27), with the location that GitHub demands of every result."""

from __future__ import annotations

from typing import Any

from pipeline.core.finding import Finding, State
from pipeline.core.links import link_of
from pipeline.core.run_record import Report
from pipeline.core.safe_text import cut, visible
from pipeline.reporters.sarif_rule import LEVELS, rule_id
from pipeline.reporters.sarif_text import LONGEST_MESSAGE, message_text, uri

NOWHERE = "pyproject.toml"
"""Where a finding without a file is shown: the settings of the pipeline stand there, so there always is one."""
ROOT = "%SRCROOT%"
_STATES = {State.NEW: "new", State.EXISTING: "unchanged"}
_LONGEST_SNIPPET = 500
_LONGEST_PROPERTY = 300
# GitHub's parser takes the file whole or not at all, and these are numbers that 32 bits hold.
_LARGEST = 2**31 - 2


def rendered_result(finding: Finding, report: Report) -> dict[str, Any]:
    """The result; a waived one with its suppression, and every one with its state towards the last comparison."""
    result: dict[str, Any] = {
        "ruleId": rule_id(finding),
        "level": LEVELS[finding.severity],
        "message": {"text": message_text(_said(finding))},
        "locations": [{"physicalLocation": _location(finding)}],
        "baselineState": _STATES.get(finding.state, "unchanged"),
        "properties": _properties(finding),
    }
    if finding.id:
        result["partialFingerprints"] = {"primaryLocationLineHash": visible(finding.id)}
    if finding.state is State.WAIVED:
        result["suppressions"] = [_suppression(finding, report)]
    return result


def _said(finding: Finding) -> str:
    text = finding.message.strip(" \t\n")
    ended = text if text.endswith((".", "!", "?", "…")) else f"{text}."
    place = "" if finding.path else " It has no file of its own."
    if not finding.fix or finding.fix == f"See {link_of(finding)}":
        # Where the rule is explained stands with the rule.
        return f"{ended}{place}"
    fix = f"Fixed in {finding.fix}" if finding.package else finding.fix
    return f"{ended}{place} {fix}" if fix.endswith(".") else f"{ended}{place} {fix}."


def _location(finding: Finding) -> dict[str, Any]:
    line = min(max(finding.line, 1), _LARGEST)
    text = _line_text(finding)
    column = min(max(finding.column, 1), _LARGEST - 1)
    region: dict[str, Any] = {
        "startLine": line,
        "startColumn": column,
        "endLine": line,
        # Behind the last character (3.30.8); the tools say where a finding begins and seldom where it ends.
        "endColumn": max(column, min(len(text), _LARGEST - 1)) + 1,
    }
    if text.strip():
        region["snippet"] = {"text": visible(cut(text, _LONGEST_SNIPPET), keep="\n\t")}
    path = finding.path or NOWHERE
    return {"artifactLocation": {"uri": uri(path), "uriBaseId": ROOT}, "region": region}


def _line_text(finding: Finding) -> str:
    """The source line that the finding points at, without its end."""
    index = finding.line - finding.context_start
    if finding.path and finding.line and finding.context and 0 <= index < len(finding.context):
        return finding.context[index]
    return finding.snippet.split("\n", 1)[0] if finding.path else ""


def _properties(finding: Finding) -> dict[str, Any]:
    told: dict[str, Any] = {
        "severity": str(finding.severity),
        "confidence": str(finding.confidence),
        "counted": finding.counted,
        "package": finding.package,
        "version": finding.version,
        "owner": finding.owner,
        "exploited": finding.exploited,
        "cvss": finding.cvss,
        "epss": finding.epss,
        "aliases": [visible(cut(alias, _LONGEST_PROPERTY)) for alias in finding.aliases if alias],
        "sources": [visible(cut(source, _LONGEST_PROPERTY)) for source in finding.sources if source],
    }
    shown = {k: visible(cut(v, _LONGEST_PROPERTY)) if isinstance(v, str) else v for k, v in told.items()}
    return {name: value for name, value in shown.items() if value not in ("", [], None)}


def _suppression(finding: Finding, report: Report) -> dict[str, Any]:
    standing = report.waived_by(finding)
    if standing is None:
        return {"kind": "external", "status": "accepted"}
    waiver = standing.waiver
    reason = visible(cut(waiver.reason, LONGEST_MESSAGE), keep="\n\t")
    return {
        "kind": "external",
        "status": "accepted",
        "justification": f"{reason} ({visible(cut(waiver.owner, _LONGEST_PROPERTY))}, until {waiver.expires})",
    }
