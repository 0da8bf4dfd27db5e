"""One model for what any tool reports: a finding with its place, severity and confidence.

Severity (how bad) and confidence (how sure the tool is) are kept apart, as bandit and the SARIF specification do.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is. ``UNKNOWN`` is what no source has rated, and is never read as harmless."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"
    UNKNOWN = "unknown"

    def reaches(self, threshold: Severity) -> bool:
        """Whether a gate at ``threshold`` counts this severity; unknown reaches every threshold, and is none itself."""
        return Severity.UNKNOWN in (self, threshold) or _RANK[self] >= _RANK[threshold]

    @property
    def rank(self) -> int:
        """Larger is worse; unknown ranks with high, so that it is read before what is known to be moderate."""
        return _RANK[self]


_RANK = {
    Severity.CRITICAL: 5,
    Severity.HIGH: 4,
    Severity.UNKNOWN: 4,
    Severity.MEDIUM: 3,
    Severity.LOW: 2,
    Severity.INFO: 1,
}


class Confidence(StrEnum):
    """How sure the tool is of its finding."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"

    def reaches(self, threshold: Confidence) -> bool:
        """Whether a gate at ``threshold`` counts this confidence; unknown reaches every one, and is none itself."""
        order = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)
        return Confidence.UNKNOWN in (self, threshold) or order.index(self) >= order.index(threshold)


class State(StrEnum):
    """How a finding stands towards the gate."""

    NEW = "new"
    EXISTING = "existing"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something a tool found in the target.

    ``path`` is relative to the snapshot's root with ``/`` between its parts, or empty where a finding has no file;
    ``line`` and ``column`` are 1-based, 0 when unknown. ``counted`` says whether the stage's gate counts it (see
    :func:`weighed`); ``id`` is the fingerprint, filled in by :func:`with_fingerprints`.

    ``owner`` is who answers for the file, by the snapshot's CODEOWNERS. ``context`` are the source lines around the
    place, the first of which is line ``context_start``. ``sources`` are other tools that report the same, each as
    ``tool:rule``. Of a vulnerability ``cvss`` is the base score (0 to 10), ``exploited`` the ISO date on which CISA
    listed it as exploited, ``epss`` the probability (0 to 1) by FIRST that it will be within 30 days; none, empty and
    none where that is not known.
    """

    rule: str
    tool: str
    severity: Severity
    message: str
    confidence: Confidence = Confidence.UNKNOWN
    path: str = ""
    line: int = 0
    column: int = 0
    snippet: str = ""
    package: str = ""
    version: str = ""
    cwe: tuple[int, ...] = ()
    aliases: tuple[str, ...] = ()
    fix: str = ""
    state: State = State.NEW
    counted: bool = True
    id: str = ""
    owner: str = ""
    context: tuple[str, ...] = ()
    context_start: int = 0
    sources: tuple[str, ...] = ()
    cvss: float | None = None
    exploited: str = ""
    epss: float | None = None

    def __post_init__(self) -> None:
        if not (self.rule and self.tool and self.message):
            raise ValueError("a finding has a rule, a tool and a message")
        if self.line < 0 or self.column < 0:
            raise ValueError("line and column are 1-based, 0 when unknown")
        if bool(self.context) != (self.context_start > 0):
            raise ValueError("source lines around a place have a first one, 1-based, and nothing else has")
        if not (0 <= (self.epss or 0) <= 1 and 0 <= (self.cvss or 0) <= 10):
            raise ValueError("a probability lies between 0 and 1, a base score between 0 and 10")
        if self.path.startswith("/") or ".." in self.path.split("/"):
            raise ValueError(f"a finding's path lies below the snapshot's root: {self.path!r}")

    @property
    def place(self) -> str:
        """``path:line:column`` as far as they are known, or the package, for people."""
        if not self.path:
            return f"{self.package} {self.version}".strip()
        numbers = [str(n) for n in (self.line, self.column) if n]
        return ":".join([self.path, *numbers])


def with_fingerprints(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, sorted worst first and by place, each with its fingerprint as ``id``.

    The fingerprint is a SHA-256 over tool, rule, path, package and the source line without its white space, and the
    number of earlier findings that are equal in all of these: it holds when lines move, and a second identical finding
    gets another one.
    """
    ordered = sorted(
        findings, key=lambda f: (-f.severity.rank, f.tool, f.path, f.line, f.column, f.rule, f.package, f.message)
    )
    seen: Counter[str] = Counter()
    named = []
    for finding in ordered:
        subject = "".join(finding.snippet.split()) or finding.message
        basis = "\0".join((finding.tool, finding.rule, finding.path, finding.package, subject))
        seen[basis] += 1
        digest = hashlib.sha256(f"{basis}\0{seen[basis]}".encode("utf-8", "surrogatepass")).hexdigest()
        named.append(replace(finding, id=digest[:32]))
    return tuple(named)


def weighed(
    findings: Iterable[Finding], *, fail_on: Severity, confidence: Confidence = Confidence.LOW
) -> tuple[Finding, ...]:
    """The findings with fingerprints, each ``counted`` or not by a gate at these thresholds."""
    return with_fingerprints(
        replace(f, counted=f.severity.reaches(fail_on) and f.confidence.reaches(confidence)) for f in findings
    )
