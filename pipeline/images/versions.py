"""Which of two Debian package versions is newer: Debian Policy 5.6.12, and nothing else."""

from __future__ import annotations

import re
from functools import total_ordering

from pipeline.errors import FetchTrouble

_VERSION = re.compile(
    r"(?:(?P<epoch>[0-9]+):)?(?P<upstream>[0-9][A-Za-z0-9.+:~-]*?(?<!-))(?:-(?P<revision>[A-Za-z0-9+.~]+))?"
)
_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_END = 0
_TILDE = -1
_AFTER_LETTERS = 256


@total_ordering
class DebianVersion:
    """A version that orders as dpkg orders it. Raises ``FetchTrouble`` for text that is no version (Policy 5.6.12)."""

    __slots__ = ("_key", "text")

    def __init__(self, text: str) -> None:
        match = _VERSION.fullmatch(text)
        if match is None:
            raise FetchTrouble(f"{text!r} is not a Debian package version.")
        self.text = text
        self._key = (int(match["epoch"] or 0), _order(match["upstream"]), _order(match["revision"] or "0"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DebianVersion) and self._key == other._key

    def __lt__(self, other: DebianVersion) -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"DebianVersion({self.text!r})"


def debian_order(text: str) -> DebianVersion | None:
    """The place of a version among others; none for a text that is no version."""
    try:
        return DebianVersion(text)
    except FetchTrouble:
        return None


def _order(text: str) -> tuple[tuple[tuple[int, ...], int], ...]:
    """Return a key: alternating runs of non-digits and digits, the tilde before the end, letters before the rest."""
    return tuple(
        ((*(_weight(char) for char in letters), _END), int(digits or 0)) for letters, digits in _PARTS.findall(text)
    )


def _weight(char: str) -> int:
    if char == "~":
        return _TILDE
    return ord(char) if char.isalpha() else ord(char) + _AFTER_LETTERS
