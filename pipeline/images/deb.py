"""Reads a Debian binary package: an ``ar`` archive of two compressed tars, deb(5).

The ``ar`` reader is our own thirty lines: the library that knows the format, python-debian, is under the GPL, which
this project's licence can't take in. Nothing is unpacked to a disk here; members are handed on as a stream, in the
package's order.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO

from pipeline.errors import FetchTrouble
from pipeline.images.ustar import Entry, Kind

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60
_CONTROL_LIMIT = 4 * 1024 * 1024
_BROKEN = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One path of a package. ``same_as`` names an earlier file of it for a hard link, else it is empty."""

    entry: Entry
    same_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The package's own description: the ``control`` file as text and, where there is one, ``md5sums``."""

    text: str
    md5sums: str

    def field(self, name: str) -> str:
        """Return the first line of a field such as ``Package`` or ``Version``; empty when absent (Policy 5.1)."""
        for line in self.text.splitlines():
            key, colon, value = line.partition(":")
            if colon and key.lower() == name.lower():
                return value.strip()
        return ""


class DebReader:
    """A package opened for one pass: ``control`` at once, then ``members()``.

    ``stream`` is read forward only. ``label`` names the package in messages. Every malformed thing raises
    ``FetchTrouble``: a wrong magic number, an unknown compression, an absolute path or one with ``..``, a device.
    """

    def __init__(self, stream: BinaryIO, label: str) -> None:
        self._label = label
        try:
            parts = _ar_members(stream)
            version = self._part(parts, "debian-binary")[1].read(8)
            if not version.startswith(b"2."):
                raise self._malformed(f"its format version is {version!r}, not 2.x")
            self._control = self._read_control(*self._part(parts, "control.tar"))
            self._data = self._part(parts, "data.tar")
        except _BROKEN as trouble:
            raise self._malformed(str(trouble)) from trouble

    @property
    def control(self) -> Control:
        """The package's description, read when it was opened."""
        return self._control

    def members(self) -> Iterator[tuple[Member, IO[bytes]]]:
        """Yield each path of the package with its content (empty for what is no file); read it before the next."""
        try:
            with _open_tar(*self._data) as tar:
                for info in tar:
                    member = self._member(info)
                    if member is not None:
                        yield member, (tar.extractfile(info) if info.isreg() else None) or io.BytesIO()
        except _BROKEN as trouble:
            raise self._malformed(str(trouble)) from trouble

    def _part(self, parts: Iterator[tuple[str, IO[bytes]]], name: str) -> tuple[str, IO[bytes]]:
        # deb(5): the order is fixed; members whose name begins with an underscore may stand in between.
        for found, content in parts:
            if found == name or found.startswith(name + "."):
                return found, content
            if not found.startswith("_"):
                break
        raise self._malformed(f"the part {name} is not where deb(5) puts it")

    def _read_control(self, name: str, content: IO[bytes]) -> Control:
        texts = {"control": "", "md5sums": ""}
        with _open_tar(name, content) as tar:
            for info in tar:
                key = info.name.removeprefix("./")
                if key in texts and info.isreg():
                    if info.size > _CONTROL_LIMIT:
                        raise self._malformed(f"its {key} file has {info.size} bytes")
                    source = tar.extractfile(info)
                    texts[key] = source.read().decode() if source else ""
        control = Control(text=texts["control"], md5sums=texts["md5sums"])
        if not control.field("Package") or not control.field("Version"):
            raise self._malformed("its control file names no package or no version")
        return control

    def _member(self, info: tarfile.TarInfo) -> Member | None:
        path = self._clean(info.name)
        if not path:
            return None
        mode = info.mode & 0o7777
        if info.isreg():
            return Member(entry=Entry(path=path, kind=Kind.FILE, mode=mode, size=info.size))
        if info.isdir():
            return Member(entry=Entry(path=path, kind=Kind.FOLDER, mode=mode))
        if info.issym():
            return Member(entry=Entry(path=path, kind=Kind.SYMLINK, mode=0o777, target=info.linkname))
        if info.islnk():
            return Member(entry=Entry(path=path, kind=Kind.FILE, mode=mode), same_as=self._clean(info.linkname))
        raise self._malformed(f"{path} is a device, a pipe or something else that no base needs")

    def _clean(self, name: str) -> str:
        path = name.removeprefix("./").rstrip("/")
        if name.startswith("/") or "\0" in path or any(part in ("..", "") for part in path.split("/") if path):
            raise self._malformed(f"the path {name!r} leads out of the package")
        return "" if path == "." else path

    def _malformed(self, reason: str) -> FetchTrouble:
        return FetchTrouble(f"{self._label} is not a Debian package that can be used: {reason}.")


class _Bounded(io.RawIOBase):
    """The next ``size`` bytes of a stream as a stream of their own; ending early is an error."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        super().__init__()
        self._source = source
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the stub wants a WriteableBuffer
        data = self._source.read(min(len(buffer), self._left))
        if not data and self._left:
            raise EOFError("the file ends early")
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)

    def skip(self) -> None:
        """Read on to the end of this part."""
        while self.read(65536):
            pass


def _ar_members(stream: BinaryIO) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield (name, content) of a common ``ar`` archive; a content is dead as soon as the next one is asked for."""
    if stream.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise ValueError("it does not begin like an ar archive")
    while head := stream.read(_AR_HEADER):
        if len(head) != _AR_HEADER or head[58:] != b"`\n" or not head[48:58].strip().isdigit():
            raise ValueError("an ar header is damaged")
        size = int(head[48:58])
        content = _Bounded(stream, size)
        yield head[:16].decode("ascii").strip().rstrip("/"), io.BufferedReader(content)
        content.skip()
        if size % 2:
            stream.read(1)


def _open_tar(name: str, content: IO[bytes]) -> tarfile.TarFile:
    if name.endswith(".xz"):
        return tarfile.open(fileobj=content, mode="r|xz")
    if name.endswith(".gz"):
        return tarfile.open(fileobj=content, mode="r|gz")
    if name.endswith(".tar"):
        return tarfile.open(fileobj=content, mode="r|")
    # Debian's own archive uses xz only (gz in a few); zstd is Ubuntu's, and the standard library learns it in 3.14.
    raise ValueError(f"{name} is compressed in a way that Debian's archive does not use")
