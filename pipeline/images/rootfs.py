"""From packages to one layer: a file tree that is collected once and written sorted, with fixed times and owners.

Contents go to a scratch file that the caller gives, so that memory stays at one copy buffer whatever packages weigh.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import IO, BinaryIO

from pipeline.errors import FetchTrouble
from pipeline.images import ustar
from pipeline.images.deb import Control, DebReader, Member
from pipeline.images.ustar import Entry, Kind

_COPY = 1024 * 1024
MERGED = ("bin", "lib", "lib64", "sbin")
STATUS_FOLDER = "var/lib/dpkg/status.d"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """What was written: ``diff_id`` is the tar's "sha256:<hex>", ``size_bytes`` the tar's length."""

    diff_id: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Node:
    entry: Entry
    offset: int = 0
    owner: str = ""


class FileTree:
    """The tree of one base while it is collected. ``scratch`` is an empty seekable file for the contents.

    ``wanted`` says of a package's path whether it is kept. Set-user-id and set-group-id bits are never kept: nothing in
    a base may gain rights. Owners become 0:0, as no maintainer script is here to make others.
    """

    def __init__(self, scratch: BinaryIO, wanted: Callable[[str], bool]) -> None:
        self._scratch = scratch
        self._wanted = wanted
        self._nodes: dict[str, _Node] = {}
        self._folder_modes: dict[str, int] = {}
        self._controls: list[Control] = []

    def add_package(self, stream: BinaryIO, label: str) -> None:
        """Add the wanted files of a .deb.

        Raises ``FetchTrouble`` when it is malformed or claims a path that an earlier package owns.
        """
        reader = DebReader(stream, label)
        name = reader.control.field("Package")
        for member, content in reader.members():
            path = _merged(member.entry.path)
            if member.entry.kind is Kind.FOLDER:
                self._folder_modes.setdefault(path, member.entry.mode & 0o1777)
            elif self._wanted(path):
                self._add_member(path, member, content, name)
        self._controls.append(reader.control)

    def add_package_records(self) -> None:
        """Add what scanners read: each package's control file, and the md5sums of those of its files that are there."""
        for control in self._controls:
            name = control.field("Package")
            self.add_file(f"{STATUS_FOLDER}/{name}", control.text.encode())
            sums = [line for line in control.md5sums.splitlines() if self._owned(line, name)]
            if sums:
                self.add_file(f"{STATUS_FOLDER}/{name}.md5sums", "".join(line + "\n" for line in sums).encode())

    def add_file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        """Add a file of our own making."""
        offset = self._scratch.seek(0, 2)
        self._scratch.write(content)
        self._put(_Node(Entry(path=path, kind=Kind.FILE, mode=mode, size=len(content)), offset))

    def add_link(self, path: str, target: str) -> None:
        """Add a symbolic link of our own making."""
        self._put(_Node(Entry(path=path, kind=Kind.SYMLINK, mode=0o777, target=target)))

    def add_folder(self, path: str, mode: int = 0o755, *, owner: int = 0) -> None:
        """Add a folder that is there even when nothing is in it; ``owner`` is both its user and its group."""
        self._put(_Node(Entry(path=path, kind=Kind.FOLDER, mode=mode, uid=owner, gid=owner)))

    def take(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Remove the files below a folder and yield them, (path, content), sorted by path."""
        for path in sorted(path for path in self._nodes if path.startswith(prefix)):
            node = self._nodes.pop(path)
            self._scratch.seek(node.offset)
            yield path, self._scratch.read(node.entry.size)

    def entries(self) -> list[Entry]:
        """Return everything that will be written, sorted by path, the folders that hold something included."""
        found = {path: node.entry for path, node in self._nodes.items()}
        for path in list(found):
            for parent in _parents(path):
                above = found.setdefault(parent, self._folder(parent))
                if above.kind is not Kind.FOLDER:
                    raise FetchTrouble(f"The base image can't hold /{path}, since /{parent} is no folder.")
        return [found[path] for path in sorted(found)]

    def write(self, out: BinaryIO, mtime: int) -> LayerFacts:
        """Write the layer as a tar: sorted by path, every time ``mtime`` (seconds since 1970)."""
        hashing = HashingWriter(out)
        for entry in self.entries():
            hashing.write(ustar.header(entry, mtime))
            if entry.kind is Kind.FILE:
                self._scratch.seek(self._nodes[entry.path].offset)
                copy_exactly(self._scratch, hashing, entry.size)
                hashing.write(b"\0" * (-entry.size % ustar.BLOCK))
        hashing.write(b"\0" * (2 * ustar.BLOCK))
        return LayerFacts(diff_id="sha256:" + hashing.hexdigest(), size_bytes=hashing.size)

    def _add_member(self, path: str, member: Member, content: IO[bytes], owner: str) -> None:
        entry = replace(member.entry, path=path, mode=member.entry.mode & 0o777)
        offset = 0
        if member.same_as:
            same = self._nodes.get(_merged(member.same_as))
            if same is None or same.owner != owner:
                raise FetchTrouble(f"{owner}: {path} is a hard link to {member.same_as}, which is not in the base.")
            entry, offset = replace(entry, size=same.entry.size), same.offset
        elif entry.kind is Kind.FILE:
            offset = self._scratch.seek(0, 2)
            shutil.copyfileobj(content, self._scratch, _COPY)
        self._put(_Node(entry, offset, owner))

    def _put(self, node: _Node) -> None:
        earlier = self._nodes.get(node.entry.path)
        if earlier is not None:
            raise FetchTrouble(
                f"/{node.entry.path} is made twice: by {earlier.owner or 'us'} and by {node.owner or 'us'}."
            )
        self._nodes[node.entry.path] = node

    def _folder(self, path: str) -> Entry:
        return Entry(path=path, kind=Kind.FOLDER, mode=self._folder_modes.get(path, 0o755))

    def _owned(self, line: str, owner: str) -> bool:
        """Say whether a line of md5sums ("<digest>  <path>") is about a file that this package brought in."""
        node = self._nodes.get(_merged(line.partition("  ")[2].strip()))
        return node is not None and node.owner == owner


class HashingWriter:
    """A writer that passes on to another and knows the SHA-256 and the length of what went through."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Write, hash and count."""
        self._digest.update(data)
        self.size += len(data)
        return self._out.write(data)

    def hexdigest(self) -> str:
        """Return the SHA-256 of everything written so far, in hex."""
        return self._digest.hexdigest()


def copy_exactly(source: IO[bytes], out: BinaryIO | HashingWriter, size: int) -> None:
    """Copy ``size`` bytes; raises ``FetchTrouble`` when the source ends early."""
    while size:
        chunk = source.read(min(size, _COPY))
        if not chunk:
            raise FetchTrouble("A file that a base image is made of ended early.")
        out.write(chunk)
        size -= len(chunk)


def _merged(path: str) -> str:
    # A package may still name /lib/x or ship the link /lib itself; with a merged /usr both mean usr/lib.
    return f"usr/{path}" if path.split("/", 1)[0] in MERGED else path


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
