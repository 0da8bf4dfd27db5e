"""Docker-archives made by hand: layers of files, for tests of what reads them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

Member = tuple[str, bytes | None, int] | tuple[str, str]
"""Path, content (none for a folder) and mode; or path and the target of a link (``=target`` for a hard link)."""


def layer(*members: Member) -> bytes:
    """The tar of one layer."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for member in members:
            info = tarfile.TarInfo(member[0])
            if len(member) == 2:
                target = member[1]
                info.type = tarfile.LNKTYPE if target.startswith("=") else tarfile.SYMTYPE
                info.linkname = target.removeprefix("=")
                tar.addfile(info)
            elif member[1] is None:
                info.type, info.mode = tarfile.DIRTYPE, member[2]
                tar.addfile(info)
            else:
                info.mode, info.size = member[2], len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return stream.getvalue()


def archive(layers: Sequence[bytes], config: Mapping[str, Any] | None = None) -> bytes:
    """A docker-archive of one image; ``config`` is laid over its configuration."""
    diff_ids = [f"sha256:{hashlib.sha256(content).hexdigest()}" for content in layers]
    told = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    names = [f"{number}/layer.tar" for number, _ in enumerate(layers)]
    manifest = json.dumps([{"Config": "config.json", "Layers": names, "RepoTags": None}]).encode()
    return layer(
        ("manifest.json", manifest, 0o644),
        ("config.json", json.dumps({**told, **(config or {})}).encode(), 0o644),
        *((name, content, 0o644) for name, content in zip(names, layers, strict=True)),
    )
