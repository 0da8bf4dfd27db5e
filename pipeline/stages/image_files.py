"""Which files of an image belong to which of its packages, with their digests: what its bill of materials lists."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline.core.component import Component, ComponentKind
from pipeline.core.image_tree import ImageTree
from pipeline.stages.image_packages import Listing

REST = "files of no package"
_SUMS = re.compile(r"var/lib/dpkg/(?:status\.d|info)/(?P<name>[^/:]+)(?::[a-z0-9-]+)?\.md5sums")


def is_file_list(path: str) -> bool:
    """Whether the file lists a Debian package's files (deb-md5sums(5))."""
    return _SUMS.fullmatch(path) is not None


def with_files(components: Iterable[Component], listings: Iterable[Listing], tree: ImageTree) -> tuple[Component, ...]:
    """The components with the files that are theirs, and one more for those that are nobody's.

    A file is its package's by the package's own list, and only as far as it is in the image.
    """
    lists = {(ComponentKind.PYTHON, x.package.name, x.package.version): x.files for x in listings}
    debian = _debian(tree)
    taken: set[str] = set()
    told = []
    for component in components:
        if component.kind is ComponentKind.DEBIAN:
            paths: Iterable[str] = debian.get(component.name, ())
        else:
            paths = lists.get((component.kind, component.name, component.version), {})
        files = _files(paths, tree, taken)
        told.append(replace(component, files=files) if files else component)
    rest = _files((node.path for node in tree.files), tree, taken)
    if rest:
        told.append(Component(kind=ComponentKind.FILE, name=REST, version="", files=rest))
    return tuple(told)


def _debian(tree: ImageTree) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for node in tree.files:
        if match := _SUMS.fullmatch(node.path):
            lines = node.content.decode("utf-8", "replace").splitlines()
            found[match["name"]].extend(line.partition("  ")[2].strip() for line in lines)
    return found


def _files(paths: Iterable[str], tree: ImageTree, taken: set[str]) -> tuple[str, ...]:
    """As sha256sum(1) writes them, by path; a file that another package has named already is not named again."""
    found = []
    for path in sorted({tree.place(path) or "" for path in paths} - taken):
        node = tree.nodes.get(path)
        if node is not None and node.sha256:
            taken.add(path)
            found.append(f"{node.sha256}  {node.shown}")
    return tuple(found)
