"""What a manifest's bytes say: which blobs it names, and whether bytes are what a digest promises.

Sources: the OCI image specification (manifest, descriptor, digest) and Docker's image manifest version 2, schema 2.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from pipeline.core.containers import Manifest
from pipeline.errors import RegistryTrouble

IMAGE_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
LARGEST_MANIFEST = 4 * 1024 * 1024
"""Bytes; what the OCI distribution specification asks registries to accept at least, and more than any image needs."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG_CHARACTERS = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A blob as a manifest names it: its digest (``sha256:…``) and its size in bytes."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageContent:
    """The blobs of an image manifest: the configuration, and the layers in their order."""

    configuration: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Every different blob, the configuration first."""
        return tuple(dict.fromkeys((self.configuration, *self.layers)))

    @property
    def size(self) -> int:
        """The bytes of all different blobs together, as they are stored (compressed)."""
        return sum(blob.size for blob in self.blobs)


def is_digest(reference: str) -> bool:
    """Whether this is a SHA-256 digest and not a tag. A tag can't hold a colon."""
    return _DIGEST.fullmatch(reference) is not None


def digest_of(body: bytes) -> str:
    """The digest by which a registry names these bytes."""
    return "sha256:" + hashlib.sha256(body).hexdigest()


def matches(manifest: Manifest) -> bool:
    """Whether the manifest's bytes are what its digest says."""
    return digest_of(manifest.body) == manifest.digest


def image_content(manifest: Manifest) -> ImageContent:
    """The blobs that an image manifest names.

    Raises:
        RegistryTrouble: it is not an image manifest, or not a sound one; also for layers that lie elsewhere
        ("foreign").
    """
    document = _document(manifest)
    if manifest.media_type not in IMAGE_TYPES or document.get("mediaType", manifest.media_type) != manifest.media_type:
        raise RegistryTrouble(
            f"The registry holds a {manifest.media_type} where one image was expected.",
            why=f"The manifest is {manifest.digest}.",
        )
    try:
        configuration = _descriptor(document["config"])
        layers = tuple(_descriptor(layer) for layer in document["layers"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unsound(manifest) from error
    return ImageContent(configuration=configuration, layers=layers)


def tag_from(text: str) -> str:
    """A valid tag (``[A-Za-z0-9_][A-Za-z0-9._-]{0,127}``) that reads like ``text``: a version's ``+`` becomes ``_``."""
    tag = _TAG_CHARACTERS.sub("-", text.replace("+", "_"))[:128]
    return tag if tag[:1].isalnum() else f"_{tag[:127]}"


def _document(manifest: Manifest) -> dict[str, Any]:
    try:
        document = json.loads(manifest.body)
    except ValueError as error:
        raise _unsound(manifest) from error
    if not isinstance(document, dict):
        raise _unsound(manifest)
    return document


def _descriptor(given: dict[str, Any]) -> Descriptor:
    digest, size = given["digest"], given["size"]
    if (
        not isinstance(digest, str)
        or not is_digest(digest)
        or not isinstance(size, int)
        or size < 0
        or given.get("urls")
    ):
        raise ValueError
    return Descriptor(digest=digest, size=size)


def _unsound(manifest: Manifest) -> RegistryTrouble:
    return RegistryTrouble(f"The manifest {manifest.digest} is not a sound image manifest.")
