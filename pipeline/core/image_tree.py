"""The file tree of an image as its layers make it: what the merged layers show, and what a later layer hides.

Rules: OCI Image Layer Specification, "Whiteouts" and "Applying Changesets". A file that is deleted again is still in
its layer, so whoever has the image has the file.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_MOST_LINKS = 40
"""Links that a look-up follows before it gives up, as the kernel does (path_resolution(7))."""


class NodeKind(StrEnum):
    """What lies at a path; ``OTHER`` are devices and pipes."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What lies at ``path`` (without a leading slash). ``mode`` has the permission bits, ``layer`` counts from 0.

    ``sha256`` is a file's, ``target`` a link's. ``content`` is kept of the few files that a rule reads, ``head`` (its
    first bytes) of files that can be executed.
    """

    path: str
    kind: NodeKind
    mode: int
    uid: int = 0
    gid: int = 0
    size: int = 0
    sha256: str = ""
    target: str = ""
    layer: int = 0
    content: bytes = b""
    head: bytes = b""

    @property
    def shown(self) -> str:
        """The path as somebody inside the image would write it."""
        return f"/{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTree:
    """``nodes`` by path are what a container sees; ``buried`` are the files of lower layers that it does not.

    ``diff_ids`` are the digests of the layers' tars as they were read, from the base upwards.
    """

    nodes: Mapping[str, Node] = field(default_factory=dict)
    buried: tuple[Node, ...] = ()
    diff_ids: tuple[str, ...] = ()

    @property
    def files(self) -> Iterator[Node]:
        """The regular files that a container sees, by path."""
        return (self.nodes[path] for path in sorted(self.nodes) if self.nodes[path].kind is NodeKind.FILE)

    @property
    def every_file(self) -> Iterator[Node]:
        """The regular files of every layer, the hidden ones too."""
        yield from self.files
        yield from self.buried

    def at(self, path: str) -> Node | None:
        """What lies at a path once every link in it is followed, or none."""
        place = self.place(path)
        return self.nodes.get(place) if place is not None else None

    def place(self, path: str, *, last: bool = True) -> str | None:
        """The path without links; ``last`` says whether the last part is followed too. None: the links have no end."""
        waiting = [part for part in path.split("/") if part][::-1]
        at, followed = "", 0
        while waiting:
            here = posixpath.normpath(posixpath.join(at, waiting.pop()))
            here = "" if here in (".", "..") else here.removeprefix("../")
            node = self.nodes.get(here)
            if node is None or node.kind is not NodeKind.LINK or (not waiting and not last):
                at = here
                continue
            followed += 1
            if followed > _MOST_LINKS:
                return None
            at = "" if node.target.startswith("/") else posixpath.dirname(here)
            waiting.extend([part for part in node.target.split("/") if part][::-1])
        return at

    def text(self, path: str) -> str:
        """The text of a file whose content was kept; empty when it is not there."""
        node = self.at(path)
        return node.content.decode("utf-8", "replace") if node is not None else ""


@dataclass(slots=True)
class TreeBuilder:
    """Lays layers over each other, from the base upwards."""

    nodes: dict[str, Node] = field(default_factory=dict)
    buried: list[Node] = field(default_factory=list)

    def lay(self, members: list[Node]) -> None:
        """One layer's nodes in their order. A whiteout is about the layers below, whatever its place in this one."""
        for node in members:
            folder, _, name = node.path.rpartition("/")
            if name == _OPAQUE:
                self._forget(folder, whole=False)
            elif name.startswith(_WHITEOUT):
                self._forget(f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"), whole=True)
        for node in members:
            if not node.path.rpartition("/")[2].startswith(_WHITEOUT):
                self._put(node)

    def built(self, diff_ids: tuple[str, ...]) -> ImageTree:
        """The tree of all layers so far."""
        return ImageTree(nodes=dict(self.nodes), buried=tuple(self.buried), diff_ids=diff_ids)

    def _put(self, node: Node) -> None:
        before = self.nodes.get(node.path)
        if before is not None and before.kind is NodeKind.FOLDER and node.kind is not NodeKind.FOLDER:
            self._forget(node.path, whole=True)
        elif before is not None:
            self._bury(before)
        self.nodes[node.path] = node

    def _bury(self, node: Node) -> None:
        if node.kind is NodeKind.FILE:
            self.buried.append(replace(node, content=b"", head=b""))

    def _forget(self, gone: str, *, whole: bool) -> None:
        """Hide what is below ``gone``, and with ``whole`` that itself."""
        below = f"{gone}/" if gone else ""
        for path in [p for p in self.nodes if p.startswith(below) or (whole and p == gone)]:
            self._bury(self.nodes.pop(path))
