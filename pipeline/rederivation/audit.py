"""``audit`` again, from pip-audit's own JSON files. What an offline advisory snapshot added is not in them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

from pipeline.core.evidence import Control
from pipeline.core.finding import Finding
from pipeline.core.gate import Gate
from pipeline.core.lock import Pin
from pipeline.core.stage import StageResult
from pipeline.core.verification_raw import Rederived
from pipeline.errors import ToolTrouble
from pipeline.rederivation.kept import Kept, ended
from pipeline.stages.audit_assessment import Observed, assess
from pipeline.tools import pip_audit

_OUTPUT = re.compile(r"pip-audit(-\d+)?\.json")
_CONTROL = "pip-audit-control.json"
_PLANTED = re.compile(r"package (?P<name>\S+) (?P<version>[^\s,]+),")
_LOCK_GATE = "lock against its requirements"


def rederived(kept: Kept) -> Rederived:
    """What pip-audit's outputs amount to; of a finding the package, its version and the names of the vulnerability."""
    output = pip_audit.Output(audited=frozenset())
    for name in sorted(name for name in kept.raw if _OUTPUT.fullmatch(name)):
        output |= _parsed(kept, name)
    if "pip-audit.json" not in kept.raw:
        raise ToolTrouble("pip-audit's output is not there.")
    observed = Observed(output=output, controls=_controls(kept))
    pins = tuple(_pin(unit) for unit in kept.expected)
    current = next((gate for gate in kept.result.gates if gate.what == _LOCK_GATE), _no_gate())
    examined = assess(kept.settings.audit, pins, observed, current, datetime.now(UTC))
    findings = tuple(_as_told(finding, kept.result) for finding in examined.findings)
    return Rederived(
        examination=replace(examined, findings=findings),
        tools=("pip-audit",),
        fields=("tool", "rule", "package", "version"),
        metrics=("packages", "vulnerabilities"),
        taken=(
            kept.whole_checkout,
            "How bad a vulnerability is, how old the advisories are, and that the lock is current rest on the report's "
            "own word.",
        ),
    )


def _parsed(kept: Kept, name: str) -> pip_audit.Output:
    text = kept.text(name)
    found = any(dependency.get("vulns") for dependency in json.loads(text)["dependencies"])
    return pip_audit.parse(ended(1 if found else 0), text)


def _controls(kept: Kept) -> tuple[Control, ...]:
    """The planted package, looked for again in the output of its own run."""
    if not any(control.caught for control in kept.controls):
        # Nothing is claimed; the run's output may be missing or damaged, which is why.
        return kept.controls
    found = {report.unit for report in _parsed(kept, _CONTROL).found}
    return tuple(
        replace(control, caught=match is not None and pip_audit.unit(match["name"], match["version"]) in found)
        for control in kept.controls
        for match in [_PLANTED.match(control.planted)]
    )


def _pin(unit: str) -> Pin:
    name, _, version = unit.partition("==")
    return Pin(name=name, version=version, hashes=(), line=1)


def _as_told(finding: Finding, result: StageResult) -> Finding:
    """By the name under which the result tells the same vulnerability: an advisory snapshot may know a better one."""
    names = {finding.rule, *finding.aliases}
    return next(
        (
            replace(finding, rule=told.rule)
            for told in result.findings
            if (told.package, told.version) == (finding.package, finding.version) and names & {told.rule, *told.aliases}
        ),
        finding,
    )


def _no_gate() -> Gate:
    return Gate(what=_LOCK_GATE, allowed="", found="", passed=False)
