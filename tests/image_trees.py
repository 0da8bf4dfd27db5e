"""Image trees made by hand, for tests of what judges them."""

from __future__ import annotations

import hashlib

from pipeline.core.image_tree import ImageTree, Node, NodeKind


def file_node(path: str, content: bytes = b"", *, mode: int = 0o644, layer: int = 0) -> Node:
    """A file of root's with this content, all of it kept."""
    digest = hashlib.sha256(content).hexdigest()
    return Node(
        path=path, kind=NodeKind.FILE, mode=mode, size=len(content), sha256=digest, content=content,
        head=content[:4096], layer=layer,
    )  # fmt: skip


def folder_node(path: str, *, mode: int = 0o755, layer: int = 0) -> Node:
    """A folder of root's."""
    return Node(path=path, kind=NodeKind.FOLDER, mode=mode, layer=layer)


def link_node(path: str, target: str) -> Node:
    """A symbolic link."""
    return Node(path=path, kind=NodeKind.LINK, mode=0o777, target=target)


def tree_of(*nodes: Node, buried: tuple[Node, ...] = (), layers: int = 1) -> ImageTree:
    """A tree of these."""
    digests = tuple(f"sha256:{number:064x}" for number in range(layers))
    return ImageTree(nodes={node.path: node for node in nodes}, buried=buried, diff_ids=digests)
