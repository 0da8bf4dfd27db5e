"""``pipeline.json`` and the stages' ``result.json``: schema ``pipeline.report/v1``, which grows by addition only.

The merged report names the digest of every stage's own file and ends with a checksum of itself, so that a change of any
byte can be told (``pipeline verify``). The schema is published beside this file: ``pipeline-report.schema.json``.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import fields
from typing import Any

import msgspec

from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding
from pipeline.core.run_record import Report, RunRecord
from pipeline.core.stage import Metric, StageResult, Status
from pipeline.core.waiver_standing import Standing

SCHEMA = "pipeline.report/v1"
STAGE_SCHEMA = "pipeline.stage/v1"
_NO_CHECKSUM = '"checksum": ""\n}\n'
_CHECKSUM = re.compile(r'"checksum": "(?P<value>[0-9a-f]{64})"\n\}\n\Z')


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
        "generator": record.generator,
        "policy": {
            "digest": record.policy_digest,
            "effective": dict(record.policy),
            "against": _plain(record.against) if record.against else None,
            "changes": [_plain(change) for change in record.changes],
            "approval": record.approval,
        },
        "stages": [_stage(result) for result in report.results],
        "findings": [{"stage": result.name, **_finding(f)} for result in report.results for f in result.findings],
        "waivers": [_waiver(standing) for standing in report.waivers],
        "suppressions": [{"stage": r.name, **_plain(item)} for r in report.results for item in r.suppressions],
        "not_checked": [{"stage": r.name, **_plain(item)} for r in report.results for item in r.not_checked],
        "results": {result.name: digest(render_stage(result)) for result in report.results},
        "checksum": "",
    }
    text = _text(document)
    return text.replace(_NO_CHECKSUM, f'"checksum": "{digest(text)}"\n}}\n')


def digest(text: str) -> str:
    """The SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def checksum(text: str) -> tuple[str, str]:
    """The checksum that a merged report holds, and the one of what it says: its text with an empty one in that place.

    Raises:
        ValueError: it does not end with a checksum.
    """
    found = _CHECKSUM.search(text)
    if found is None:
        raise ValueError("it does not end with a checksum of itself")
    return found["value"], digest(text[: found.start()] + _NO_CHECKSUM)


def parse_record(text: str) -> tuple[RunRecord, str]:
    """What a merged report says of its run, and when that was finished.

    Raises:
        ValueError: it is no JSON, no report of this schema, or a value has the wrong type.
    """
    try:
        document = _document(text, SCHEMA)
        known = {item.name for item in fields(RunRecord)}
        values = {name: value for name, value in document.items() if name in known}
        values |= {
            "run_id": document["run"],
            "stages": [stage["name"] for stage in document["stages"]],
            "policy_digest": document["policy"]["digest"],
            "policy": document["policy"]["effective"],
            **{name: value for name, value in document["policy"].items() if name in known},
        }
        return msgspec.convert(values, RunRecord), msgspec.convert(document["finished"], str)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is not whole ({type(error).__name__}: {error})") from error


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
            "doubts": list(result.doubts),
            "notes": list(result.notes),
        },
    }
    return _text(document)


def parse_stage(text: str) -> StageResult | None:
    """Read a ``result.json`` back; none when it is not one of this version, or its evidence carries no such green."""
    try:
        result = read_stage(text)
    except ValueError:
        # Somebody else's file, or a damaged one, in our place: no result, and a missing result is never green.
        return None
    return result if _is_carried(result) else None


def read_stage(text: str) -> StageResult:
    """What a ``result.json`` says, whether or not its status follows from it.

    Raises:
        ValueError: it is no JSON, no result of this schema, or a value has the wrong type.
    """
    try:
        document = _document(text, STAGE_SCHEMA)
        details = document.pop("details")
        shown = document["evidence"]
        if shown is not None:
            document["evidence"] = {
                "unit": shown["unit"],
                "expected": details["expected"],
                "checked": details["checked"],
                "controls": shown["control"]["samples"] if shown["control"] else [],
                "nothing_expected": shown.get("nothing_expected", ""),
            }
        document.update({name: details[name] for name in ("findings", "suppressions", "not_checked")})
        document.update({name: details.get(name, []) for name in ("doubts", "notes")})
        known = {item.name for item in fields(StageResult)}
        return msgspec.convert({k: v for k, v in document.items() if k in known}, StageResult)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is not whole ({type(error).__name__}: {error})") from error


def _document(text: str, schema: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    if document["schema"] != schema:
        raise ValueError(f"its schema is {document['schema']!r} and not {schema!r}")
    return document


def _is_carried(result: StageResult) -> bool:
    """Whether a green that was read is one that the same file's evidence and gates carry."""
    if result.status is not Status.PASS:
        return True
    doubted = result.evidence is None or result.evidence.doubts or result.doubts
    return not doubted and all(gate.passed for gate in result.gates)


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
        "nothing_expected": evidence.nothing_expected,
        "control": {"caught": all(c.caught for c in evidence.controls), "samples": controls} if controls else None,
    }


def _waiver(standing: Standing) -> dict[str, Any]:
    about = {"state": standing.state, "days_left": standing.days_left, "hides": list(standing.hides)}
    return {**_plain(standing.waiver), **about, "note": standing.sentence}


def _finding(finding: Finding) -> dict[str, Any]:
    return _plain(finding)


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain


def _text(document: dict[str, Any]) -> str:
    # Escaped to ASCII: lone surrogates from file names stay valid JSON, and no terminal is told anything by a report.
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
