"""``pipeline.json`` and the stages' ``result.json``: schema ``pipeline.report/v1``, which grows by addition only."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any

import msgspec

from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding
from pipeline.core.run_record import Report
from pipeline.core.stage import Metric, StageResult, Status

SCHEMA = "pipeline.report/v1"
STAGE_SCHEMA = "pipeline.stage/v1"


def render(report: Report) -> str:
    """The merged report."""
    record = report.record
    document = {
        "schema": SCHEMA,
        "verdict": str(report.verdict),
        "required": list(record.required),
        "snapshot": record.snapshot,
        "commit": record.commit,
        "branch": record.branch,
        "dirty": record.dirty,
        "started": record.started,
        "finished": report.finished,
        "actor": record.actor,
        "python": record.python,
        "platform": record.platform,
        "run": record.run_id,
        "policy": {"digest": record.policy_digest, "effective": dict(record.policy)},
        "stages": [_stage(result) for result in report.results],
        "findings": [{"stage": result.name, **_finding(f)} for result in report.results for f in result.findings],
        "waivers": [],
        "suppressions": [{"stage": r.name, **_plain(item)} for r in report.results for item in r.suppressions],
        "not_checked": [{"stage": r.name, **_plain(item)} for r in report.results for item in r.not_checked],
    }
    return _text(document)


def render_stage(result: StageResult) -> str:
    """One stage's ``result.json``: as in the merged report, with its own findings and lists under ``details``."""
    document = {
        "schema": STAGE_SCHEMA,
        **_stage(result),
        "snapshot": result.snapshot,
        "policy": result.policy,
        "details": {
            "findings": [_finding(finding) for finding in result.findings],
            "suppressions": [_plain(item) for item in result.suppressions],
            "not_checked": [_plain(item) for item in result.not_checked],
            "expected": sorted(result.evidence.expected) if result.evidence else [],
            "checked": sorted(result.evidence.checked) if result.evidence else [],
        },
    }
    return _text(document)


def parse_stage(text: str) -> StageResult | None:
    """Read a ``result.json`` back; none when it is not one (of this version)."""
    try:
        document = json.loads(text)
        if document.get("schema") != STAGE_SCHEMA:
            return None
        details = document.pop("details")
        shown = document["evidence"]
        if shown is not None:
            document["evidence"] = {
                "unit": shown["unit"],
                "expected": details["expected"],
                "checked": details["checked"],
                "controls": shown["control"]["samples"] if shown["control"] else [],
            }
        document.update({name: details[name] for name in ("findings", "suppressions", "not_checked")})
        known = {item.name for item in fields(StageResult)}
        result = msgspec.convert({k: v for k, v in document.items() if k in known}, StageResult)
        return result if _is_carried(result) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Somebody else's file, or a damaged one, in our place: no result, and a missing result is never green.
        return None


def _is_carried(result: StageResult) -> bool:
    """Whether a green that was read is one that the same file's evidence and gates carry."""
    if result.status is not Status.PASS:
        return True
    return result.evidence is not None and not result.evidence.doubts and all(gate.passed for gate in result.gates)


def _stage(result: StageResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "status": str(result.status),
        "reasons": list(result.reasons),
        "gates": [_plain(gate) for gate in result.gates],
        "tools": [_plain(tool) for tool in result.tools],
        "evidence": _evidence(result.evidence),
        "metrics": {name: _number(value) for name, value in result.metrics.items()},
        "findings": result.counts(),
        "artifacts": [_plain(artifact) for artifact in result.artifacts],
        "started": result.started,
        "duration_s": round(result.duration_s, 3),
        "cached": result.cached,
        "command": result.command,
    }


def _number(value: Metric) -> Metric:
    """JSON has no infinity and no "not a number"; they are shown as text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _evidence(evidence: Evidence | None) -> dict[str, Any] | None:
    if evidence is None:
        return None
    controls = [_plain(control) for control in evidence.controls]
    return {
        "unit": evidence.unit,
        "expected": len(evidence.expected),
        "checked": len(evidence.expected & evidence.checked),
        "missing": list(evidence.missing),
        "control": {"caught": all(c.caught for c in evidence.controls), "samples": controls} if controls else None,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return _plain(finding)


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain


def _text(document: dict[str, Any]) -> str:
    # Escaped to ASCII: lone surrogates from file names stay valid JSON, and no terminal is told anything by a report.
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
