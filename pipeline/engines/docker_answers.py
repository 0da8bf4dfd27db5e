"""What the Docker engine's answers say, as values: read alike whether the docker SDK asked or a plain request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.core.containers import Image, Layer


def engine_name(about: Mapping[str, Any]) -> str:
    """``docker``, or ``podman`` where that answers in its place."""
    components = about.get("Components") or []
    return "podman" if any("podman" in str(part.get("Name", "")).lower() for part in components) else "docker"


def image_of(answer: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> Image:
    """An image from what inspecting it gives, and from its history, the newest step of which comes first."""
    configuration: dict[str, Any] = answer.get("Config") or {}
    return Image(
        id=str(answer["Id"]),
        size_bytes=int(answer["Size"]),
        layers=tuple(
            Layer(created_by=str(step.get("CreatedBy", "")), size_bytes=int(step["Size"]))
            for step in reversed([*history])
            if step.get("Size")
        ),
        user=str(configuration.get("User") or ""),
        labels=configuration.get("Labels") or {},
        architecture=str(answer["Architecture"]),
        configuration=configuration,
        diff_ids=tuple((answer.get("RootFS") or {}).get("Layers") or ()),
    )
