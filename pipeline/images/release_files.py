"""Reads a Debian archive's own lists: the signed Release file and the Packages index (repository format, deb822(5))."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pipeline.errors import FetchTrouble

_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"
_SHA256_LINE = re.compile(r"\s*([0-9a-f]{64})\s+([0-9]+)\s+(\S+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """One index that a Release file vouches for: its SHA-256 in hex and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a Release file says: who publishes it, which suite it is, when it was made, and its indexes by path."""

    origin: str
    label: str
    codename: str
    date: datetime
    valid_until: datetime | None
    indexes: Mapping[str, IndexFile]


def signed_text(text: str) -> str:
    """Return what the signature of an InRelease file covers (RFC 4880 section 7); text outside of it is refused.

    Whether the signature is right is not this function's question. Raises ``FetchTrouble`` for any other shape.
    """
    head, separator, rest = text.partition("\n\n")
    first, *armour = head.splitlines() or [""]
    body, end, _ = rest.partition("\n" + _SIGNATURE)
    if first != _SIGNED or not separator or not end or any(not line.startswith("Hash: ") for line in armour):
        raise FetchTrouble("An InRelease file is not one signed message.")
    return "\n".join(line.removeprefix("- ") for line in body.splitlines()) + "\n"


def parse_release(text: str) -> Release:
    """Return the Release file in ``text``. Raises ``FetchTrouble`` when a needed field is missing or unreadable."""
    fields = dict(_fields(text.splitlines()))
    try:
        return Release(
            origin=fields["Origin"],
            label=fields["Label"],
            codename=fields["Codename"],
            date=_date(fields["Date"]),
            valid_until=_date(fields["Valid-Until"]) if "Valid-Until" in fields else None,
            indexes=_indexes(fields.get("SHA256", "")),
        )
    except (KeyError, ValueError, TypeError) as trouble:
        raise FetchTrouble(f"A Release file can't be read: {trouble}.") from trouble


def head_fields(text: str) -> dict[str, str]:
    """Return the fields of the beginning of an InRelease or Release file, whatever follows or is missing."""
    body = text.partition("\n\n")[2] if text.startswith(_SIGNED) else text
    return dict(_fields(body.splitlines()))


def parse_packages(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield each stanza of a Packages index as its fields; continuation lines are joined with newlines."""
    stanza: list[str] = []
    for line in lines:
        if line.strip():
            stanza.append(line.rstrip("\n"))
        elif stanza:
            yield dict(_fields(stanza))
            stanza = []
    if stanza:
        yield dict(_fields(stanza))


def _fields(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    name, value = "", ""
    for line in lines:
        if line[:1] in (" ", "\t"):
            value += "\n" + line
            continue
        if name:
            yield name, value
        name, colon, value = line.partition(":")
        name, value = (name, value.strip()) if colon else ("", "")
    if name:
        yield name, value


def _indexes(text: str) -> dict[str, IndexFile]:
    found = (_SHA256_LINE.fullmatch(line) for line in text.splitlines() if line.strip())
    return {match[3]: IndexFile(sha256=match[1], size=int(match[2])) for match in found if match}


def _date(text: str) -> datetime:
    date = parsedate_to_datetime(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)
