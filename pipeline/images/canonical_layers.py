"""The layers that an engine has made, in the one form that depends on their files only.

Engines stamp times, keep the order of a disk, and note folders that a step merely passed through. Here a layer is
sorted, its times are one, owners are numbers, and a folder that is below already, just so, is left out. What the
base brought stays as it is, byte for byte. Format: OCI Image Layer Specification; pax(1).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from pipeline.errors import TargetFault
from pipeline.images import ustar
from pipeline.images.rootfs import HashingWriter, LayerFacts
from pipeline.images.ustar import Entry, Kind

TIME = 315532800
"""The time of every file above the base, in seconds since 1970: when a step ran says nothing about its outcome.

It is the first moment of 1980, the earliest that a ZIP archive can hold.
"""

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_ATTRIBUTE = "SCHILY.xattr."
_MODE = 0o7777
_COPY = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Member:
    entry: Entry
    attributes: tuple[tuple[str, str], ...] = ()
    info: tarfile.TarInfo | None = None


@dataclass(slots=True)
class LayersBelow:
    """The folders that the layers so far make, by path, each with its mode and owners."""

    folders: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def take_in(self, layer: tarfile.TarFile) -> None:
        """Lay a layer over the others as it is."""
        self._lay(_member(info, {}) for info in layer if _clean(info.name))

    def rewrite(self, layer: tarfile.TarFile, out: IO[bytes]) -> LayerFacts | None:
        """Write the layer in its canonical form, and lay it over the others; none when nothing of it is left.

        Raises:
            TargetFault: it holds a device or a pipe, which no image needs.
        """
        members = self._members(layer)
        kept = [members[path] for path in sorted(members) if not self._is_below(members[path])]
        self._lay(iter(kept))
        if not kept:
            return None
        hashing = HashingWriter(out)
        for member in kept:
            attributes = {name: value.encode("utf-8", "surrogateescape") for name, value in member.attributes}
            hashing.write(ustar.extended_header(member.entry, TIME, attributes))
            if member.info is not None:
                _copy(layer.extractfile(member.info), hashing)
                hashing.write(b"\0" * (-member.entry.size % ustar.BLOCK))
        hashing.write(b"\0" * (2 * ustar.BLOCK))
        return LayerFacts(diff_id=f"sha256:{hashing.hexdigest()}", size_bytes=hashing.size)

    def _members(self, layer: tarfile.TarFile) -> dict[str, _Member]:
        """The members by path; of several names of one file the first holds it, and the others are links to that."""
        infos = {_clean(info.name): info for info in layer if _clean(info.name)}
        names: dict[str, list[str]] = {}
        for path, info in infos.items():
            if info.islnk():
                names.setdefault(_clean(info.linkname), []).append(path)
        members = {path: _member(info, infos) for path, info in infos.items()}
        for held, others in names.items():
            first, *rest = sorted({held, *others})
            members[first] = _member(infos[held], infos, path=first)
            for path in rest:
                entry = members[first].entry
                members[path] = _Member(
                    Entry(path=path, kind=Kind.HARDLINK, mode=entry.mode, target=first, uid=entry.uid, gid=entry.gid)
                )
        return members

    def _is_below(self, member: _Member) -> bool:
        entry = member.entry
        same = self.folders.get(entry.path) == (entry.mode, entry.uid, entry.gid)
        return entry.kind is Kind.FOLDER and same and not member.attributes

    def _lay(self, members: Iterator[_Member]) -> None:
        for entry in [member.entry for member in members]:
            folder, _, name = entry.path.rpartition("/")
            if name == _OPAQUE:
                self._forget(f"{folder}/")
            elif name.startswith(_WHITEOUT):
                gone = f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/")
                self.folders.pop(gone, None)
                self._forget(f"{gone}/")
            elif entry.kind is Kind.FOLDER:
                self.folders[entry.path] = (entry.mode, entry.uid, entry.gid)
            else:
                self.folders.pop(entry.path, None)

    def _forget(self, below: str) -> None:
        for path in [path for path in self.folders if path.startswith(below)]:
            del self.folders[path]


def _member(info: tarfile.TarInfo, infos: dict[str, tarfile.TarInfo], *, path: str = "") -> _Member:
    path, mode = path or _clean(info.name), info.mode & _MODE
    attributes = tuple(sorted((k, v) for k, v in info.pax_headers.items() if k.startswith(_ATTRIBUTE)))
    if path.rpartition("/")[2].startswith(_WHITEOUT):
        return _Member(Entry(path=path, kind=Kind.FILE, mode=0o600))
    if info.isdir():
        return _Member(Entry(path=path, kind=Kind.FOLDER, mode=mode, uid=info.uid, gid=info.gid), attributes)
    if info.issym():
        entry = Entry(path=path, kind=Kind.SYMLINK, mode=0o777, target=info.linkname, uid=info.uid, gid=info.gid)
        return _Member(entry, attributes)
    if info.islnk() and (not infos or _clean(info.linkname) in infos):
        # Its group is put together once all members are known.
        return _Member(Entry(path=path, kind=Kind.HARDLINK, mode=mode, target=_clean(info.linkname)))
    if not info.isreg():
        raise TargetFault(
            f"The image holds /{path}, which is no file, folder or link.",
            advice="Let no step of the recipe make a device or a pipe, or a hard link into a lower layer.",
        )
    entry = Entry(path=path, kind=Kind.FILE, mode=mode, size=info.size, uid=info.uid, gid=info.gid)
    return _Member(entry, attributes, info)


def _copy(source: IO[bytes] | None, out: HashingWriter) -> None:
    if source is None:
        raise ValueError("a file has no content")
    while piece := source.read(_COPY):
        out.write(piece)


def _clean(name: str) -> str:
    path = name.removeprefix("./").strip("/")
    return "" if path == "." else path
