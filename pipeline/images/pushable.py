"""From a docker-archive, as engines export one, to an OCI image: compressed layers, their manifest, each by its digest.

Sources: the OCI image specification 1.1 (manifest, layer, gzip media type); Docker Image Specification v1.2 for the
archive. The compression depends on the layer's bytes and the zlib at work, and on nothing else.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from pipeline.core.containers import Manifest
from pipeline.core.oci_manifest import IMAGE_TYPES, digest_of
from pipeline.errors import EngineTrouble

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"
_LEVEL = 6
_GZIP = 16 + zlib.MAX_WBITS
_MAGIC = b"\x1f\x8b"
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PushableImage:
    """An image that can be pushed: its manifest, and each blob that it names as a file, by digest."""

    manifest: Manifest
    blobs: Mapping[str, Path]

    def open(self, digest: str) -> BinaryIO:
        """One of the blobs, from its beginning."""
        return self.blobs[digest].open("rb")


@dataclass(frozen=True, slots=True)
class _Blob:
    digest: str
    size: int
    path: Path


def pushable(archive: BinaryIO, folder: Path) -> PushableImage:
    """The image in a docker-archive; its blobs are written into ``folder``, which exists.

    Raises:
        EngineTrouble: it is not a whole archive of one image, or a layer is not the one that the configuration names.
    """
    try:
        with tarfile.open(fileobj=archive, mode="r:") as tar:
            (image,) = json.loads(_member(tar, "manifest.json").read())
            configuration = _member(tar, image["Config"]).read()
            expected = json.loads(configuration)["rootfs"]["diff_ids"]
            layers = [_layer(_member(tar, name), folder) for name in image["Layers"]]
    except (tarfile.TarError, OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise EngineTrouble("The engine exported an image that can't be read.", why=f"{error}.") from error
    if expected != [diff_id for diff_id, _ in layers]:
        raise EngineTrouble("The engine exported layers that are not those of the image's configuration.")
    named = _Blob(digest_of(configuration), len(configuration), folder / digest_of(configuration)[7:])
    named.path.write_bytes(configuration)
    blobs = [blob for _, blob in layers]
    document = {
        "schemaVersion": 2,
        "mediaType": IMAGE_TYPES[0],
        "config": _descriptor(CONFIGURATION, named),
        "layers": [_descriptor(LAYER, blob) for blob in blobs],
    }
    body = json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
    manifest = Manifest(digest=digest_of(body), media_type=IMAGE_TYPES[0], body=body)
    return PushableImage(manifest=manifest, blobs={blob.digest: blob.path for blob in (named, *blobs)})


def _descriptor(media_type: str, blob: _Blob) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size}


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    # Some engines store a layer that occurs twice as a link to the first; extractfile follows it.
    source = tar.extractfile(name)
    if source is None:
        raise ValueError(f"{name} is not a file")
    return source


def _layer(source: IO[bytes], folder: Path) -> tuple[str, _Blob]:
    """The digest of a layer's uncompressed tar, and its compressed blob; what is compressed already stays as it is."""
    plain, stored, size = hashlib.sha256(), hashlib.sha256(), 0
    compressed = source.read(len(_MAGIC)) == _MAGIC
    source.seek(0)
    path = folder / f"layer-{len([*folder.iterdir()])}"
    with path.open("wb") as target:
        for inner, outer in (_inflated if compressed else _deflated)(source):
            plain.update(inner)
            stored.update(outer)
            size += target.write(outer)
    digest = f"sha256:{stored.hexdigest()}"
    return f"sha256:{plain.hexdigest()}", _Blob(digest, size, path.rename(folder / digest[7:]))


def _deflated(source: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Pieces of a layer, plain and compressed. The header of zlib's own gzip form holds neither time nor name."""
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    while block := source.read(_BLOCK):
        yield block, deflate.compress(block)
    yield b"", deflate.flush()


def _inflated(source: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    inflate = zlib.decompressobj(_GZIP)
    while block := source.read(_BLOCK):
        yield inflate.decompress(block), block
    if not inflate.eof:
        raise EOFError("a layer is cut off")
