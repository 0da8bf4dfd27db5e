"""A layer compressed so that the same bytes come out everywhere: by libdeflate, which the package ``deflate`` carries.

A system's zlib differs from the next one's, and an image's manifest names its compressed layers. Of the libraries with
a wheel, libdeflate's output depends on its version only ("deterministic for a particular version",
ebiggers/libdeflate#400), zlib-ng's has differed between processors (trifectatechfoundation/zlib-rs#91), and isal's
still does. The measured sizes and times are in docs/image.md.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.util
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import IO

from pipeline.images.rootfs import LayerFacts
from pipeline.images.whole_file import appearing

_LEVEL = 9
_PIECE = 64 * 1024 * 1024
"""Bytes that are compressed at once; a larger layer becomes several members, which RFC 1952 section 2.2 allows."""
_BLOCK = 1024 * 1024
_HEADER = 10
_DAMAGED = (OSError, EOFError, zlib.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A file as a registry names it: ``digest`` is "sha256:<hex>" of its bytes."""

    digest: str
    size: int
    path: Path


@functools.cache
def compressor() -> str:
    """What compresses, exactly: the package, its version and the level. Another one gives other manifests."""
    from importlib.metadata import version  # pylint: disable=import-outside-toplevel  # 20 ms, wanted by few commands

    return f"deflate-{version('deflate')}-{_LEVEL}"


@functools.cache
def compressor_digest() -> str:
    """SHA-256 (hexadecimal) of the library that compresses here; it differs between platforms, its output does not.

    Raises:
        ImportError: it is not installed as a file of its own.
    """
    found = importlib.util.find_spec("deflate._deflate")
    if found is None or found.origin is None:
        raise ImportError("The package deflate has no library of its own.")
    with Path(found.origin).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def blob_path(folder: Path, diff_id: str) -> Path:
    """Where the compressed blob of the layer with this diff id is kept, if it was made before."""
    return folder / f"layer-{diff_id.removeprefix('sha256:')}-{compressor()}.tar.gz"


def compressed(
    source: IO[bytes], folder: Path, verified: Mapping[str, Blob] = MappingProxyType({})
) -> tuple[LayerFacts, Blob]:
    """The facts of the uncompressed layer in ``source`` (seekable), and its compressed blob in ``folder``.

    One that is there already is taken if it unpacks to these very bytes; those in ``verified``, by diff id, were seen
    to do so a moment ago. Raises OSError for a full disk.
    """
    digest, size = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        digest.update(block)
        size += len(block)
    facts = LayerFacts(diff_id=f"sha256:{digest.hexdigest()}", size_bytes=size)
    if facts.diff_id in verified:
        return facts, verified[facts.diff_id]
    path = blob_path(folder, facts.diff_id)
    if not _unpacks_to(path, facts):
        source.seek(0)
        with appearing(path) as unfinished, unfinished.open("wb") as out:
            for member in _members(source):
                out.write(member)
    with path.open("rb") as stream:
        named = hashlib.file_digest(stream, "sha256").hexdigest()
    return facts, Blob(digest=f"sha256:{named}", size=path.stat().st_size, path=path)


def _libdeflate() -> ModuleType:
    import deflate  # pylint: disable=import-outside-toplevel  # a shared library that few commands need

    return deflate


def _members(source: IO[bytes]) -> Iterator[bytes]:
    """Members of a gzip file. libdeflate writes neither a time nor a name into their headers."""
    while piece := source.read(_PIECE):
        yield bytes(_libdeflate().gzip_compress(piece, _LEVEL))


def _unpacks_to(path: Path, facts: LayerFacts) -> bool:
    digest = hashlib.sha256()
    try:
        if 0 < facts.size_bytes <= _PIECE:
            digest.update(_unpacked(path.read_bytes(), facts.size_bytes))
        else:
            with gzip.open(path, "rb") as stream:
                while block := stream.read(_BLOCK):
                    digest.update(block)
    except _DAMAGED:
        return False
    return f"sha256:{digest.hexdigest()}" == facts.diff_id


def _unpacked(packed: bytes, size: int) -> bytearray:
    """The content of a file of one member, by libdeflate: a third of zlib's time. Raises zlib.error for a damaged one.

    libdeflate takes any header, and stops at the end of the first member, so both ends of the file are looked at too.
    """
    deflate = _libdeflate()
    try:
        plain: bytearray = deflate.gzip_decompress(packed, size)
    except deflate.DeflateError as error:
        raise zlib.error(f"{error}") from error
    header, trailer = (
        bytes(deflate.gzip_compress(b"", _LEVEL))[:_HEADER],
        struct.pack("<II", deflate.crc32(plain), size),
    )
    if packed.rfind(header) != 0 or not packed.endswith(trailer):
        raise zlib.error("more than one member, or not packed here")
    return plain
