"""``secrets`` again, from what was kept of the driver's output: everything but the credentials themselves."""

from __future__ import annotations

from typing import Any

from pipeline.core.finding import Finding, Severity
from pipeline.core.stage import Suppression
from pipeline.core.verification_raw import Rederived
from pipeline.rederivation.kept import CONTROLS, Kept
from pipeline.stages import secrets
from pipeline.tools import secret_scanner

_FIELDS = ("rule", "tool", "severity", "path", "line", "snippet", "counted")


def rederived(kept: Kept) -> Rederived:
    """What the scanner's output amounts to."""
    document: dict[str, Any] = kept.json("secrets.json")
    if document["schema"] != secret_scanner.SCHEMA or document["complete"] is not True or not document["detectors"]:
        raise ValueError("secrets.json is not the driver's")
    errors = {record["path"]: record["reason"] for record in document["errors"]}
    output = secret_scanner.Output(
        findings=tuple(_finding(record) for record in document["secrets"]),
        checked=frozenset(record["path"] for record in document["files"]) - errors.keys(),
        allowed=tuple(
            Suppression(kind="allowlist", path=record["path"], line=int(record["line"]), text=record["text"])
            for record in document["allowed"]
        ),
        doubts=secret_scanner.unread(errors),
        detectors=len(document["detectors"]),
    )
    return Rederived(
        examination=secrets.assess(kept.expected, output, kept.controls),
        tools=("detect-secrets",),
        fields=_FIELDS,
        metrics=("files", "detectors"),
        taken=(kept.whole_checkout, CONTROLS),
    )


def _finding(record: dict[str, Any]) -> Finding:
    return Finding(
        rule=record["rule"],
        tool="detect-secrets",
        severity=Severity.HIGH,
        message="This looks like a credential.",
        path=record["path"],
        line=int(record["line"]),
        snippet=record["snippet"],
    )
