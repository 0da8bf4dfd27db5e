"""What ``build`` tells of an image for people, in its result's ``details``; nothing is decided by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.core.component import ComponentKind
from pipeline.core.containers import Image

IMAGE = "image"
"""The name of these details."""

PACKAGE_SIZES = "package_sizes"
"""The name of the details on how much of the image is which package: a list of :class:`PackageSize`."""

LONGEST_STEP = 500
"""Characters of the step that made a layer; recipes hold whole scripts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLayer:
    """A layer: the digest of its uncompressed tar, where the engine names it, its bytes, and the step that made it."""

    digest: str
    size_bytes: int
    created_by: str

    def __post_init__(self) -> None:
        if self.size_bytes < 0:
            raise ValueError("a size is not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDetails:
    """An image in the words of its configuration, its ``layers`` from the base upwards; sizes are in bytes.

    ``base`` is what it stands on in a few words, and ``base_lock`` the digest of that base's lock, if it has one. The
    last two are numbers of packages.
    """

    id: str
    tag: str
    architecture: str
    user: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    health_check: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    size_bytes: int
    base: str
    base_lock: str = ""
    layers: tuple[ImageLayer, ...] = ()
    debian_packages: int = 0
    python_packages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSize:
    """The bytes of a package's files in the image."""

    kind: ComponentKind
    name: str
    version: str
    size_bytes: int

    def __post_init__(self) -> None:
        if self.size_bytes < 0:
            raise ValueError("a size is not negative")


def described(
    image: Image, *, tag: str, base: str, base_lock: str, debian_packages: int, python_packages: int
) -> dict[str, Any]:
    """The details of an image as JSON values, under their name."""
    told = image.configuration
    digests = image.diff_ids if len(image.diff_ids) == len(image.layers) else ("",) * len(image.layers)
    details = ImageDetails(
        id=image.id,
        tag=tag,
        architecture=image.architecture,
        user=image.user,
        entrypoint=_words(told.get("Entrypoint")),
        command=_words(told.get("Cmd")),
        health_check=_words((told.get("Healthcheck") or {}).get("Test")),
        ports=tuple(sorted(map(str, told.get("ExposedPorts") or {}))),
        size_bytes=image.size_bytes,
        base=base,
        base_lock=base_lock,
        layers=tuple(
            ImageLayer(digest=digest, size_bytes=layer.size_bytes, created_by=_step(layer.created_by))
            for digest, layer in zip(digests, image.layers, strict=True)
        ),
        debian_packages=debian_packages,
        python_packages=python_packages,
    )
    return {IMAGE: as_json(asdict(details))}


def as_json(value: Any) -> Any:
    """The value as JSON has it, so that it is equal to what is read back: lists, and no tuples."""
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value


def _words(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _step(text: str) -> str:
    """Without the classic builder's notation of "this is no command of a shell"."""
    plain = " ".join(text.removeprefix("/bin/sh -c #(nop) ").split())
    return plain if len(plain) <= LONGEST_STEP else plain[: LONGEST_STEP - 1] + "…"
