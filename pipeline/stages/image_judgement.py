"""What the checks of an image amount to: as a value, joined with what else is known of the image, and as it is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.core.component import Component, ComponentKind
from pipeline.core.containers import Image
from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Finding
from pipeline.core.gate import Gate, ceiling_gate, findings_gate
from pipeline.core.stage import Examination, Metric, NotChecked, Tool
from pipeline.settings import Build
from pipeline.stages.context import Context

KEPT = "image-checks.json"
SCHEMA = "pipeline.image-checks/v1"
GATE = "findings in the image"
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the checks amount to: findings, the checks that should and did take place, and the components with the
    digests of their files.
    """

    findings: tuple[Finding, ...] = ()
    expected: frozenset[str] = frozenset()
    checked: frozenset[str] = frozenset()
    controls: tuple[Control, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Tool, ...] = ()
    components: tuple[Component, ...] = ()


def joined(examined: Examination, judged: Judgement, build: Build) -> Examination:
    """The examination of an image with what the checks amount to."""
    evidence = Evidence.of(
        examined.evidence.unit,
        expected=examined.evidence.expected | judged.expected,
        checked=examined.evidence.checked | judged.checked,
        controls=(*examined.evidence.controls, *judged.controls),
    )
    return replace(
        examined,
        evidence=evidence,
        gates=(*gates(build, judged.findings), *examined.gates),
        findings=judged.findings,
        tools=(*examined.tools, *judged.tools),
        metrics={**examined.metrics, **judged.metrics},
        doubts=(*examined.doubts, *judged.doubts),
        notes=(*judged.notes, *examined.notes),
        not_checked=(*examined.not_checked, *judged.not_checked),
        details={**examined.details, **judged.details},
        components=judged.components,
    )


def gates(build: Build, findings: tuple[Finding, ...]) -> tuple[Gate, ...]:
    """The gate that counts the findings."""
    return (findings_gate(findings, what=GATE, fail_on=build.fail_on),)


def image_gates(image: Image, *, max_size_mb: float | None) -> tuple[Gate, ...]:
    """The gate on the uncompressed size, where one is set; ``max_size_mb`` is in 10^6 bytes."""
    if max_size_mb is None:
        return ()
    return (ceiling_gate(image.size_bytes / 1e6, max_size_mb, what="size of the image", unit=" MB", digits=1),)


def keep(context: Context, judged: Judgement) -> None:
    """Keep what was found and what was checked, so that the verdict can be derived again."""
    document = {
        "schema": SCHEMA,
        "checked": sorted(judged.checked),
        "doubts": list(judged.doubts),
        "findings": [
            {
                "rule": f.rule, "severity": str(f.severity), "message": f.message, "path": f.path, "line": f.line,
                "snippet": f.snippet, "package": f.package, "version": f.version,
            }
            for f in judged.findings
        ],
    }  # fmt: skip
    context.keep(KEPT, json.dumps(document, indent=1) + "\n")


def found_notes(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """A sentence with the worst of the findings that count, since a gate tells only their number."""
    counted = [finding.message.rstrip(".") for finding in findings if finding.counted]
    return (f"In the image: {'; '.join(counted[:_MOST_NAMED])}{_more(len(counted))}.",) if counted else ()


def _more(count: int) -> str:
    return f"; and {count - _MOST_NAMED} more" if count > _MOST_NAMED else ""


def licence_note(components: Iterable[Component]) -> str:
    """A sentence on the licences that the packages tell, the most frequent first."""
    packages = [c for c in components if c.kind in (ComponentKind.PYTHON, ComponentKind.DEBIAN)]
    count = Counter(name for c in packages for name in (*c.licences, *c.licence_names))
    silent = sum(not (c.licences or c.licence_names) for c in packages)
    shown = ", ".join(f"{name} ({number})" for name, number in count.most_common(_MOST_NAMED))
    unknown = f", and {silent} tell none" if silent else ""
    return f"The {len(packages)} packages name {len(count)} licences: {shown or 'none'}{unknown}."
