"""``pipeline.json`` and the stages' ``result.json``: schema ``pipeline.report/v1``, which grows by addition only.

The merged report names the digest of every stage's own file and ends with a checksum of itself, so that a change of any
byte can be told (``pipeline verify``). The schema is published beside this file: ``pipeline-report.schema.json``.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from pipeline.core.evidence import Evidence
from pipeline.core.run_record import Report
from pipeline.core.safe_text import json_document
from pipeline.core.stage import StageResult
from pipeline.core.waiver_standing import Standing

SCHEMA = "pipeline.report/v1"
STAGE_SCHEMA = "pipeline.stage/v1"
_AS_ESCAPES = "pipeline.json"
# Of ASCII, and no mark either.
_DELETE = "\x7f"
NO_CHECKSUM = '"checksum": ""\n}\n'
"""The end of a merged report of which the checksum is taken."""


def render(report: Report) -> str:
    """The merged report."""
    record = report.record
    found = {result.name: _findings(result) for result in report.results}
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
        "last_green": _plain(record.last_green) if record.last_green else None,
        "stages": [{**_stage(result), "basis": _basis(result)} for result in report.results],
        "findings": [{"stage": r.name, **finding} for r in report.results for finding in found[r.name]],
        "waivers": [_waiver(standing) for standing in report.waivers],
        "suppressions": [{"stage": r.name, **_plain(item)} for r in report.results for item in r.suppressions],
        "not_checked": [{"stage": r.name, **_plain(item)} for r in report.results for item in r.not_checked],
        "results": {r.name: digest(_stage_text(r, found[r.name])) for r in report.results},
        "checksum": "",
    }
    text = _text(document)
    return text.replace(NO_CHECKSUM, f'"checksum": "{digest(text)}"\n}}\n')


def digest(text: str) -> str:
    """The SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def render_stage(result: StageResult) -> str:
    """One stage's ``result.json``: as in the merged report, with its own findings and lists under ``details``, and what
    the merged report calls ``details`` as ``values`` among them.
    """
    return _stage_text(result, _findings(result))


def _stage_text(result: StageResult, findings: list[dict[str, Any]]) -> str:
    document = {
        "schema": STAGE_SCHEMA,
        **_stage(result),
        "snapshot": result.snapshot,
        "policy": result.policy,
        "details": {
            # Which other stages report the same is not this one's to say, and it stays as it is when they change.
            "findings": [{**finding, "sources": []} for finding in findings],
            "suppressions": [_plain(item) for item in result.suppressions],
            "not_checked": [_plain(item) for item in result.not_checked],
            "expected": sorted(result.evidence.expected) if result.evidence else [],
            "checked": sorted(result.evidence.checked) if result.evidence else [],
            "doubts": list(result.doubts),
            "notes": list(result.notes),
            "values": _finite(result.details),
        },
    }
    return _text(document)


def _basis(result: StageResult) -> dict[str, Any]:
    """What the status rests on by name, so that a report can be made again from the merged one alone."""
    evidence = result.evidence
    return {
        "expected": sorted(evidence.expected) if evidence else [],
        # What of it was checked follows from what is missing.
        "beyond": sorted(evidence.checked - evidence.expected) if evidence else [],
        "doubts": list(result.doubts),
        "notes": list(result.notes),
    }


def _stage(result: StageResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "status": str(result.status),
        "reasons": list(result.reasons),
        "gates": [_plain(gate) for gate in result.gates],
        "tools": [_plain(tool) for tool in result.tools],
        "evidence": _evidence(result.evidence),
        "metrics": _finite(result.metrics),
        "findings": result.counts(),
        "artifacts": [_plain(artifact) for artifact in result.artifacts],
        "started": result.started,
        "duration_s": round(result.duration_s, 3),
        "cached": result.cached,
        "reused": result.reused,
        "command": result.command,
        "retries": list(result.retries),
        "details": _finite(result.details),
        "components": [_plain(component) for component in result.components],
    }


def _finite(value: Any) -> Any:
    """JSON has no infinity and no "not a number"; they are shown as text."""
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
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


def _findings(result: StageResult) -> list[dict[str, Any]]:
    return [_plain(finding) for finding in result.findings]


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain


def _text(document: dict[str, Any]) -> str:
    """Escaped to ASCII: lone surrogates from file names stay valid JSON, and neither a terminal nor a CI system that it
    is printed to is told anything by a report.
    """
    try:
        # Ten times as fast as the standard library, which indents in Python.
        text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    except UnicodeEncodeError:
        # It knows no lone surrogates.
        text = json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False)
    text = text.replace(_DELETE, _escaped(_DELETE))
    if not text.isascii():
        text = text.encode("ascii", _AS_ESCAPES).decode("ascii")
    return json_document(text + "\n")


@lru_cache(maxsize=4096)
def _escaped(text: str) -> str:
    """Kept, since the same letters and words come again and again."""
    return json.dumps(text)[1:-1]


def _in_place(error: UnicodeError) -> tuple[str, int]:
    """What an encoder writes for characters beyond ASCII; one that looks for them itself is faster than any pattern."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return _escaped(error.object[error.start : error.end]), error.end


codecs.register_error(_AS_ESCAPES, _in_place)
