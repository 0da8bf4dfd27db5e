"""What an image holds, read from its docker-archive: every file of the merged layers with its owner, mode and digest.

Read from the bytes that an engine would run, and never by running the image: it may have no shell, and it must not be
believed. Format: Docker Image Specification v1.2 ("Combined Image JSON + Filesystem Changeset Format"); OCI Image Layer
Specification for whiteouts.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, BinaryIO

from pipeline.errors import EngineTrouble

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_CHUNK = 1024 * 1024
_SET_ID = 0o6000
_DIST_INFO = re.compile(r"(?:^|/)(?P<name>[A-Za-z0-9._]+)-(?P<version>[^/-]+)\.dist-info/METADATA$")
_DPKG = ("var/lib/dpkg/status", "var/lib/dpkg/status.d/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """A regular file or a link of an image. ``sha256`` is empty for a link; ``mode`` has the permission and the set-id
    bits.
    """

    path: str
    mode: int
    uid: int
    gid: int
    size: int
    sha256: str
    content: bytes = b""

    @property
    def gains_rights(self) -> bool:
        """Whether who starts it gets another user's or group's rights."""
        return bool(self.sha256) and bool(self.mode & _SET_ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageContents:
    """The files by path (without a leading slash), the paths of all folders, each layer's size as a tar in bytes."""

    files: Mapping[str, ImageFile]
    folders: frozenset[str]
    layer_sizes: tuple[int, ...]

    def python_packages(self) -> tuple[tuple[str, str], ...]:
        """Name (lower case, ``-`` for ``_`` and ``.``, PEP 503) and version of each installed distribution, sorted."""
        found = set()
        for path in self.files:
            if match := _DIST_INFO.search(path):
                found.add((re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"]))
        return tuple(sorted(found))

    def debian_packages(self) -> tuple[tuple[str, str], ...]:
        """Name and version of each Debian package that the image's own records name, sorted."""
        found = set()
        for path, file in self.files.items():
            if path == _DPKG[0] or (path.startswith(_DPKG[1]) and not path.endswith(".md5sums")):
                for paragraph in file.content.decode("utf-8", "replace").split("\n\n"):
                    fields = dict(re.findall(r"^(Package|Version|Status):[ \t]*(.*)$", paragraph, re.M))
                    if {"Package", "Version"} <= fields.keys() and "deinstall" not in fields.get("Status", ""):
                        found.add((fields["Package"], fields["Version"]))
        return tuple(sorted(found))


def read_contents(stream: BinaryIO) -> ImageContents:
    """Read a docker-archive with one image. ``stream`` must be seekable.

    Raises:
        EngineTrouble: it is not a whole docker-archive.
    """
    files: dict[str, ImageFile] = {}
    folders: set[str] = set()
    sizes = []
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            (image,) = json.loads(_member(archive, "manifest.json").read())
            for name in image["Layers"]:
                with tarfile.open(fileobj=_member(archive, name), mode="r:*") as layer:
                    _merge(layer, files, folders)
                sizes.append(archive.getmember(name).size)
    except (tarfile.TarError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise EngineTrouble("The engine exported an image that can't be read.", why=f"{error}.") from error
    return ImageContents(files=files, folders=frozenset(folders), layer_sizes=tuple(sizes))


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    # Some engines store a layer that occurs twice as a link to the first; extractfile follows it.
    source = archive.extractfile(name)
    if source is None:
        raise ValueError(f"{name} is not a file")
    return source


def _merge(layer: tarfile.TarFile, files: dict[str, ImageFile], folders: set[str]) -> None:
    """Lay a layer over what is below it. A whiteout is about the layers below, whatever its place in this one."""
    members = [(member, _clean(member.name)) for member in layer]
    for _, path in members:
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            _forget(files, folders, folder, whole=False)
        elif name.startswith(_WHITEOUT):
            gone = f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/")
            _forget(files, folders, gone, whole=True)
    for member, path in members:
        if path.rpartition("/")[2].startswith(_WHITEOUT):
            continue
        if member.isdir():
            files.pop(path, None)
            folders.add(path)
        elif member.isreg():
            files[path] = _file(layer, member, path)
        elif member.islnk() and _clean(member.linkname) in files:
            same = files[_clean(member.linkname)]
            files[path] = ImageFile(
                path=path,
                mode=same.mode,
                uid=same.uid,
                gid=same.gid,
                size=same.size,
                sha256=same.sha256,
                content=same.content,
            )
        else:
            files[path] = ImageFile(path=path, mode=member.mode, uid=member.uid, gid=member.gid, size=0, sha256="")


def _file(layer: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> ImageFile:
    source = layer.extractfile(member)
    if source is None:
        raise ValueError(f"{path} has no content")
    digest, kept = hashlib.sha256(), bytearray()
    wanted = path == _DPKG[0] or path.startswith(_DPKG[1])
    while piece := source.read(_CHUNK):
        digest.update(piece)
        if wanted:
            kept += piece
    return ImageFile(
        path=path,
        mode=member.mode,
        uid=member.uid,
        gid=member.gid,
        size=member.size,
        sha256=digest.hexdigest(),
        content=bytes(kept),
    )


def _clean(name: str) -> str:
    return name.removeprefix("./").strip("/")


def _forget(files: dict[str, ImageFile], folders: set[str], gone: str, *, whole: bool) -> None:
    """Forget what is below ``gone``, and with ``whole`` that itself."""

    def is_gone(path: str) -> bool:
        return not gone or path.startswith(f"{gone}/") or (whole and path == gone)

    for path in [path for path in files if is_gone(path)]:
        del files[path]
    folders.difference_update({path for path in folders if is_gone(path)})
