"""Known findings, counted: which of today's findings were there before, and which of those are there no more.

A finding is known again by the source that it stands on (its unit, see :mod:`pipeline.core.source_units`) and by what
stands around it: the unit before, the unit after, the function around it. Not by its path, its line number or its
layout, so it stays known when lines move, a file is renamed or code is formatted anew. Each known finding accounts for
as many of today's as it was counted, and for none more: bandit's own baseline lets one entry absorb any number of new
ones (PyCQA/bandit#1467).

A finding that stands on an equal line at another place, where nothing around it agrees, is another finding.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.core.disposition import Disposition
from pipeline.core.finding import Finding, State
from pipeline.core.source_units import Unit, bare, units

_EDGE = "the file's edge"
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """What a finding is known again by. ``path`` says where it was last seen, for people, and is not compared.

    ``line_hash`` is of the source that it stands on; ``before_hash`` and ``after_hash`` are of its neighbours, empty
    when it does not stand on source (a vulnerable package, say); ``scope`` names the function around it.
    """

    tool: str
    rule: str
    path: str
    line_hash: str
    before_hash: str = ""
    after_hash: str = ""
    scope: str = ""

    @property
    def subject(self) -> tuple[str, str, str]:
        """What must be equal for two prints to be of one finding."""
        return (self.tool, self.rule, self.line_hash)

    @property
    def exactly(self) -> tuple[str, ...]:
        """Everything that is compared."""
        return (*self.subject, self.before_hash, self.after_hash, self.scope)

    def agreement(self, other: Print) -> int:
        """How much of what stands around them agrees: 0, which is not enough, to 4, which is all."""
        if self.exactly == other.exactly:
            return 4
        return (
            (self.before_hash == other.before_hash)
            + (self.after_hash == other.after_hash)
            + (bool(self.scope) and self.scope == other.scope)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A print, and how many findings with it are known; ``reason`` says why a later one was let in."""

    print: Print
    count: int
    reason: str = ""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError("a known finding is counted at least once")


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """For each of today's prints the known finding that accounts for it, or none; ``gone`` are those left over."""

    accounted: tuple[Known | None, ...]
    gone: tuple[Known, ...] = ()


def prints(findings: Iterable[Finding], texts: Mapping[str, str]) -> tuple[Print, ...]:
    """The print of each finding, in order; ``texts`` are the files' contents by path, as far as they can be read."""
    sources: dict[str, _Source] = {}
    found = []
    for finding in findings:
        path = finding.path
        if finding.package or not finding.line or path not in texts:
            found.append(_without_source(finding))
            continue
        if path not in sources:
            sources[path] = _Source.of(path, texts[path])
        found.append(sources[path].print_of(finding))
    return tuple(found)


def counted(found: Iterable[Print], reason: str = "") -> tuple[Known, ...]:
    """The prints as known findings, equal ones counted together, in a stable order."""
    amounts: Counter[tuple[str, ...]] = Counter()
    first: dict[tuple[str, ...], Print] = {}
    for item in sorted(found, key=lambda p: (p.path, p.exactly)):
        first.setdefault(item.exactly, item)
        amounts[item.exactly] += 1
    return tuple(Known(print=first[key], count=amount, reason=reason) for key, amount in amounts.items())


def matched(found: Sequence[Print], known: Iterable[Known]) -> Matching:
    """Which known finding accounts for which of today's: the closest first, each as often as it was counted."""
    groups: dict[tuple[str, str, str], list[_Left]] = defaultdict(list)
    for entry in known:
        groups[entry.print.subject].append(_Left(entry, entry.count))
    accounted: list[Known | None] = [None] * len(found)
    for least in (4, 3, 2, 1):
        for number, item in enumerate(found):
            if accounted[number] is None:
                accounted[number] = _take(item, groups.get(item.subject, ()), least)
    gone = (
        Known(print=left.known.print, count=left.count, reason=left.known.reason)
        for group in groups.values()
        for left in group
        if left.count
    )
    return Matching(accounted=tuple(accounted), gone=tuple(gone))


def disposition(findings: Sequence[Finding], matching: Matching) -> Disposition:
    """Findings that are accounted for are existing, others new; ``findings`` are those of the matching, with ids."""
    pairs = zip(findings, matching.accounted, strict=True)
    existing = frozenset(finding.id for finding, known in pairs if known is not None)
    return lambda finding: State.EXISTING if finding.id in existing else State.NEW


@dataclass(slots=True)
class _Left:
    known: Known
    count: int


def _take(item: Print, group: Iterable[_Left], least: int) -> Known | None:
    for left in group:
        if left.count and left.known.print.agreement(item) >= least:
            left.count -= 1
            return left.known
    return None


def _without_source(finding: Finding) -> Print:
    """By the package, whatever its version and wherever it is locked; else by the file and what is said of it."""
    subject = f"package {finding.package}" if finding.package else f"{finding.path}\0{_NUMBER.sub('', finding.message)}"
    return Print(tool=finding.tool, rule=finding.rule, path=finding.path, line_hash=_hash(subject))


@dataclass(frozen=True, slots=True)
class _Source:
    """A file's units, and which of them touch a line."""

    lines: Sequence[str]
    units: tuple[Unit, ...]
    by_line: Mapping[int, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: str, text: str) -> _Source:
        """The file with its index."""
        found = units(path, text)
        by_line: dict[int, list[int]] = defaultdict(list)
        for number, unit in enumerate(found):
            for line in range(unit.first, unit.last + 1):
                by_line[line].append(number)
        return cls(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), found, by_line)

    def print_of(self, finding: Finding) -> Print:
        """The print of a finding in this file."""
        here = self._at(finding)
        if here is None:
            # On a comment or a blank line, between two units.
            inside = 0 < finding.line <= len(self.lines)
            text, scope = bare(self.lines[finding.line - 1]) if inside else "", ""
            after = sum(unit.first < finding.line for unit in self.units)
            before = after - 1
        else:
            text, scope = self.units[here].text, self.units[here].scope
            before, after = here - 1, here + 1
        return Print(
            tool=finding.tool,
            rule=finding.rule,
            path=finding.path,
            line_hash=_hash(text),
            before_hash=self._hash_at(before),
            after_hash=self._hash_at(after),
            scope=scope,
        )

    def _at(self, finding: Finding) -> int | None:
        """Of several units on a line, the last that has begun at the finding's column."""
        touching = self.by_line.get(finding.line, [])
        begun = [
            number
            for number in touching
            if self.units[number].first < finding.line or self.units[number].column <= max(finding.column - 1, 0)
        ]
        if begun:
            return begun[-1]
        return touching[0] if touching else None

    def _hash_at(self, number: int) -> str:
        return _hash(self.units[number].text if 0 <= number < len(self.units) else _EDGE)


def _hash(text: str) -> str:
    """Half of a SHA-256, in hexadecimal: no text is named by it, and two texts that share one are not to be had."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
