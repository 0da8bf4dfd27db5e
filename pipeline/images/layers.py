"""An image's docker-archive read layer by layer: every node of every layer, the files that a later one deletes too.

Read from the bytes that an engine would run, and never by running the image. Memory stays at the nodes and the few
contents that are asked for, whatever the image weighs. Format: Docker Image Specification v1.2 ("Combined Image JSON +
Filesystem Changeset Format").
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO, BinaryIO

from pipeline.core.image_tree import ImageTree, Node, NodeKind, TreeBuilder
from pipeline.errors import EngineTrouble

LARGEST_KEPT = 4 << 20
"""Bytes of a file whose content is kept; none that a rule reads is larger in earnest."""
HEAD = 4096
"""Bytes kept of what can be executed: its interpreter is named there."""
_CHUNK = 1 << 20
_MODE = 0o7777
_EXECUTABLE = 0o111
_UNREADABLE = (tarfile.TarError, OSError, EOFError, ValueError, KeyError, TypeError)


def read_tree(stream: BinaryIO, keep: Callable[[str], bool]) -> ImageTree:
    """The tree of a docker-archive with one image; ``keep`` says of which paths the content is wanted.

    Raises:
        EngineTrouble: it is not a whole docker-archive.
    """
    builder, diff_ids = TreeBuilder(), []
    try:
        for number, (layer, digest) in enumerate(_layers(stream)):
            diff_ids.append(digest)
            builder.lay(_nodes(layer, number, keep))
    except _UNREADABLE as error:
        raise EngineTrouble("The engine exported an image that can't be read.", why=f"{error}.") from error
    return builder.built(tuple(diff_ids))


def extract(stream: BinaryIO, wanted: Collection[tuple[int, str]], target: Callable[[int, str], Path]) -> None:
    """Write files to where ``target`` says, by layer and path, the hidden ones too.

    Raises:
        EngineTrouble: it is not a whole docker-archive, or one of the files is not in it.
    """
    left = set(wanted)
    try:
        for number, (layer, _) in enumerate(_layers(stream)):
            for member in layer:
                key = (number, clean(member.name))
                if (member.isreg() or member.islnk()) and key in left:
                    _copy(layer, member, target(*key))
                    left.discard(key)
    except _UNREADABLE as error:
        raise EngineTrouble("The engine exported an image that can't be read.", why=f"{error}.") from error
    if left:
        raise EngineTrouble(f"The exported image has lost {len(left)} of its files between two readings.")


def history(stream: BinaryIO) -> tuple[str, ...]:
    """What the image tells of how it was made, a step each: the command, the author, a comment.

    Raises:
        EngineTrouble: it is not a whole docker-archive.
    """
    try:
        stream.seek(0)
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            (image,) = json.loads(_member(archive, "manifest.json").read())
            steps = json.loads(_member(archive, image["Config"]).read()).get("history") or []
    except _UNREADABLE as error:
        raise EngineTrouble("The engine exported an image that can't be read.", why=f"{error}.") from error
    return tuple(" ".join(str(step.get(key, "")) for key in ("created_by", "author", "comment")) for step in steps)


def clean(name: str) -> str:
    """A member's name as a path without a leading slash."""
    return name.removeprefix("./").strip("/")


def _layers(stream: BinaryIO) -> Iterator[tuple[tarfile.TarFile, str]]:
    """Each layer's tar, and the digest of its bytes."""
    stream.seek(0)
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        (image,) = json.loads(_member(archive, "manifest.json").read())
        for name in image["Layers"]:
            with tarfile.open(fileobj=_member(archive, name), mode="r:*") as layer:
                yield layer, _digest(_member(archive, name))


def _digest(source: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := source.read(_CHUNK):
        digest.update(piece)
    return f"sha256:{digest.hexdigest()}"


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    # Some engines store a layer that occurs twice as a link to the first; extractfile follows it.
    source = archive.extractfile(name)
    if source is None:
        raise ValueError(f"{name} is not a file")
    return source


def _nodes(layer: tarfile.TarFile, number: int, keep: Callable[[str], bool]) -> list[Node]:
    found: dict[str, Node] = {}
    nodes = []
    for member in layer:
        path = clean(member.name)
        if not path:
            continue
        # A hard link is another name of a file of the same layer; across layers it can't be made.
        same = found.get(clean(member.linkname)) if member.islnk() else None
        node = _file(layer, member, path, number, keep) if member.isreg() else _other(member, path, number, same)
        found[path] = node
        nodes.append(node)
    return nodes


def _other(member: tarfile.TarInfo, path: str, number: int, same: Node | None) -> Node:
    if same is not None:
        return Node(
            path=path, kind=same.kind, mode=same.mode, uid=same.uid, gid=same.gid, size=same.size, sha256=same.sha256,
            layer=number, content=same.content, head=same.head,
        )  # fmt: skip
    kind = NodeKind.FOLDER if member.isdir() else NodeKind.LINK if member.issym() else NodeKind.OTHER
    return Node(
        path=path, kind=kind, mode=member.mode & _MODE, uid=member.uid, gid=member.gid,
        target=member.linkname if kind is NodeKind.LINK else "", layer=number,
    )  # fmt: skip


def _file(layer: tarfile.TarFile, member: tarfile.TarInfo, path: str, number: int, keep: Callable[[str], bool]) -> Node:
    source = layer.extractfile(member)
    if source is None:
        raise ValueError(f"{path} has no content")
    digest, kept, head = hashlib.sha256(), bytearray(), b""
    wanted = member.size <= LARGEST_KEPT and keep(path)
    while piece := source.read(_CHUNK):
        digest.update(piece)
        head = head or piece[:HEAD]
        if wanted:
            kept += piece
    return Node(
        path=path, kind=NodeKind.FILE, mode=member.mode & _MODE, uid=member.uid, gid=member.gid, size=member.size,
        sha256=digest.hexdigest(), layer=number, content=bytes(kept),
        head=head if member.mode & _EXECUTABLE else b"",
    )  # fmt: skip


def _copy(layer: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = layer.extractfile(member)
    if source is None:
        raise ValueError(f"{member.name} has no content")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        while piece := source.read(_CHUNK):
            out.write(piece)
