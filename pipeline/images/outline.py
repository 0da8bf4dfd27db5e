"""The outline of a base: its folders, links, modes and owners, and its files without what is in them.

A recipe whose last stage only copies and configures comes to the same layers on the outline as on the base: where a
COPY goes is decided by folders and links, as whom by ``/etc/passwd`` and ``/etc/group``, which are kept. An engine
exports an image with all that it stands on, and an outline is an eightieth of its base. What stands on it is put on the
base itself when the image is put together (:mod:`pipeline.images.reassembly`).
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipeline.errors import FetchTrouble
from pipeline.images import ustar
from pipeline.images.archive import Layer, check_archive, hashed, member, write_configured
from pipeline.images.canonical_layers import LayersBelow
from pipeline.images.rootfs import LayerFacts
from pipeline.images.ustar import Entry, Kind
from pipeline.images.whole_file import appearing

KEPT = ("etc/group", "etc/passwd")
"""The files whose content an engine reads to carry out a COPY."""

_KINDS = {tarfile.DIRTYPE: Kind.FOLDER, tarfile.SYMTYPE: Kind.SYMLINK, tarfile.REGTYPE: Kind.FILE}

Trait = tuple[str, bytes, int, int, int, str]
"""What an outline has of each of its base's nodes: path, type, mode, owners, and a link's target or a kept content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeBase:
    """A base as its archive has it: its layers with streams at their beginnings, the folders that they make, and the
    traits of every node, by layer.
    """

    layers: tuple[Layer, ...]
    folders: LayersBelow
    traits: tuple[tuple[Trait, ...], ...]


def ensure_outline(base: Path, path: Path) -> str:
    """Write the outline of the base in the archive ``base``, which has been verified, to ``path``, unless it is there;
    return its image id.

    Raises:
        FetchTrouble: the base holds what no outline can, or is no docker-archive.
        OSError: a full or unwritable disk.
    """
    try:
        with base.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            (image,) = json.loads(member(tar, "manifest.json").read())
            config: dict[str, Any] = json.loads(member(tar, image["Config"]).read())
            found = _found(path, config)
            if found:
                return found
            layers = [_layer(member(tar, name)) for name in image["Layers"]]
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise FetchTrouble("No outline can be made of the base image.", why=f"{error}.") from error
    config["rootfs"]["diff_ids"] = [layer.facts.diff_id for layer in layers]
    body = json.dumps(config, sort_keys=True, separators=(",", ":")).encode()
    with appearing(path) as unfinished, unfinished.open("wb") as out:
        return write_configured(out, body, layers, f"{image['RepoTags'][0]}-outline")


@contextmanager
def whole_base(path: Path) -> Iterator[WholeBase]:
    """The base in a docker-archive, its layers held to their digests. They can be read until the end of the context.

    Raises:
        ValueError, KeyError, tarfile.TarError: it is no docker-archive, or a layer is not the one that it names.
    """
    with path.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        (image,) = json.loads(member(tar, "manifest.json").read())
        named = json.loads(member(tar, image["Config"]).read())["rootfs"]["diff_ids"]
        folders, layers, traits = LayersBelow(), [], []
        for name in image["Layers"]:
            source = member(tar, name)
            facts = hashed(source)
            source.seek(0)
            with tarfile.open(fileobj=source, mode="r:") as layer:
                traits.append(traits_of(layer))
                folders.take_in(layer)
            source.seek(0)
            layers.append(Layer(facts=facts, content=source))
        if [layer.facts.diff_id for layer in layers] != named:
            raise ValueError("a layer of the base is not the one that the configuration names")
        yield WholeBase(layers=tuple(layers), folders=folders, traits=tuple(traits))


def traits_of(layer: tarfile.TarFile) -> tuple[Trait, ...]:
    """What a layer has in common with its outline, node by node."""
    return tuple(
        (_path(info), info.type, info.mode, info.uid, info.gid, info.linkname or _kept(layer, info).decode("latin-1"))
        for info in layer
    )


def _path(info: tarfile.TarInfo) -> str:
    return info.name.removeprefix("./").strip("/")


def _kept(layer: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    """The content of a file that an outline keeps; nothing of another."""
    return member(layer, info.name).read() if info.isreg() and _path(info) in KEPT else b""


def _found(path: Path, config: dict[str, Any]) -> str:
    """The id of the outline in ``path`` if it is whole and has the base's configuration, labels and all; else none."""
    try:
        with path.open("rb") as stream:
            facts = check_archive(stream)
            stream.seek(0)
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                (image,) = json.loads(member(tar, "manifest.json").read())
                found = json.loads(member(tar, image["Config"]).read())
    except (FileNotFoundError, FetchTrouble):
        return ""
    return facts.image_id if {**found, "rootfs": None} == {**config, "rootfs": None} else ""


def _layer(source: IO[bytes]) -> Layer:
    out = io.BytesIO()
    with tarfile.open(fileobj=source, mode="r:") as layer:
        for info in layer:
            if info.type not in _KINDS:
                raise ValueError(f"/{info.name} is no file, folder or symbolic link")
            kept = _kept(layer, info)
            entry = Entry(
                path=info.name, kind=_KINDS[info.type], mode=info.mode, size=len(kept), target=info.linkname,
                uid=info.uid, gid=info.gid,
            )  # fmt: skip
            out.write(ustar.extended_header(entry, int(info.mtime), {}) + kept)
            ustar.pad(out, len(kept))
    ustar.finish(out)
    content = out.getvalue()
    facts = LayerFacts(diff_id=f"sha256:{hashlib.sha256(content).hexdigest()}", size_bytes=len(content))
    return Layer(facts=facts, content=io.BytesIO(content))
