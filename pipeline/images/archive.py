"""Layers and a configuration to a docker-archive, the tar that ``docker load`` and the engine's image-load call take.

The configuration is written by hand, byte for byte: its SHA-256 is the image id (Docker Image Specification v1.2,
"Image JSON"), so the same layers and values have the same id on every machine.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, BinaryIO

from pipeline.errors import FetchTrouble
from pipeline.images import ustar
from pipeline.images.rootfs import LayerFacts, copy_exactly
from pipeline.images.ustar import Entry, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An uncompressed layer: what it is, and a stream that stands at its first byte."""

    facts: LayerFacts
    content: IO[bytes]
    created_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """What the configuration says besides the layers. ``created`` is in seconds since 1970; no clock is asked."""

    architecture: str
    created: int
    environment: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()


def configuration(settings: ImageSettings, layers: Sequence[Layer]) -> bytes:
    """Return the image's configuration as bytes that depend on the arguments only."""
    created = datetime.fromtimestamp(settings.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    value = {
        "architecture": settings.architecture,
        "config": {"Cmd": list(settings.command), "Env": list(settings.environment), "Labels": dict(settings.labels)},
        "created": created,
        "history": [{"created": created, "created_by": layer.created_by} for layer in layers],
        "os": "linux",
        "rootfs": {"diff_ids": [layer.facts.diff_id for layer in layers], "type": "layers"},
    }
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def image_id(config: bytes) -> str:
    """Return the id that an engine gives to the image with this configuration: "sha256:<hex>"."""
    return "sha256:" + hashlib.sha256(config).hexdigest()


def write_archive(out: BinaryIO, settings: ImageSettings, layers: Sequence[Layer], tag: str) -> str:
    """Write the docker-archive with one image, named ``tag`` ("name:tag"), and return the image's id."""
    return write_configured(out, configuration(settings, layers), layers, tag, settings.created)


def write_configured(
    out: BinaryIO, config: bytes, layers: Sequence[Layer], tag: str, mtime: int = 0, *, without: Collection[str] = ()
) -> str:
    """Write the docker-archive of the image with this configuration, which names these layers; return the image's id.

    A layer that occurs twice is written once, and those in ``without``, by diff id, are not. An engine that has them
    takes the archive: it asks for a layer by its chain of diff ids before it opens the layer's file (moby 20.10,
    image/tarexport/load.go).
    """
    identity = image_id(config)
    config_name = identity.removeprefix("sha256:") + ".json"
    names = [layer.facts.diff_id.removeprefix("sha256:") + ".tar" for layer in layers]
    manifest = json.dumps([{"Config": config_name, "Layers": names, "RepoTags": [tag]}], separators=(",", ":")).encode()
    for name, content in ((config_name, config), ("manifest.json", manifest)):
        out.write(ustar.header(Entry(path=name, kind=Kind.FILE, mode=0o644, size=len(content)), mtime))
        out.write(content)
        ustar.pad(out, len(content))
    for name, layer in dict(zip(names, layers, strict=True)).items():
        if layer.facts.diff_id in without:
            continue
        size = layer.facts.size_bytes
        out.write(ustar.header(Entry(path=name, kind=Kind.FILE, mode=0o644, size=size), mtime))
        copy_exactly(layer.content, out, size)
        ustar.pad(out, size)
    ustar.finish(out)
    return identity


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFacts:
    """What a docker-archive on the disk really holds: the image's id, its labels, its layers, their sizes together."""

    image_id: str
    labels: Mapping[str, str]
    size_bytes: int
    diff_ids: tuple[str, ...] = ()


def check_archive(stream: BinaryIO) -> ArchiveFacts:
    """Read a docker-archive and hash all of it. ``stream`` must be seekable.

    Raises ``FetchTrouble`` when it is cut off, or a part is not what its name, the manifest or the configuration says.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            (image,) = json.loads(member(tar, "manifest.json").read())
            config = member(tar, image["Config"]).read()
            parsed = json.loads(config)
            found = [hashed(member(tar, name)) for name in image["Layers"]]
            labels = {str(key): str(value) for key, value in (parsed["config"].get("Labels") or {}).items()}
            diff_ids = parsed["rootfs"]["diff_ids"]
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError, AttributeError) as trouble:
        raise FetchTrouble("The stored base image is not a whole docker-archive.", why=f"{trouble}.") from trouble
    identity = image_id(config)
    if image["Config"] != identity.removeprefix("sha256:") + ".json" or diff_ids != [facts.diff_id for facts in found]:
        raise FetchTrouble("The stored base image is damaged: a digest in it does not match.")
    return ArchiveFacts(
        image_id=identity,
        labels=labels,
        size_bytes=sum(facts.size_bytes for facts in found),
        diff_ids=tuple(facts.diff_id for facts in found),
    )


def member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    """The content of a file of the archive. Raises ValueError or KeyError when there is no such file."""
    # Some engines store a layer that occurs twice as a link to the first; extractfile follows it.
    source = tar.extractfile(name)
    if source is None:
        raise ValueError(f"{name} is not a file")
    return source


def hashed(source: IO[bytes]) -> LayerFacts:
    """The facts of a layer, read from where ``source`` stands to its end."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(1024 * 1024):
        digest.update(chunk)
        size += len(chunk)
    return LayerFacts(diff_id="sha256:" + digest.hexdigest(), size_bytes=size)
