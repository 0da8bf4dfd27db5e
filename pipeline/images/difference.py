"""What makes two images of the same inputs differ: file by file and field by field, for whoever must mend it."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, BinaryIO

from pipeline.errors import EngineTrouble
from pipeline.images.archive import member

_FIELDS = ("type", "mode", "uid", "gid", "size", "mtime", "linkname")
_BLOCK = 1024 * 1024
_FIRST = 8


def differences(one: BinaryIO, other: BinaryIO) -> tuple[str, ...]:
    """Full sentences; none when the two docker-archives hold the same image.

    Raises:
        EngineTrouble: one of them is not a docker-archive.
    """
    try:
        with tarfile.open(fileobj=one, mode="r:") as left, tarfile.open(fileobj=other, mode="r:") as right:
            return tuple(_compared(left, right))
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError) as error:
        raise EngineTrouble("An image that was built again can't be read.", why=f"{error}.") from error


def _compared(left: tarfile.TarFile, right: tarfile.TarFile) -> Iterator[str]:
    (first,), (second,) = (json.loads(member(tar, "manifest.json").read()) for tar in (left, right))
    yield from _layers(left, right, first["Layers"], second["Layers"])
    configurations = [json.loads(member(t, i["Config"]).read()) for t, i in ((left, first), (right, second))]
    for document in configurations:
        # It repeats what has been said of the layers.
        document.pop("rootfs", None)
    yield from _values("configuration", *configurations)


def _layers(left: tarfile.TarFile, right: tarfile.TarFile, first: list[str], second: list[str]) -> Iterator[str]:
    if len(first) != len(second):
        yield f"One has {len(first)} layers, and the other {len(second)}."
    for number, (one, two) in enumerate(zip(first, second, strict=False), 1):
        # A layer is named by its digest.
        if one != two:
            yield from _files(f"layer {number}", _nodes(left, one), _nodes(right, two))


def _files(layer: str, one: dict[str, dict[str, Any]], two: dict[str, dict[str, Any]]) -> Iterator[str]:
    said = False
    for path in sorted(one.keys() | two.keys()):
        if path not in one or path not in two:
            yield f"{layer}: /{path} is in the {'second' if path in two else 'first'} image only."
            said = True
            continue
        for name in one[path]:
            if one[path][name] != two[path][name]:
                yield f"{layer}: the {name} of /{path} is {one[path][name]} in one, and {two[path][name]} in the other."
                said = True
    if not said:
        yield f"{layer}: the same files, in another order or with other headers."


def _nodes(tar: tarfile.TarFile, name: str) -> dict[str, dict[str, Any]]:
    found = {}
    with tarfile.open(fileobj=member(tar, name), mode="r:") as layer:
        for info in layer:
            facts = {field: getattr(info, field) for field in _FIELDS}
            facts["type"] = info.type.decode("ascii", "replace")
            facts["mode"] = f"{info.mode:04o}"
            facts["attributes"] = {k: v for k, v in info.pax_headers.items() if k.startswith("SCHILY.")}
            source = layer.extractfile(info) if info.isreg() else None
            if source is not None:
                digest = hashlib.sha256()
                while piece := source.read(_BLOCK):
                    digest.update(piece)
                facts["content"] = digest.hexdigest()[:_FIRST] + "…"
            found[info.name.strip("/")] = facts
    return found


def _values(place: str, one: Any, two: Any) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(two, dict):
        for name in sorted(one.keys() | two.keys()):
            yield from _values(f"{place}, {name}", one.get(name), two.get(name))
    elif isinstance(one, list) and isinstance(two, list):
        for number, (first, second) in enumerate(zip_longest(one, two), 1):
            yield from _values(f"{place}, item {number}", first, second)
    elif one != two:
        yield f"{place}: {json.dumps(one)} in one, and {json.dumps(two)} in the other."
