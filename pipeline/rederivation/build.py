"""``build`` again as far as it goes: the image's configuration is kept, its packages, and what the checks found; its
files are not.
"""

from __future__ import annotations

from typing import Any

from pipeline.core.containers import Image, Layer
from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding, Severity, weighed
from pipeline.core.image_configuration_rules import configuration_hits
from pipeline.core.image_rules import RULES
from pipeline.core.stage import Examination, Metric
from pipeline.core.verification_raw import Rederived
from pipeline.rederivation.kept import Kept
from pipeline.stages.image_checks import controls
from pipeline.stages.image_judgement import KEPT, SCHEMA, gates, image_gates
from pipeline.stages.image_size import Sizes, size_gates

_FIELDS = ("rule", "tool", "severity", "message", "path", "line", "package", "version", "counted")
_CHECKS = ("check ", "layer ", "expectation ", "advisories for ")


def rederived(kept: Kept) -> Rederived:
    """What the image's configuration and the lists of its packages amount to."""
    described: dict[str, Any] = kept.json("image.json")
    packages: dict[str, Any] = kept.json("packages.json")
    image = _image(described)
    checks: dict[str, Any] = kept.json(KEPT)
    if checks["schema"] != SCHEMA:
        raise ValueError(f"{KEPT} is not the image checks'")
    findings = _findings(checks, image, kept)
    names = {f"Debian package {p['name']} {p['version']}" for p in packages["debian"]} | set(checks["checked"])
    expected = {name for name in kept.evidence.expected if name.startswith(("Debian package ", *_CHECKS))}
    metrics: dict[str, Metric] = {
        "image_id": image.id,
        "size_bytes": image.size_bytes,
        "compressed_bytes": int(described["compressed_bytes"]),
        "tag": str(described["tag"]),
        "layers": len(image.diff_ids) or len(image.layers),
        "base_lock": str(packages["base_lock"]),
        "base_packages": len(packages["debian"]),
        "python_packages": len(packages["python"]),
    }
    examined = Examination(
        evidence=Evidence.of(kept.evidence.unit, expected=expected, checked=names, controls=controls()),
        gates=(
            *gates(kept.settings.build, findings),
            *image_gates(image, max_size_mb=kept.settings.build.max_size_mb),
            *size_gates(_sizes(described, image), kept.settings),
        ),
        findings=findings,
        metrics=metrics,
        doubts=tuple(checks["doubts"]),
    )
    return Rederived(
        examination=examined,
        tools=("image check",),
        fields=_FIELDS,
        metrics=tuple(metrics),
        taken=(
            kept.whole_checkout,
            "What lies in the image besides Debian packages rests on the report's own word: its files are not kept.",
        ),
    )


def _findings(checks: dict[str, Any], image: Image, kept: Kept) -> tuple[Finding, ...]:
    """What the checks kept; and of the configuration, which is kept by itself, what it must have been besides."""
    told = [
        Finding(
            rule=item["rule"],
            tool="image check",
            severity=Severity(item["severity"]),
            message=item["message"],
            path=item["path"],
            line=item["line"],
            snippet=item["snippet"],
            package=item["package"],
            version=item["version"],
        )
        for item in checks["findings"]
    ]
    known = {(finding.rule, finding.message) for finding in told}
    hidden = [
        Finding(rule=hit.rule, tool="image check", severity=RULES[hit.rule].severity, message=hit.message)
        for hit in configuration_hits(image.user, image.configuration)
        if (hit.rule, hit.message) not in known
    ]
    return weighed([*told, *hidden], fail_on=kept.settings.build.fail_on)


def _sizes(described: dict[str, Any], image: Image) -> Sizes:
    before = described["released_bytes"]
    return Sizes(
        plain=image.size_bytes,
        compressed=int(described["compressed_bytes"]),
        before=int(before) if before is not None else None,
    )


def _image(described: dict[str, Any]) -> Image:
    return Image(
        id=str(described["id"]),
        size_bytes=int(described["size_bytes"]),
        layers=tuple(
            Layer(created_by=str(layer["created_by"]), size_bytes=int(layer["size_bytes"]))
            for layer in described["layers"]
        ),
        user=str(described["user"]),
        labels={},
        architecture=str(described["architecture"]),
        configuration=dict(described["configuration"]),
        diff_ids=tuple(map(str, described["diff_ids"])),
    )
