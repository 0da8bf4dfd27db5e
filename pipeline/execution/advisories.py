"""Reading an OSV export zip: a snapshot of advisories, one ``<ID>.json`` each, as osv.dev publishes it for an
ecosystem.

It comes from outside, so it is believed only whole: what is damaged, oversized or out of place refuses all of it,
because an advisory that is passed over reads as "not vulnerable". Nothing is unpacked to the disk, and nothing is
cached: 2,661 records take 0.15 s.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

import msgspec

from pipeline.core.advisories import AdvisoryIndex, index_of
from pipeline.core.debian_advisories import DebianIndex, debian_index
from pipeline.core.osv import ECOSYSTEM, Record
from pipeline.core.version_order import Order
from pipeline.errors import StorageTrouble

ADVICE = "Fetch it again: it is OSV's own export, PyPI/all.zip or Debian/all.zip."
_ENCRYPTED = 0x1
_END = struct.Struct("<10xH10x")
_END_64 = struct.Struct("<32xQ16x")
_LOCATOR_64_BYTES = 20
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a snapshot may hold; sizes in bytes, unpacked. OSV's export for PyPI is a small part of each."""

    entries: int = 500_000
    entry_bytes: int = 16 * 2**20
    total_bytes: int = 2 * 2**30
    ratio: int = 200


def read_export(path: Path, limits: Limits | None = None) -> AdvisoryIndex:
    """The index of the advisories in the zip at ``path``.

    Raises:
        StorageTrouble: it can't be read, is damaged, holds too much or something other than advisories, or none for
            PyPI.
    """
    digest, records = _whole(path, limits or Limits())
    index = index_of(records, sha256=digest) if records else None
    if index is None or not index.by_package:
        _refuse(path.name, f"it holds no advisory for a package of {ECOSYSTEM}")
    return index


def read_debian_export(path: Path, order: Order, limits: Limits | None = None) -> DebianIndex:
    """The index of the advisories for Debian in the zip at ``path``; ``order`` is dpkg's. Raises StorageTrouble."""
    digest, records = _whole(path, limits or Limits())
    index = debian_index(records, sha256=digest, order=order) if records else None
    if index is None or not index.by_source:
        _refuse(path.name, "it holds no advisory for a package of Debian")
    return index


def _whole(path: Path, limits: Limits) -> tuple[str, tuple[Record, ...]]:
    """The zip's SHA-256 and all of its records."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            records = tuple(_records(path.name, file, limits))
    except OSError as error:
        raise StorageTrouble(
            f"The advisory snapshot {path.name} can't be read: {error.strerror or error}.", advice=ADVICE
        ) from error
    _check_ids(path.name, records)
    return digest, records


def _records(name: str, file: IO[bytes], limits: Limits) -> Iterator[Record]:
    decoder = msgspec.json.Decoder(Record)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if archive.comment or _declared(file) != len(entries):
                # zipfile reads on past a broken entry, and what that entry swallowed would be missing without a word.
                _refuse(name, "it is damaged (its directory does not hold what it counts)")
            _check_size(name, entries, limits)
            for entry in entries:
                _check_entry(name, entry, limits)
                yield _record(name, entry, archive.read(entry), decoder)
    except _DAMAGE as error:
        # zipfile tells of damage in all of these ways, and reads no more than the size that an entry declares.
        _refuse(name, f"it is damaged ({error})", error)


def _declared(file: IO[bytes]) -> int:
    """The number of entries by the archive's last record, with no comment behind it (APPNOTE.TXT, 4.3.14, 4.3.16)."""
    file.seek(-_END.size, 2)
    (count,) = _END.unpack(file.read(_END.size))
    if count == 0xFFFF:
        file.seek(-_END.size - _LOCATOR_64_BYTES - _END_64.size, 2)
        (count,) = _END_64.unpack(file.read(_END_64.size))
    return int(count)


def _record(name: str, entry: zipfile.ZipInfo, content: bytes, decoder: msgspec.json.Decoder[Record]) -> Record:
    try:
        record = decoder.decode(content)
    except msgspec.MsgspecError as error:
        _refuse(name, f"its entry {entry.filename!r} is no OSV record ({error})", error)
    if not record.id or record.modified.tzinfo is None:
        _refuse(name, f"its entry {entry.filename!r} has no id, or its date no zone")
    return record


def _check_size(name: str, entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(entries) > limits.entries:
        _refuse(name, f"it holds {len(entries)} entries, and {limits.entries} are allowed")
    total = sum(entry.file_size for entry in entries)
    if total > limits.total_bytes:
        _refuse(name, f"it would unpack to {total} bytes, and {limits.total_bytes} are allowed")


def _check_entry(name: str, entry: zipfile.ZipInfo, limits: Limits) -> None:
    shown = repr(entry.filename)
    if (
        entry.filename != entry.orig_filename
        or "/" in entry.filename
        or "\\" in entry.filename
        or entry.filename.startswith(".")
    ):
        _refuse(name, f"its entry {shown} has a path, and advisories lie side by side")
    if not entry.filename.endswith(".json"):
        _refuse(name, f"its entry {shown} is no advisory")
    if entry.flag_bits & _ENCRYPTED:
        _refuse(name, f"its entry {shown} is encrypted")
    if entry.file_size > limits.entry_bytes:
        _refuse(
            name, f"its entry {shown} would unpack to {entry.file_size} bytes, and {limits.entry_bytes} are allowed"
        )
    if entry.file_size > limits.ratio * max(entry.compress_size, 1):
        _refuse(name, f"its entry {shown} is packed more than {limits.ratio} to 1")


def _check_ids(name: str, records: tuple[Record, ...]) -> None:
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            _refuse(name, f"it holds {record.id!r} twice, and only one of them can be right")
        seen.add(record.id)


def _refuse(name: str, why: str, cause: BaseException | None = None) -> NoReturn:
    raise StorageTrouble(f"The advisory snapshot {name} is refused: {why}.", advice=ADVICE) from cause
