"""Tar headers with fixed bytes: what makes two layers of the same content equal.

Our own forty lines, because the bytes are part of an image's identity: the standard library's writer has changed how it
fills unused fields between Python releases. Reading stays with ``tarfile``. Format: POSIX.1-1988 "ustar", pax(1).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from pipeline.errors import FetchTrouble

BLOCK = 512
_NAME_BYTES = 100
_PREFIX_BYTES = 155
_LARGEST = 8**11 - 1


class Kind(enum.Enum):
    """What an entry is; the values are ustar's type flags."""

    FILE = b"0"
    HARDLINK = b"1"
    SYMLINK = b"2"
    FOLDER = b"5"
    EXTENDED = b"x"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file, link or folder. ``path`` is relative, without a leading ``./``; ``size`` is in bytes."""

    path: str
    kind: Kind
    mode: int
    size: int = 0
    target: str = ""
    uid: int = 0
    gid: int = 0


def header(entry: Entry, mtime: int) -> bytes:
    """Return the 512 bytes that announce ``entry``; ``mtime`` is in seconds since 1970.

    Raises ``FetchTrouble`` for what ustar can't hold: a path above 255 bytes, a link target above 100, a file of 8 GiB.
    """
    path = entry.path + "/" if entry.kind is Kind.FOLDER else entry.path
    prefix, name = _split(path.encode())
    target = entry.target.encode()
    if len(target) > _NAME_BYTES or entry.size > _LARGEST:
        raise FetchTrouble(f"{entry.path} does not fit into a ustar header: its link target or its size is too large.")
    fields = b"".join(
        (
            name.ljust(_NAME_BYTES, b"\0"),
            _octal(entry.mode, 8),
            _octal(entry.uid, 8),
            _octal(entry.gid, 8),
            _octal(entry.size, 12),
            _octal(mtime, 12),
            b" " * 8,
            entry.kind.value,
            target.ljust(_NAME_BYTES, b"\0"),
            b"ustar\x0000",
            b"\0" * 64,
            _octal(0, 8),
            _octal(0, 8),
            prefix.ljust(_PREFIX_BYTES, b"\0"),
        )
    ).ljust(BLOCK, b"\0")
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def extended_header(entry: Entry, mtime: int, attributes: Mapping[str, bytes]) -> bytes:
    """Return everything that announces ``entry``, with the records that ustar has no room for in front (pax(1)).

    ``attributes`` are further records by keyword, like ``SCHILY.xattr.<name>``. Raises ``FetchTrouble`` for a file of
    8 GiB.
    """
    records, short = dict(attributes), entry
    if len(entry.target.encode()) > _NAME_BYTES:
        records["linkpath"] = entry.target.encode()
        short = replace(short, target=_cut(entry.target))
    if not _fits(entry.path):
        records["path"] = entry.path.encode()
        short = replace(short, path=_cut(entry.path))
    if not records:
        return header(entry, mtime)
    body = b"".join(_record(name.encode(), records[name]) for name in sorted(records))
    before = Entry(path=_cut(f"PaxHeaders/{short.path}"), kind=Kind.EXTENDED, mode=0o644, size=len(body))
    return header(before, mtime) + body + b"\0" * (-len(body) % BLOCK) + header(short, mtime)


def pad(out: BinaryIO, size: int) -> None:
    """Fill the last block of a file of ``size`` bytes."""
    out.write(b"\0" * (-size % BLOCK))


def finish(out: BinaryIO) -> None:
    """Write the two zero blocks that end an archive."""
    out.write(b"\0" * (2 * BLOCK))


def _fits(path: str) -> bool:
    try:
        # One byte more than the path: a folder's ends in a slash.
        _split(f"{path}/".encode())
    except FetchTrouble:
        return False
    return True


def _cut(text: str) -> str:
    """What of a name fits, for readers that do not know the record in front of it."""
    return text.encode()[: _NAME_BYTES - 1].decode("utf-8", "ignore").rstrip("/")


def _record(name: bytes, value: bytes) -> bytes:
    """``<length> <name>=<value>`` and a line's end, the length counting itself (pax(1), "Extended Header")."""
    rest = b" %s=%s\n" % (name, value)
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _octal(number: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, number)


def _split(path: bytes) -> tuple[bytes, bytes]:
    """Return (prefix, name): a path above 100 bytes is cut at the first slash that leaves a name of at most 100."""
    if len(path) <= _NAME_BYTES:
        return b"", path
    cut = path.find(b"/", len(path) - _NAME_BYTES - 1)
    if cut < 1 or cut > _PREFIX_BYTES or cut == len(path) - 1:
        raise FetchTrouble(f"The path {path.decode()!r} does not fit into a ustar header.")
    return path[:cut], path[cut + 1 :]
