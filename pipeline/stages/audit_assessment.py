"""What an audit saw amounts to: findings, evidence, and why it may not be believed. Functions of values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from packaging.version import Version

from pipeline.core.advisories import AdvisoryIndex, Vulnerability, preferred, same
from pipeline.core.evidence import Control, Evidence, listed
from pipeline.core.exploitation import NOTHING_KNOWN, Exploitation
from pipeline.core.finding import Confidence, Finding, weighed
from pipeline.core.gate import Gate, findings_gate, severity_gates
from pipeline.core.lock import Pin
from pipeline.core.stage import Examination, Metric, NotChecked
from pipeline.core.version_order import pep440
from pipeline.settings import Audit
from pipeline.stages.audit_declared import CLOCK_SKEW
from pipeline.stages.exploitation_files import metrics_of
from pipeline.tools.pip_audit import OFFLINE_ADVICE, Output, Reported, unit

UNIT = "locked packages"
_DEFAULT_AGE_DAYS = Audit().max_age_days
_LONGEST_TEXT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the tools gave. ``index`` and ``answered`` are none when the online service was asked; ``doubts`` are
    troubles that left a part of the work undone. ``exploitation`` is what files tell besides.
    """

    output: Output
    controls: tuple[Control, ...]
    index: AdvisoryIndex | None = None
    answered: frozenset[str] | None = None
    exploitation: Exploitation = NOTHING_KNOWN
    doubts: tuple[str, ...] = ()


def units(pins: Iterable[Pin]) -> frozenset[str]:
    """The pins as ``name==version``."""
    return frozenset(unit(pin.name, pin.version) for pin in pins)


def assess(settings: Audit, pins: tuple[Pin, ...], observed: Observed, current: Gate, now: datetime) -> Examination:
    """The examination; ``current`` is the gate on the lock itself, ``now`` what a snapshot's age is counted from."""
    output = observed.output
    expected = units(pins)
    checked = output.audited if observed.answered is None else output.audited & observed.answered
    findings = weighed(_findings(settings.lock, pins, observed), fail_on=settings.fail_on)
    index, age = observed.index, _age_days(observed.index, now)
    surplus = sorted(output.audited - expected)
    unexpected = (
        (f"pip-audit reads {listed(surplus)} in {settings.lock}, and our own reading does not.",) if surplus else ()
    )
    metrics: dict[str, Metric] = {
        "packages": len(expected),
        "vulnerabilities": len(findings),
        "advisories": "online service",
        **metrics_of(observed.exploitation),
    }
    notes = _exploited(observed.exploitation, findings)
    if index is not None:
        metrics |= {
            "advisories": "OSV export", "advisories_sha256": index.sha256, "advisories_date": index.newest.isoformat(),
            "advisories_records": index.count, "advisories_age_days": round(age, 2),
        }  # fmt: skip
        notes = (*_notes(settings, index, age), *notes)
    return Examination(
        evidence=Evidence.of(UNIT, expected=expected, checked=checked, controls=observed.controls),
        gates=(
            current,
            findings_gate(findings, what="known vulnerabilities", fail_on=settings.fail_on),
            *severity_gates(findings, what="known vulnerabilities", most=settings.maxima),
        ),
        findings=findings,
        metrics=metrics,
        doubts=(*observed.doubts, *_skipped(output), *unexpected, *_lost(observed), *_freshness(settings, index, age)),
        notes=notes,
        not_checked=tuple(NotChecked(what=name, reason=reason) for name, reason in output.skipped),
    )


def _findings(lock: str, pins: tuple[Pin, ...], observed: Observed) -> list[Finding]:
    """One finding for each vulnerability of each package, whatever it is called."""
    lines = {unit(pin.name, pin.version): pin.line for pin in reversed(pins)}
    found, index, findings = observed.output.found, observed.index, []
    for subject in sorted({report.unit for report in found}):
        reports = [report for report in found if report.unit == subject]
        known = index.vulnerabilities(reports[0].package, reports[0].version) if index else ()
        for group in same(reports, lambda report: report.vulnerability.ids):
            told = _together([report.vulnerability for report in group], known)
            findings.append(_finding(lock, lines.get(subject, 0), group[0], told, observed.exploitation))
    return findings


def _together(told: list[Vulnerability], known: tuple[Vulnerability, ...]) -> Vulnerability:
    """What pip-audit told, with what the snapshot knows besides: severity, weaknesses, further names and fixes."""
    ids = frozenset[str]().union(*(v.ids for v in told))
    matching = [v for v in known if v.ids & ids]
    names = preferred(ids.union(*(v.ids for v in matching)))
    chosen = told[0].id if len(told) == 1 else names[0]
    every = [*told, *matching]
    return Vulnerability(
        id=chosen,
        aliases=tuple(name for name in names if name != chosen),
        severity=max((v.severity for v in matching), key=lambda s: s.rank, default=told[0].severity),
        text=next((v.text for v in every if v.text), ""),
        fixed=tuple(sorted({text for v in every for text in v.fixed})),
        cwe=tuple(sorted({number for v in every for number in v.cwe})),
        cvss=max((v.cvss for v in every if v.cvss is not None), default=None),
    )


def _finding(lock: str, line: int, report: Reported, told: Vulnerability, known: Exploitation) -> Finding:
    at = Version(report.version)
    fixes = sorted(version for version in map(pep440, told.fixed) if version is not None and version > at)
    text = " ".join(told.text.split())
    shown = text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
    return Finding(
        rule=told.id,
        tool="pip-audit",
        severity=told.severity,
        confidence=Confidence.HIGH,
        message=f"{report.package} {report.version} is known to be vulnerable: {shown or told.id}",
        path=lock,
        line=line,
        snippet=report.unit,
        package=report.package,
        version=report.version,
        cwe=told.cwe,
        aliases=told.aliases,
        fix=", ".join(str(version) for version in fixes),
        cvss=told.cvss,
        exploited=known.exploited(told.ids),
        epss=known.probability(told.ids),
    )


def _exploited(known: Exploitation, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """What the files were that tell it, and what they tell."""
    notes = []
    if known.catalogue is not None:
        listed_there = sum(bool(finding.exploited) for finding in findings)
        notes.append(
            f"{listed_there} of {len(findings)} vulnerabilities are in CISA's catalogue of exploited ones, of "
            f"{known.catalogue.released} with {len(known.catalogue.added)} entries "
            f"(sha256 {known.catalogue.sha256[:12]}…)."
        )
    if known.scores is not None:
        scored = sum(finding.epss is not None for finding in findings)
        notes.append(
            f"{scored} of {len(findings)} vulnerabilities have a score by EPSS, of {known.scores.day} with "
            f"{len(known.scores.probability)} scores (sha256 {known.scores.sha256[:12]}…)."
        )
    return tuple(notes)


def _skipped(output: Output) -> tuple[str, ...]:
    if not output.skipped:
        return ()
    names, reasons = zip(*output.skipped, strict=True)
    return (f"pip-audit skipped {listed(names)}: {reasons[0]}. {OFFLINE_ADVICE}",)


def _lost(observed: Observed) -> tuple[str, ...]:
    """The snapshot's own answer is known, so a report that lacks a part of it proves that pip-audit dropped it."""
    if observed.index is None:
        return ()
    lost = []
    for subject in sorted(observed.output.audited):
        name, _, version = subject.partition("==")
        told = frozenset[str]().union(*(r.vulnerability.ids for r in observed.output.found if r.unit == subject))
        lost += [
            f"{v.id} of {name} {version}" for v in observed.index.vulnerabilities(name, version) if not v.ids & told
        ]
    return (f"pip-audit did not report {listed(lost)}, which the advisory snapshot holds.",) if lost else ()


def _age_days(index: AdvisoryIndex | None, now: datetime) -> float:
    return (now - index.newest) / timedelta(days=1) if index is not None else 0.0


def _freshness(settings: Audit, index: AdvisoryIndex | None, age: float) -> tuple[str, ...]:
    if index is None:
        return ()
    if age < -(CLOCK_SKEW / timedelta(days=1)):
        return (
            f"The advisory snapshot is dated {index.newest:%Y-%m-%d}, which is yet to come, so its age can't be told.",
        )
    if age > settings.max_age_days:
        return (
            f"The advisory snapshot is of {index.newest:%Y-%m-%d}, {age:.0f} days old, and audit.max_age_days allows "
            f"{settings.max_age_days}: what became known since is not in it.",
        )
    return ()


def _notes(settings: Audit, index: AdvisoryIndex, age: float) -> tuple[str, ...]:
    looked = f"Looked up in {index.count} advisories of {index.newest:%Y-%m-%d} (sha256 {index.sha256[:12]}…)."
    if settings.max_age_days <= _DEFAULT_AGE_DAYS:
        return (looked,)
    return (
        looked,
        f"audit.max_age_days is raised to {settings.max_age_days} (default {_DEFAULT_AGE_DAYS}), "
        f"and the snapshot is {age:.0f} days old.",
    )
