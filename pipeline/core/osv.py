"""Advisory records in the OSV format, and which versions of a package they are about.

The format is https://ossf.github.io/osv-schema/ (1.x), the algorithm that schema's "Evaluation". Only what decides an
audit is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from pipeline.core.version_order import Comparable, Order, order_of, pep440, spellings

ECOSYSTEM = "PyPI"
_ORDERED = ("ECOSYSTEM", "SEMVER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One point of a range, one of the four. ``introduced`` "0" is before every version, ``limit`` "*" after."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Versions between events. Types ECOSYSTEM and SEMVER are ordered here; GIT ranges name commits, no versions."""

    type: str
    events: tuple[Event, ...] = ()

    def holds(self, version: str, order: Order | None = None) -> bool | None:
        """Whether ``version`` lies in the range; none when one of the versions has no place in its order.

        ``order`` is that of another ecosystem than PyPI.
        """
        place = order or order_of(self.type, version)
        at = place(version)
        texts = {text for e in self.events for text in (e.introduced, e.fixed, e.last_affected, e.limit) if text}
        places = {text: place(text) for text in texts - {"0", "*"}}
        if at is None or None in places.values():
            return None
        limits = [e.limit for e in self.events if e.limit is not None]
        if limits and not any(limit == "*" or at < places[limit] for limit in limits):
            return False
        return _walk(self.events, at, places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package by ecosystem and name, as the record spells it."""

    ecosystem: str
    name: str

    @property
    def pypi_name(self) -> str:
        """The canonical name (PEP 503) of a package of PyPI; empty for one of another ecosystem."""
        return canonicalize_name(self.name) if self.ecosystem.partition(":")[0] == ECOSYSTEM else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """A severity: ``type`` is CVSS_V2, CVSS_V3 or CVSS_V4 (or another scheme), ``score`` its vector."""

    type: str
    score: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """A package and its affected versions, as ranges and as a list."""

    package: Package | None = None
    ranges: tuple[Range, ...] | None = None
    versions: tuple[str, ...] | None = None
    severity: tuple[Rating, ...] | None = None
    ecosystem_specific: Mapping[str, Any] | None = None

    def holds(self, version: str) -> bool:
        """Whether this version of the package is affected.

        A range with a version that has no place in its order can't be evaluated. Then the list of versions decides;
        where there is none, the version counts as affected: not knowing is not harmless.
        """
        return any(self._holds(spelling) for spelling in spellings(version))

    def _holds(self, version: str) -> bool:
        if listed(version, self.versions or ()):
            return True
        answers = [r.holds(version) for r in self.ranges or () if r.type in _ORDERED]
        return True in answers or (None in answers and not self.versions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One advisory. ``modified`` has a zone; ``withdrawn`` is when it was taken back, if it was."""

    id: str
    modified: datetime
    affected: tuple[Affected, ...] | None = None
    aliases: tuple[str, ...] | None = None
    severity: tuple[Rating, ...] | None = None
    withdrawn: str | None = None
    summary: str = ""
    details: str = ""
    database_specific: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ids(self) -> frozenset[str]:
        """The record's id and all of its aliases."""
        return frozenset((self.id, *(self.aliases or ())))

    @property
    def packages(self) -> frozenset[str]:
        """The canonical names of the PyPI packages that it is about."""
        return frozenset(a.package.pypi_name for a in self.affected or () if a.package and a.package.pypi_name)

    def about(self, name: str) -> tuple[Affected, ...]:
        """What it says of the PyPI package with this canonical name."""
        return tuple(a for a in self.affected or () if a.package and a.package.pypi_name == name)

    def affects(self, name: str, version: str) -> bool:
        """Whether it is in force and about this version of the package with this canonical name."""
        return not self.withdrawn and any(a.holds(version) for a in self.about(name))

    def fixed(self, name: str) -> frozenset[Version]:
        """The versions that end an affected range of the package; those that PEP 440 does not know are left out."""
        found = (
            pep440(e.fixed)
            for a in self.about(name)
            for r in a.ranges or ()
            if r.type in _ORDERED
            for e in r.events
            if e.fixed
        )
        return frozenset(version for version in found if version is not None)

    def ratings(self, name: str) -> tuple[Rating, ...]:
        """Its own severities and those it gives for the package."""
        return (*(self.severity or ()), *(rating for a in self.about(name) for rating in a.severity or ()))


def listed(version: str, versions: Iterable[str]) -> bool:
    """Whether ``version`` is among ``versions``, which may be spelt differently (``1.0`` is ``1.0.0``)."""
    wanted = pep440(version)
    return any(version == text or (wanted is not None and pep440(text) == wanted) for text in versions)


def _walk(events: tuple[Event, ...], at: Comparable, places: Mapping[str, Comparable | None]) -> bool:
    """The state of a version after all events up to it. Events at one version keep their order in the record."""
    affected = any(e.introduced == "0" for e in events)
    steps: list[tuple[Any, Event]] = [(places.get(e.introduced or e.fixed or e.last_affected or ""), e) for e in events]
    for place, event in sorted((s for s in steps if s[0] is not None), key=lambda step: step[0]):
        if event.last_affected is not None:
            affected = affected and not at > place
        elif at >= place:
            affected = event.introduced is not None
    return affected
