"""``build`` again as far as it goes: the image's configuration is kept, and its packages; its files are not."""

from __future__ import annotations

from typing import Any

from pipeline.core.containers import Image, Layer
from pipeline.core.evidence import Evidence
from pipeline.core.stage import Examination, Metric
from pipeline.core.verification_raw import Rederived
from pipeline.images.contents import ImageContents
from pipeline.rederivation.kept import Kept
from pipeline.stages.image_checks import controls, image_gates

_UNKNOWN = ImageContents(files={}, folders=frozenset(), layer_sizes=())
_OF_FILES = ("files and folders", "set-user-id")


def rederived(kept: Kept) -> Rederived:
    """What the image's configuration and the lists of its packages amount to."""
    described: dict[str, Any] = kept.json("image.json")
    packages: dict[str, Any] = kept.json("packages.json")
    image = _image(described)
    gates = image_gates(image, _UNKNOWN, max_size_mb=kept.settings.build.max_size_mb)
    names = {f"Debian package {p['name']} {p['version']}" for p in packages["debian"]}
    expected = {name for name in kept.evidence.expected if name.startswith("Debian package ")}
    metrics: dict[str, Metric] = {
        "image_id": image.id,
        "size_bytes": image.size_bytes,
        "tag": str(described["tag"]),
        "layers": len(image.diff_ids) or len(image.layers),
        "base_lock": str(packages["base_lock"]),
        "base_packages": len(packages["debian"]),
        "python_packages": len(packages["python"]),
    }
    examined = Examination(
        evidence=Evidence.of(kept.evidence.unit, expected=expected, checked=names, controls=controls()),
        gates=tuple(gate for gate in gates if not gate.what.startswith(_OF_FILES)),
        metrics=metrics,
    )
    return Rederived(
        examination=examined,
        tools=(),
        fields=(),
        metrics=tuple(metrics),
        taken=(
            kept.whole_checkout,
            "What lies in the image besides Debian packages rests on the report's own word: its files are not kept.",
        ),
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
