"""A registry on loopback with one small image, for traps: sound, or with a layer that is not what its digest says.

Only as much of the distribution API as a pull needs. The image is a program for x86-64 that ends with 0.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from tests.scripted_http import Asked, Reply, scripted_http

REPOSITORY = "pipeline-trap"
_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
# Linux on x86-64: xor edi, edi; mov eax, 60 (exit); syscall.
_CODE = b"\x31\xff\xb8\x3c\x00\x00\x00\x0f\x05"


@dataclass(frozen=True, kw_only=True)
class LoopbackRegistry:
    """``tagged`` and ``pinned`` name its image by a tag and by its digest."""

    tagged: str
    pinned: str


@contextlib.contextmanager
def loopback_registry(*, damaged: bool) -> Iterator[LoopbackRegistry]:
    """A registry until the context ends."""
    layer = _layer()
    configuration = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/end"], "Labels": {"pipeline.test": "traps"}},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST_TYPE,
            "config": _described("application/vnd.docker.container.image.v1+json", configuration),
            "layers": [_described("application/vnd.docker.image.rootfs.diff.tar", layer)],
        }
    )
    blobs = {_digest(configuration): configuration, _digest(layer): bytes(len(layer)) if damaged else layer}

    def answer(asked: Asked) -> Reply:
        name = asked.path.rpartition("/")[2]
        if "/manifests/" in asked.path:
            return Reply(body=manifest, headers={"Content-Type": _MANIFEST_TYPE, "Docker-Content-Digest": pin})
        return Reply(body=blobs[name]) if name in blobs else Reply(status=404 if name else 200)

    pin = _digest(manifest)
    with scripted_http(answer) as server:
        name = f"{server.host}/{REPOSITORY}"
        yield LoopbackRegistry(tagged=f"{name}:1", pinned=f"{name}@{pin}")


def _layer() -> bytes:
    start, base = 64 + 56, 0x400000
    size = start + len(_CODE)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + start, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    head += struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        info = tarfile.TarInfo("end")
        info.mode, info.size = 0o755, size
        tar.addfile(info, io.BytesIO(head + _CODE))
    return stream.getvalue()


def _described(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(content), "digest": _digest(content)}


def _json(document: dict[str, object]) -> bytes:
    return json.dumps(document).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
