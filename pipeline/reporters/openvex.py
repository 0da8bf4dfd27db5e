"""``openvex.json``: the waived vulnerabilities as an OpenVEX 0.2.0 document, for scanners that read one.

A waiver is a decision and no proof, so its product stays ``affected``, with the reason as the action statement, unless
its owner claims with a ``justification`` that it is not. Specification: https://github.com/openvex/spec.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipeline.core.component import ComponentKind, package_url
from pipeline.core.finding import Finding
from pipeline.core.package_names import canonical_name
from pipeline.core.run_record import Report
from pipeline.core.safe_text import json_document
from pipeline.core.waiver_standing import Standing

CONTEXT = "https://openvex.dev/ns/v0.2.0"
# The specification's shared namespace, for those who have none of their own.
_NAMESPACE = "https://openvex.dev/docs/public/vex-"


def render(report: Report) -> str:
    """The document, or nothing when no vulnerability is waived: one without a statement would not be valid.

    Its ``@id`` is made from what it says, so that equal documents have equal names.
    """
    statements: dict[tuple[str, str], dict[str, Any]] = {}
    for result in report.results:
        for finding in result.findings:
            # Of an image's packages some are Debian's, and not all that is found of one is a vulnerability.
            if finding.tool == "image check":
                continue
            standing = report.waived_by(finding) if finding.package.strip() and finding.version.strip() else None
            if standing is not None:
                # Two locks may pin the same release.
                statements.setdefault((finding.rule, purl(finding)), _statement(finding, standing))
    if not statements:
        return ""
    document = {
        "@context": CONTEXT,
        "author": str(report.record.policy.get("name") or "The project's owners"),
        "role": "Owners of the project's waivers",
        "timestamp": report.record.started,
        "version": 1,
        "statements": [statements[key] for key in sorted(statements)],
    }
    name = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    return json_document(json.dumps({**document, "@id": f"{_NAMESPACE}{name}"}, indent=2, sort_keys=True) + "\n")


def purl(finding: Finding) -> str:
    """The package URL of what the finding is about: the one that the bills of materials give it."""
    return package_url(ComponentKind.PYTHON, canonical_name(finding.package), finding.version)


def _statement(finding: Finding, standing: Standing) -> dict[str, Any]:
    waiver = standing.waiver
    product = purl(finding)
    fix = f" A fix is in {finding.fix}." if finding.fix else ""
    vulnerability: dict[str, Any] = {"name": finding.rule}
    aliases = sorted({name for name in finding.aliases if name and name != finding.rule})
    if aliases:
        vulnerability["aliases"] = aliases
    statement: dict[str, Any] = {
        "vulnerability": vulnerability,
        "products": [{"@id": product, "identifiers": {"purl": product}}],
        "timestamp": f"{waiver.created.isoformat()}T00:00:00Z",
        "status_notes": f"Decided by {waiver.owner}, until {waiver.expires}.{fix}",
    }
    if waiver.justification:
        claimed = {"justification": waiver.justification, "impact_statement": waiver.reason}
        return {**statement, "status": "not_affected", **claimed}
    return {**statement, "status": "affected", "action_statement": waiver.reason}
