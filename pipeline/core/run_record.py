"""What a run is about, apart from its results, and the report that both make together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.stage import StageResult, Status
from pipeline.core.verdict import verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Times are ISO 8601 in UTC; ``stages`` are all there are, in order; ``policy`` are the effective values."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run and the results for its snapshot, in the pipeline's order: the one value that every format is made from."""

    record: RunRecord
    results: tuple[StageResult, ...]
    finished: str

    @property
    def verdict(self) -> Status:
        """The worst of the required stages."""
        return verdict(self.record.required, {result.name: result for result in self.results})
