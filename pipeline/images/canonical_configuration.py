"""An image's configuration in the one form that depends on the recipe and its inputs only.

The engine's own has the identifiers of containers, the time of each step and how it was cached. Kept is what the OCI
image configuration (1.1) defines for running an image; the history tells the recipe's instructions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.core.dockerfile_lines import Instruction
from pipeline.images.pushable import ANNOTATIONS

_KEPT = (
    "Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "OnBuild", "Shell", "StopSignal", "User",
    "Volumes", "WorkingDir",
)  # fmt: skip
_ABOUT_ITSELF = ("title", "description", "version", "created", "revision", "ref.name", "url", "source", "documentation")
"""Labels that a base has of itself and that are wrong of what stands on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What an image is made from, as far as its configuration tells of it.

    ``created`` is in seconds since 1970 (SOURCE_DATE_EPOCH); ``instructions`` are those of the recipe's last stage
    behind its FROM; ``base_layers`` says how many layers are the base's, ``base_labels`` what the base says of itself;
    ``labels`` stand in where the recipe gives none.
    """

    created: int
    instructions: Sequence[Instruction] = ()
    base_layers: int = 0
    base_labels: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def canonical(engines: Mapping[str, Any], kept: Sequence[bool], diff_ids: Sequence[str], origin: Origin) -> bytes:
    """The configuration as bytes: their SHA-256 is the image's id.

    ``engines`` is the engine's own; ``kept`` says of each of its layers above the base whether it is still there, and
    ``diff_ids`` are all layers of the image.
    """
    told: Mapping[str, Any] = engines.get("config") or {}
    config = {name: told[name] for name in _KEPT if told.get(name)}
    labels = _labels(told.get("Labels") or {}, origin)
    config = {name: value for name, value in {**config, "Labels": labels}.items() if value}
    created = datetime.fromtimestamp(origin.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {
        "architecture": engines["architecture"],
        "config": config,
        "created": created,
        "history": _history(engines.get("history") or [], kept, origin, created),
        "os": engines.get("os") or "linux",
        "rootfs": {"diff_ids": list(diff_ids), "type": "layers"},
        **({"variant": engines["variant"]} if engines.get("variant") else {}),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _labels(labels: Mapping[str, str], origin: Origin) -> dict[str, str]:
    """The labels without empty annotations, and without what only the base says of itself."""
    of_the_base = {f"{ANNOTATIONS}{name}" for name in _ABOUT_ITSELF}
    own = {
        name: value
        for name, value in labels.items()
        if (value or not name.startswith(ANNOTATIONS))
        and not (name in of_the_base and origin.base_labels.get(name) == value)
    }
    return {**{name: value for name, value in origin.labels.items() if value}, **own}


def _history(
    engines: Sequence[Mapping[str, Any]], kept: Sequence[bool], origin: Origin, created: str
) -> list[dict[str, Any]]:
    """The base's history as it is, and the recipe's instructions; a step without a layer says so, as it must."""
    cut = len(engines) - len(origin.instructions)
    below, ours = list(engines[: max(cut, 0)]), engines[max(cut, 0) :]
    if cut < 0 or _layers(below) != origin.base_layers or _layers(ours) != len(kept):
        # Another builder than the classic one: nothing certain is known of which step made what.
        below = [{"created": created, "created_by": "the base"} for _ in range(origin.base_layers)]
        steps: list[dict[str, Any]] = [
            {"created_by": f"layer {number} of the recipe"} for number, _ in enumerate(kept, 1)
        ]
    else:
        steps = [
            {"created_by": f"{step.keyword} {step.value}", **({"empty_layer": True} if _is_empty(engine) else {})}
            for step, engine in zip(origin.instructions, ours, strict=True)
        ]
    left = iter(kept)
    for step in steps:
        if not _is_empty(step) and not next(left):
            step["empty_layer"] = True
    return [*map(dict, below), *({"created": created, **step} for step in steps)]


def _is_empty(step: Mapping[str, Any]) -> bool:
    return bool(step.get("empty_layer"))


def _layers(steps: Sequence[Mapping[str, Any]]) -> int:
    return sum(not _is_empty(step) for step in steps)
