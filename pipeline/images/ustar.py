"""Tar headers with fixed bytes: what makes two layers of the same content equal.

Our own forty lines, because the bytes are part of an image's identity: the standard library's writer has changed how it
fills unused fields between Python releases. Reading stays with ``tarfile``. Format: POSIX.1-1988 "ustar", pax(1).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import BinaryIO

from pipeline.errors import FetchTrouble

BLOCK = 512
_NAME_BYTES = 100
_PREFIX_BYTES = 155
_LARGEST = 8**11 - 1


class Kind(enum.Enum):
    """What an entry is; the values are ustar's type flags."""

    FILE = b"0"
    SYMLINK = b"2"
    FOLDER = b"5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file, symbolic link or folder. ``path`` is relative, without a leading ``./``; ``size`` is in bytes."""

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


def pad(out: BinaryIO, size: int) -> None:
    """Fill the last block of a file of ``size`` bytes."""
    out.write(b"\0" * (-size % BLOCK))


def finish(out: BinaryIO) -> None:
    """Write the two zero blocks that end an archive."""
    out.write(b"\0" * (2 * BLOCK))


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
