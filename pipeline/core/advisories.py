"""The advisories of a snapshot by package, one vulnerability for all of its names, and the port that brings them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from packaging.version import Version

from pipeline.core.finding import Severity
from pipeline.core.osv import Record
from pipeline.core.version_order import pep440
from pipeline.core.vulnerability_rating import score_of, severity_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vulnerability:
    """One vulnerability of a package, whatever it is called.

    ``id`` is the name that pip-audit would prefer; ``fixed`` are the fixed versions, lowest first; ``cvss`` is the
    worst base score that a record gives it.
    """

    id: str
    aliases: tuple[str, ...] = ()
    severity: Severity = Severity.UNKNOWN
    text: str = ""
    fixed: tuple[str, ...] = ()
    cwe: tuple[int, ...] = ()
    cvss: float | None = None

    @property
    def ids(self) -> frozenset[str]:
        """Every name it has."""
        return frozenset((self.id, *self.aliases))


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisoryIndex:
    """A snapshot of advisories by canonical package name; its SHA-256, its newest change, its number of records."""

    by_package: Mapping[str, tuple[Record, ...]]
    sha256: str
    newest: datetime
    count: int

    def vulnerabilities(self, name: str, version: str) -> tuple[Vulnerability, ...]:
        """What is known of this version of the package with this canonical name, by id."""
        found = [record for record in self.by_package.get(name, ()) if record.affects(name, version)]
        joined = (_joined(group, name) for group in same(found, lambda record: record.ids))
        return tuple(sorted(joined, key=lambda v: v.id))

    def sample(self) -> tuple[str, str] | None:
        """A package and a version that this snapshot knows to be vulnerable, always the same; or none."""
        return next(
            ((name, str(version)) for name in sorted(self.by_package) for version in self._candidates(name)
             if self.vulnerabilities(name, str(version))),
            None,
        )  # fmt: skip

    def _candidates(self, name: str) -> Iterator[Version]:
        for record in self.by_package[name]:
            for about in record.about(name):
                events = [e for r in about.ranges or () for e in r.events]
                texts = (*(about.versions or ()), *(e.last_affected or e.introduced or "" for e in events))
                yield from (version for version in map(pep440, texts) if version is not None and not version.local)


def index_of(records: Iterable[Record], *, sha256: str) -> AdvisoryIndex:
    """The index of the records of a snapshot with this digest. There must be a record."""
    every = tuple(records)
    by_package: dict[str, list[Record]] = {}
    for record in every:
        for name in record.packages:
            by_package.setdefault(name, []).append(record)
    ordered = {name: tuple(sorted(found, key=lambda r: r.id)) for name, found in by_package.items()}
    return AdvisoryIndex(by_package=ordered, sha256=sha256, newest=max(r.modified for r in every), count=len(every))


def same(items: Iterable[T], names: Callable[[T], Iterable[str]]) -> list[list[T]]:
    """The items in groups of those that share a name, directly or through others: aliases name one thing."""
    groups: list[tuple[set[str], list[T]]] = []
    for item in items:
        called, together = set(names(item)), [item]
        apart = []
        for known, members in groups:
            if known & called:
                called |= known
                together = [*members, *together]
            else:
                apart.append((known, members))
        groups = [*apart, (called, together)]
    return [members for _, members in groups]


def preferred(ids: Iterable[str]) -> tuple[str, ...]:
    """The names of a vulnerability, the one to call it by first: PyPA's, CVE's, another (pip-audit's order)."""
    return tuple(sorted(set(ids), key=lambda i: (not i.startswith("PYSEC-"), not i.startswith("CVE-"), i)))


class AdvisorySource(Protocol):
    """An offline snapshot that answers an auditing tool, and remembers what it was asked."""

    @property
    def index(self) -> AdvisoryIndex:
        """What it answers from."""
        ...

    @property
    def url(self) -> str:
        """The address of its OSV query endpoint, on loopback."""
        ...

    @property
    def answered(self) -> frozenset[str]:
        """The packages, as ``name==version``, for which every advisory has been handed out so far."""
        ...

    @property
    def faults(self) -> tuple[str, ...]:
        """What went wrong while answering, each a full sentence."""
        ...


AdvisoryOpener = Callable[[Path], AbstractContextManager[AdvisorySource]]
"""Opens an OSV export zip for as long as the context lasts. Raises StorageTrouble for one that can't be believed."""


def _joined(records: list[Record], name: str) -> Vulnerability:
    first, *others = preferred(i for record in records for i in record.ids)
    fixed = sorted(frozenset[Version]().union(*(record.fixed(name) for record in records)))
    numbers = {
        int(n) for record in records for n in re.findall(r"CWE-(\d+)", str(record.database_specific.get("cwe_ids", "")))
    }
    texts = [record.summary for record in records] + [record.details for record in records]
    return Vulnerability(
        id=first,
        aliases=tuple(others),
        severity=severity_of(records, name),
        text=next((text for text in texts if text), ""),
        fixed=tuple(str(version) for version in fixed),
        cwe=tuple(sorted(numbers)),
        cvss=score_of(records, name),
    )
