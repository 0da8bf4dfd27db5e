"""Which shared libraries an ELF file asks for: System V gABI, chapters 4 and 5, as far as needed."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB = 1, 5


def needed(content: bytes) -> list[str]:
    """Return the DT_NEEDED names of a 64-bit little-endian ELF file; empty for anything else."""
    if content[:6] != b"\x7fELF\x02\x01":
        return []
    table, size, count = struct.unpack_from("<Q", content, 32)[0], *struct.unpack_from("<HH", content, 54)
    segments = [struct.unpack_from("<IIQQQQ", content, table + number * size) for number in range(count)]
    dynamic = [(offset, length) for kind, _, offset, _, _, length in segments if kind == _PT_DYNAMIC]
    if not dynamic:
        return []
    entries = list(_dynamic(content, *dynamic[0]))
    strings = next(value for tag, value in entries if tag == _DT_STRTAB)
    start = next(
        offset + strings - address
        for kind, _, offset, address, _, length in segments
        if kind == _PT_LOAD and address <= strings < address + length
    )
    return [_text(content, start + value) for tag, value in entries if tag == _DT_NEEDED]


def _dynamic(content: bytes, offset: int, length: int) -> Iterator[tuple[int, int]]:
    for position in range(offset, offset + length, 16):
        tag, value = struct.unpack_from("<qQ", content, position)
        if tag == 0:
            return
        yield tag, value


def _text(content: bytes, start: int) -> str:
    return content[start : content.index(b"\0", start)].decode("ascii")
