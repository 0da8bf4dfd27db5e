"""The contract of a stage's outcome: what it examined, what status follows, and the result that is reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pipeline.core.component import Component
from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding, State
from pipeline.core.gate import Gate

Metric = str | int | float | bool | None
"""A measured value in a result: text, a number, a truth value, or nothing."""


class Status(StrEnum):
    """The four statuses; only ``PASS`` is green. Declared worst first, so that the order is the order of a verdict."""

    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not-run"
    PASS = "pass"  # nosec B105 - a status, no credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that took part, by its name and exact version."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a stage left; ``path`` is relative to the reports folder, ``sha256`` is hexadecimal."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotChecked:
    """Something the run did not look at, and why; every one of them is shown to the reader of the report."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A comment or a mark in the source that tells a tool to keep quiet; ``reason`` is what the author gives for it."""

    kind: str
    path: str
    line: int
    text: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What a stage saw. It does not say pass or fail: :func:`pipeline.core.verdict.conclude` does.

    ``doubts`` are full sentences, each a reason why the stage could not tell. ``details`` are further JSON values for
    people, by name; nothing is decided by them. ``components`` are what the bills of materials list.
    """

    evidence: Evidence
    gates: tuple[Gate, ...] = ()
    findings: tuple[Finding, ...] = ()
    tools: tuple[Tool, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    components: tuple[Component, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """What a run says of one stage. Times are ISO 8601 in UTC; ``duration_s`` is in seconds.

    ``doubts`` and ``notes`` are the examination's own, so that status and reasons can be derived again; so are
    ``details`` and ``components``. ``retries`` say for each try before the last one why it could not tell.
    """

    name: str
    status: Status
    reasons: tuple[str, ...]
    snapshot: str = ""
    policy: str = ""
    evidence: Evidence | None = None
    gates: tuple[Gate, ...] = ()
    findings: tuple[Finding, ...] = ()
    tools: tuple[Tool, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    components: tuple[Component, ...] = ()
    started: str = ""
    duration_s: float = 0.0
    cached: bool = False
    reused: str = ""
    command: str = ""
    retries: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.status is not Status.PASS and not self.reasons:
            raise ValueError(f"a stage that is {self.status} says why")
        if self.status is Status.PASS and self.evidence is None:
            raise ValueError("a stage that is green shows its evidence")

    def counts(self) -> dict[str, int]:
        """How many findings are new, existing and waived."""
        return {str(state): sum(f.state is state for f in self.findings) for state in State}


def not_run(name: str, reason: str, *, snapshot: str = "", policy: str = "", command: str = "") -> StageResult:
    """The result of a stage that has not run, with the reason as a full sentence."""
    return StageResult(
        name=name, status=Status.NOT_RUN, reasons=(reason,), snapshot=snapshot, policy=policy, command=command
    )
