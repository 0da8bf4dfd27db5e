"""From a docker-archive to an OCI image: compressed layers, their manifest, each by its digest.

Sources: the OCI image specification 1.1 (manifest, annotations, gzip media type); Docker Image Specification v1.2 for
the archive. The manifest depends on the archive's configuration and layers and on the pinned compressor, and on nothing
else, so ``build`` can say what ``push`` will upload.
"""

from __future__ import annotations

import gzip
import json
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, BinaryIO

from pipeline.core.containers import Manifest
from pipeline.core.oci_manifest import IMAGE_TYPES, digest_of
from pipeline.errors import EngineTrouble
from pipeline.images.archive import member
from pipeline.images.compression import Blob, compressed
from pipeline.images.rootfs import LayerFacts

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"
ANNOTATIONS = "org.opencontainers.image."
"""What the labels that are annotations too begin with (OCI image specification, "Pre-Defined Annotation Keys")."""

_MAGIC = b"\x1f\x8b"
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PushableImage:
    """An image that can be pushed: its manifest, and each blob that it names as a file, by digest.

    ``layers`` are the uncompressed layers, from the base upwards.
    """

    manifest: Manifest
    blobs: Mapping[str, Path]
    layers: tuple[LayerFacts, ...] = ()

    def open(self, digest: str) -> BinaryIO:
        """One of the blobs, from its beginning."""
        return self.blobs[digest].open("rb")

    @property
    def compressed_bytes(self) -> int:
        """The bytes of the compressed layers and of the configuration, each different one once."""
        return sum(path.stat().st_size for path in self.blobs.values())


def pushable(archive: BinaryIO, folder: Path, verified: Mapping[str, Blob] = MappingProxyType({})) -> PushableImage:
    """The image in a docker-archive. Its blobs are in ``folder``, which exists and may hold those of other images.

    The blobs in ``verified``, by diff id, were just seen to unpack to their layers.

    Raises:
        EngineTrouble: it is not a whole archive of one image, or a layer is not the one that the configuration names.
    """
    try:
        with tarfile.open(fileobj=archive, mode="r:") as tar:
            (image,) = json.loads(member(tar, "manifest.json").read())
            configuration = member(tar, image["Config"]).read()
            told = json.loads(configuration)
            expected = told["rootfs"]["diff_ids"]
            layers = [_layer(member(tar, name), folder, verified) for name in image["Layers"]]
    except (tarfile.TarError, OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise EngineTrouble("The engine exported an image that can't be read.", why=f"{error}.") from error
    if expected != [facts.diff_id for facts, _ in layers]:
        raise EngineTrouble("The engine exported layers that are not those of the image's configuration.")
    digest = digest_of(configuration)
    named = Blob(digest=digest, size=len(configuration), path=folder / f"config-{digest[7:]}.json")
    named.path.write_bytes(configuration)
    blobs = [blob for _, blob in layers]
    body = _document(told, named, blobs)
    manifest = Manifest(digest=digest_of(body), media_type=IMAGE_TYPES[0], body=body)
    return PushableImage(
        manifest=manifest,
        blobs={blob.digest: blob.path for blob in (named, *blobs)},
        layers=tuple(facts for facts, _ in layers),
    )


def _document(configuration: Mapping[str, Any], named: Blob, layers: list[Blob]) -> bytes:
    labels = (configuration.get("config") or {}).get("Labels") or {}
    annotations = {name: str(value) for name, value in labels.items() if name.startswith(ANNOTATIONS) and value}
    document = {
        "schemaVersion": 2,
        "mediaType": IMAGE_TYPES[0],
        "config": _descriptor(CONFIGURATION, named),
        "layers": [_descriptor(LAYER, blob) for blob in layers],
        **({"annotations": annotations} if annotations else {}),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def _descriptor(media_type: str, blob: Blob) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size}


def _layer(source: IO[bytes], folder: Path, verified: Mapping[str, Blob]) -> tuple[LayerFacts, Blob]:
    """A layer and its blob. One that comes compressed was compressed by nobody knows what, so it is done again."""
    packed = source.read(len(_MAGIC)) == _MAGIC
    source.seek(0)
    if not packed:
        return compressed(source, folder, verified)
    with gzip.open(source) as inner, tempfile.TemporaryFile(dir=folder) as plain:
        while block := inner.read(_BLOCK):
            plain.write(block)
        plain.seek(0)
        return compressed(plain, folder, verified)
