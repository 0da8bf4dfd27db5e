"""The rules of a SARIF file: GitHub reads an alert's title, severity and help from the rule and not from the result.

Nothing in a rule comes from the message of one finding, since the same rule must say the same in every run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.core.finding import Finding, Severity
from pipeline.core.finding_tools import RATED_BY_RULE, SECURITY_TOOLS
from pipeline.core.links import cwe_link, link_of
from pipeline.core.safe_text import cut, for_markdown, markdown_link, visible
from pipeline.reporters.sarif_text import message_text

LEVELS = {
    Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.UNKNOWN: "error",
    Severity.MEDIUM: "warning", Severity.LOW: "note", Severity.INFO: "note",
}  # fmt: skip
"""Unknown is no less than high: what nobody has rated is never read as harmless."""
_SCORES = {Severity.CRITICAL: 9.5, Severity.HIGH: 8.0, Severity.MEDIUM: 5.5, Severity.LOW: 2.0}
"""The middle of GitHub's ranges; a finding that nobody has rated, or that is information only, has no number."""
_RANGES = {
    Severity.CRITICAL: (9.1, 10.0), Severity.HIGH: (7.0, 8.9), Severity.MEDIUM: (4.0, 6.9), Severity.LOW: (0.1, 3.9),
}  # fmt: skip
MOST_TAGS = 10
"""GitHub takes 20 and keeps 10."""
_LONGEST_NAME = 250
# Our own adapters of these put a rule's name in brackets at the end of its message.
_NAMED_AT_THE_END = frozenset({"bandit", "pylint", "ruff"})
_NAMED = re.compile(r"\(([A-Za-z][A-Za-z0-9_-]{1,80})\)\Z")


def rule_id(finding: Finding) -> str:
    """The rule's id in SARIF. Where a tool rates each finding by itself, or may, the severity is a part of it."""
    name = visible(cut(finding.rule, _LONGEST_NAME))
    return name if finding.tool in RATED_BY_RULE else f"{name}-{finding.severity}"


def rendered_rules(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """The descriptors of all rules that the findings of one tool have, by id."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(rule_id(finding), []).append(finding)
    return [_rule(name, groups[name]) for name in sorted(groups)]


def _rule(name: str, findings: Sequence[Finding]) -> dict[str, Any]:
    worst = max(findings, key=lambda finding: finding.severity.rank)
    weaknesses = sorted({number for finding in findings for number in finding.cwe})
    link = next((link for finding in findings if (link := link_of(finding))), "")
    rule: dict[str, Any] = {
        "id": name,
        "shortDescription": {"text": message_text(_title(worst))},
        "fullDescription": {"text": message_text(_description(worst, weaknesses))},
        "help": _help(worst, weaknesses, link),
        "defaultConfiguration": {"level": LEVELS[worst.severity]},
        "properties": _properties(findings, worst, weaknesses),
    }
    if link:
        rule["helpUri"] = link
    return rule


def _title(finding: Finding) -> str:
    named = _NAMED.search(finding.message) if finding.tool in _NAMED_AT_THE_END else None
    rule = cut(finding.rule, _LONGEST_NAME)
    if finding.package:
        return f"{rule} in {cut(finding.package, _LONGEST_NAME)}"
    return f"{rule} ({named[1]})" if named else rule


def _description(finding: Finding, weaknesses: Sequence[int]) -> str:
    known = (
        f", which stands for {', '.join(f'CWE-{number}' for number in weaknesses[:MOST_TAGS])}" if weaknesses else ""
    )
    rule, tool = (cut(text, _LONGEST_NAME) for text in (finding.rule, finding.tool))
    return f"A finding of {tool} by its rule {rule}{known}. It is rated {finding.severity}."


def _help(finding: Finding, weaknesses: Sequence[int], link: str) -> dict[str, str]:
    steps = "Mend it, or let it stay for a while with a waiver: a reason, an owner and a last day in waivers.toml."
    about = f"The documentation of the rule: {link}" if link else "There is no documentation of the rule online."
    pages = [markdown_link("Documentation of the rule", link)] if link else []
    pages += [markdown_link(f"CWE-{number}", cwe_link(number)) for number in weaknesses[:MOST_TAGS]]
    shown = "\n".join([f"**{for_markdown(_title(finding))}**", "", steps, "", *(f"- {page}" for page in pages)])
    return {"text": message_text(f"{steps}\n{about}"), "markdown": shown}


def _properties(findings: Sequence[Finding], worst: Finding, weaknesses: Sequence[int]) -> dict[str, Any]:
    security = worst.tool in SECURITY_TOOLS or bool(weaknesses) or any(finding.package for finding in findings)
    if not security:
        return {"tags": ["quality"], "problem.severity": _problem(worst.severity)}
    tags = ["security", *(f"external/cwe/cwe-{number:03}" for number in weaknesses)]
    properties: dict[str, Any] = {"tags": tags[:MOST_TAGS]}
    if worst.severity in _SCORES:
        properties["security-severity"] = f"{_score(findings, worst.severity):.1f}"
    return properties


def _score(findings: Sequence[Finding], severity: Severity) -> float:
    """The CVSS base score of an advisory, where it is known and in the range that GitHub calls by this severity."""
    least, most = _RANGES[severity]
    known = [finding.cvss for finding in findings if finding.cvss is not None and least <= finding.cvss <= most]
    return max(known, default=_SCORES[severity])


def _problem(severity: Severity) -> str:
    return {"error": "error", "warning": "warning"}.get(LEVELS[severity], "recommendation")
