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
from pipeline.images.packages import (
    DebianPackage,
    PythonPackage,
    debian_packages,
    is_dpkg_record,
    is_python_record,
    python_package,
)

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_CHUNK = 1024 * 1024
_SET_ID = 0o6000
_RELEASE = ("usr/lib/os-release", "etc/os-release")
"""os-release(5): the second is there for older systems, and usually a link to the first."""
_COPYRIGHT = re.compile(r"usr/share/doc/[^/]+/copyright")
_LARGEST_KEPT = 16 << 20
"""Bytes of a file that tells of packages; a larger one was written by no package manager."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """A regular file or a link of an image. ``sha256`` is empty for a link, which leads to ``target``; ``mode`` has the
    permission and the set-id bits. ``content`` is kept of what tells of packages, and of nothing else.
    """

    path: str
    mode: int
    uid: int
    gid: int
    size: int
    sha256: str
    content: bytes = b""
    target: str = ""

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

    def python_records(self) -> tuple[PythonPackage, ...]:
        """The installed distributions, each once, sorted by name and version."""
        records = (python_package(path, self.text(path)) for path in sorted(self.files) if is_python_record(path))
        found: dict[tuple[str, str], PythonPackage] = {}
        for record in records:
            if record is not None:
                found.setdefault((record.name, record.version), record)
        return tuple(found[key] for key in sorted(found))

    def debian_records(self) -> tuple[DebianPackage, ...]:
        """The Debian packages that the image's own records name, each once, sorted by name and version."""
        paths = [path for path in sorted(self.files) if is_dpkg_record(path)]
        found: dict[tuple[str, str, str], DebianPackage] = {}
        for record in (record for path in paths for record in debian_packages(path, self.text(path))):
            found.setdefault((record.name, record.version, record.architecture), record)
        return tuple(found[key] for key in sorted(found))

    def python_packages(self) -> tuple[tuple[str, str], ...]:
        """Name (as PEP 503 has it) and version of each installed distribution, sorted."""
        return tuple((record.name, record.version) for record in self.python_records())

    def debian_packages(self) -> tuple[tuple[str, str], ...]:
        """Name and version of each Debian package that the image's own records name, sorted."""
        return tuple(sorted({(record.name, record.version) for record in self.debian_records()}))

    def release(self) -> Mapping[str, str]:
        """What os-release(5) tells of the distribution; empty when the image does not say."""
        text = next((self.text(path) for path in _RELEASE if self.text(path)), "")
        pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
        return {name.strip(): value.strip().strip("\"'") for name, mark, value in pairs if mark}

    def copyright_of(self, package: str) -> str:
        """A Debian package's copyright file; its folder may be a link to another package's (Debian Policy 12.5)."""
        link = self.files.get(f"usr/share/doc/{package}")
        folder = link.target.rpartition("/")[2] if link is not None else package
        return self.text(f"usr/share/doc/{folder}/copyright")

    def text(self, path: str) -> str:
        """What a file says that tells of packages; empty when it is not there."""
        file = self.files.get(path)
        return file.content.decode("utf-8", "replace") if file is not None else ""


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
            files[path] = ImageFile(
                path=path,
                mode=member.mode,
                uid=member.uid,
                gid=member.gid,
                size=0,
                sha256="",
                target=member.linkname,
            )


def _file(layer: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> ImageFile:
    source = layer.extractfile(member)
    if source is None:
        raise ValueError(f"{path} has no content")
    digest, kept = hashlib.sha256(), bytearray()
    wanted = member.size <= _LARGEST_KEPT and _tells_of_packages(path)
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


def _tells_of_packages(path: str) -> bool:
    return path in _RELEASE or is_dpkg_record(path) or _COPYRIGHT.fullmatch(path) is not None or is_python_record(path)


def _clean(name: str) -> str:
    return name.removeprefix("./").strip("/")


def _forget(files: dict[str, ImageFile], folders: set[str], gone: str, *, whole: bool) -> None:
    """Forget what is below ``gone``, and with ``whole`` that itself."""

    def is_gone(path: str) -> bool:
        return not gone or path.startswith(f"{gone}/") or (whole and path == gone)

    for path in [path for path in files if is_gone(path)]:
        del files[path]
    folders.difference_update({path for path in folders if is_gone(path)})
