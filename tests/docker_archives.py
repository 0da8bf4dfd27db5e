"""Docker-archives made by hand: layers of files, for tests of what reads them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence

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


def archive(layers: Sequence[bytes]) -> bytes:
    """A docker-archive of one image."""
    names = [f"{number}/layer.tar" for number, _ in enumerate(layers)]
    manifest = json.dumps([{"Config": "config.json", "Layers": names, "RepoTags": None}]).encode()
    return layer(
        ("manifest.json", manifest, 0o644),
        ("config.json", b"{}", 0o644),
        *((name, content, 0o644) for name, content in zip(names, layers, strict=True)),
    )
