"""What the Docker engine's answers say, as values: read alike whether the docker SDK asked or a plain request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.core.containers import Image, Layer


class Described:
    """An engine by what it tells of itself, ``_about``: the answer to ``/version``."""

    _about: Mapping[str, Any]

    @property
    def name(self) -> str:
        """``docker``, or ``podman`` where that answers in its place."""
        components = self._about.get("Components") or []
        return "podman" if any("podman" in str(part.get("Name", "")).lower() for part in components) else "docker"

    @property
    def version(self) -> str:
        """Its version."""
        return str(self._about["Version"])

    @property
    def architecture(self) -> str:
        """The architecture that it runs, in Go's words: ``amd64``, ``arm64``."""
        return str(self._about["Arch"])


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
