"""Everything that an image is made of, each by its digest: what a rebuild needs, and what provenance lists.

The list is in ``build``'s details, and so in pipeline.json. SLSA v1.0 calls it ``resolvedDependencies``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from pipeline.core.snapshot import Entry

INPUTS = "inputs"
"""The name of these details."""
MAKING = "making"
"""The name of the details on how the image was made: the compressor, the time in it, whether it can be made again."""


class InputKind(StrEnum):
    """What an input is."""

    SOURCE = "source"
    BASE_LOCK = "base-lock"
    BASE_IMAGE = "base-image"
    DEBIAN_PACKAGE = "debian-package"
    WHEEL = "wheel"
    COMPRESSOR = "compressor"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """One input. ``sha256`` is hexadecimal; ``uri`` is a package URL where there is one."""

    kind: InputKind
    name: str
    sha256: str
    version: str = ""
    uri: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How an image was made. ``created`` is the time that it bears (SOURCE_DATE_EPOCH), ISO 8601 in UTC.

    ``compressed_bytes`` is what a registry stores of it. ``not_reproducible`` are full sentences, each a reason why
    another machine may come to another digest; none when nothing stands against it.
    """

    created: str
    compressor: str
    compressed_bytes: int
    not_reproducible: tuple[str, ...] = ()


def source_digest(entries: Iterable[Entry]) -> str:
    """The digest of the files that go into an image, made as a snapshot's is: kind, path and content of each."""
    total = hashlib.sha256()
    for entry in sorted(entries, key=lambda entry: entry.path):
        total.update(f"{entry.kind}\0{entry.path}\0{entry.digest}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def as_details(inputs: Iterable[ImageInput], making: Making) -> dict[str, Any]:
    """Both as JSON values, under their names."""
    listed = [{name: str(value) for name, value in asdict(item).items() if value} for item in inputs]
    return {INPUTS: listed, MAKING: {**asdict(making), "not_reproducible": list(making.not_reproducible)}}


def read_inputs(details: Mapping[str, Any]) -> Iterator[ImageInput]:
    """The inputs among the details of a result. Raises ValueError, TypeError or KeyError for what is no such list."""
    for item in details.get(INPUTS, ()):
        yield ImageInput(**{**item, "kind": InputKind(item["kind"])})
