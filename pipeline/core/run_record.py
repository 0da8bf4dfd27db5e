"""What a run is about, apart from its results, and the report that both make together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from pipeline.core.duplicates import with_sources
from pipeline.core.finding import Finding, State
from pipeline.core.history import HistoryEntry
from pipeline.core.policy_difference import Difference
from pipeline.core.stage import StageResult, Status
from pipeline.core.verdict import verdict
from pipeline.core.waiver import Waiver
from pipeline.core.waiver_standing import Standing, standings


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What a run was compared with: the ``revision`` by its name, who chose it, its ``commit`` (empty: not here)."""

    revision: str
    source: str
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Times are ISO 8601 in UTC; ``stages`` are all there are, in order; ``policy`` are the effective values.

    ``generator`` is the release of this package that carried the run out. ``waivers`` are those of the snapshot.
    ``changes`` are those of the policy ``against`` an earlier revision, and ``approval`` is what they are approved by.
    ``last_green`` is the last run before this one that was a pass, none where none is known.
    """

    run_id: str
    snapshot: str
    commit: str
    branch: str
    dirty: bool
    started: str
    actor: str
    python: str
    platform: str
    stages: tuple[str, ...]
    required: tuple[str, ...]
    policy_digest: str
    policy: Mapping[str, Any] = field(default_factory=dict)
    generator: str = ""
    waivers: tuple[Waiver, ...] = ()
    against: Against | None = None
    changes: tuple[Difference, ...] = ()
    approval: str = ""
    last_green: HistoryEntry | None = None

    @property
    def day(self) -> date:
        """The day, in UTC, by which everything in the run is judged."""
        return date.fromisoformat(self.started[:10])


@dataclass(frozen=True, kw_only=True)
class Report:
    """A run and the results for its snapshot, in the pipeline's order: the one value that every format is made from.

    ``history`` are the runs before it, oldest first, for plots alone: nothing else may depend on it, since a report
    must say the same where no history lies beside it.
    """

    record: RunRecord
    results: tuple[StageResult, ...]
    finished: str
    history: tuple[HistoryEntry, ...] = ()

    def __post_init__(self) -> None:
        # Here, so that no reporter can forget it: only all results together tell which findings are reported twice.
        object.__setattr__(self, "results", with_sources(self.results))

    @property
    def verdict(self) -> Status:
        """The worst of the required stages."""
        return verdict(self.record.required, {result.name: result for result in self.results})

    @cached_property
    def waivers(self) -> tuple[Standing, ...]:
        """How each waiver stands after this run."""
        return standings(self.record.waivers, self.results, self.record.day)

    def waived_by(self, finding: Finding) -> Standing | None:
        """The waiver that hides the finding, the longest-lived where there are several."""
        if finding.state is not State.WAIVED:
            return None
        hiding = [s for s in self.waivers if s.waiver.hides(finding, self.record.day)]
        return max(hiding, key=lambda standing: standing.days_left, default=None)
