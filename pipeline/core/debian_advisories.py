"""The advisories of a Debian snapshot by source package: what Debian's own tracker says, in the OSV format.

OSV names a Debian package by its source package and the release as its ecosystem, "Debian:13" (OSV schema, "Defined
ecosystems"). Versions are ordered as dpkg orders them; the order is given from outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.core.advisories import Vulnerability, preferred, same
from pipeline.core.finding import Severity
from pipeline.core.osv import Affected, Record
from pipeline.core.version_order import Order
from pipeline.core.vulnerability_rating import cvss_score, cvss_severity

ECOSYSTEM = "Debian"
_TYPES = ("ECOSYSTEM",)
# Debian's security tracker, "urgency"; "not yet assigned" and "end-of-life" rate nothing.
_URGENCIES = {
    "unimportant": Severity.INFO, "low": Severity.LOW, "medium": Severity.MEDIUM, "high": Severity.HIGH,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianIndex:
    """A snapshot of Debian's advisories by source package; its SHA-256, its newest change, its number of records."""

    by_source: Mapping[str, tuple[Record, ...]]
    sha256: str
    newest: datetime
    count: int
    order: Order

    def vulnerabilities(self, source: str, version: str, release: str) -> tuple[Vulnerability, ...]:
        """What is known of this version of the source package in this release ("13"), by id."""
        found = [
            record for record in self.by_source.get(source, ())
            if not record.withdrawn and any(self._holds(a, version) for a in about(record, source, release))
        ]  # fmt: skip
        joined = (_joined(group, source, release) for group in same(found, lambda record: record.ids))
        return tuple(sorted(joined, key=lambda v: v.id))

    def sample(self, release: str) -> tuple[str, str] | None:
        """A source package and a version that this snapshot knows to be vulnerable, always the same; or none."""
        for source in sorted(self.by_source):
            for record in self.by_source[source]:
                for item in about(record, source, release):
                    for version in (*(item.versions or ()), *_ends(item), "0"):
                        if self.vulnerabilities(source, version, release):
                            return source, version
        return None

    def _holds(self, item: Affected, version: str) -> bool:
        """Not knowing the place of a version is not harmless (see :meth:`pipeline.core.osv.Affected.holds`)."""
        if version in (item.versions or ()):
            return True
        answers = [r.holds(version, self.order) for r in item.ranges or () if r.type in _TYPES]
        return True in answers or (None in answers and not item.versions)


def about(record: Record, source: str, release: str) -> tuple[Affected, ...]:
    """What a record says of the source package in a release of Debian."""
    return tuple(
        a for a in record.affected or ()
        if a.package and a.package.ecosystem == f"{ECOSYSTEM}:{release}" and a.package.name == source
    )  # fmt: skip


def debian_index(records: Iterable[Record], *, sha256: str, order: Order) -> DebianIndex:
    """The index of a snapshot's records with this digest. There must be a record."""
    every = tuple(records)
    by_source: dict[str, list[Record]] = {}
    for record in every:
        names = {
            a.package.name for a in record.affected or ()
            if a.package and a.package.ecosystem.partition(":")[0] == ECOSYSTEM
        }  # fmt: skip
        for name in names:
            by_source.setdefault(name, []).append(record)
    ordered = {name: tuple(sorted(found, key=lambda r: r.id)) for name, found in by_source.items()}
    newest = max(r.modified for r in every)
    return DebianIndex(by_source=ordered, sha256=sha256, newest=newest, count=len(every), order=order)


def _ends(item: Affected) -> Iterable[str]:
    return (e.last_affected or e.introduced or "" for r in item.ranges or () for e in r.events)


def _joined(records: list[Record], source: str, release: str) -> Vulnerability:
    first, *others = preferred(i for record in records for i in record.ids)
    items = [item for record in records for item in about(record, source, release)]
    ratings = [*(r for record in records for r in record.severity or ()), *(r for i in items for r in i.severity or ())]
    known = [cvss_severity(rating.type, rating.score) for rating in ratings]
    known += [_URGENCIES.get(str((i.ecosystem_specific or {}).get("urgency", "")), Severity.UNKNOWN) for i in items]
    scores = [score for rating in ratings if (score := cvss_score(rating.type, rating.score)) is not None]
    return Vulnerability(
        id=first,
        aliases=tuple(others),
        severity=max((s for s in known if s is not Severity.UNKNOWN), key=lambda s: s.rank, default=Severity.UNKNOWN),
        text=next((text for record in records for text in (record.summary, record.details) if text), ""),
        fixed=tuple(sorted({e.fixed for i in items for r in i.ranges or () for e in r.events if e.fixed})),
        cvss=max(scores, default=None),
    )
