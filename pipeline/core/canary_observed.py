"""What a canary saw of one side, and what a check says of it: the values that the judge takes and gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pipeline.core.canary_answers import Answers, altered, described, profile, together
from pipeline.core.statistics import quantile
from pipeline.core.traffic import Sample

FEWEST = 50
"""Good answers a side and endpoint below which nothing is said about latency (Kayenta's advice for a metric)."""

EVERYWHERE = "all endpoints"


class Outcome(StrEnum):
    """What one check says."""

    PASS = "pass"  # nosec B105 - an outcome, no credential
    FAIL = "fail"
    UNSURE = "could not tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One side at one endpoint: the latencies of its good answers in milliseconds, in time order, its failures, and
    what the good answers said.
    """

    latencies_ms: tuple[float, ...]
    errors: int
    answers: Answers = field(default_factory=Answers)

    @property
    def total(self) -> int:
        """Requests that were sent."""
        return len(self.latencies_ms) + self.errors

    def summary(self) -> dict[str, float]:
        """The numbers for a report."""
        shown: dict[str, float] = {"requests": self.total, "errors": self.errors}
        if self.latencies_ms:
            shown |= {f"p{share}_ms": quantile(self.latencies_ms, share / 100) for share in (50, 90, 95, 99)}
        return shown

    def in_order(self) -> Observed:
        """The same with its latencies sorted: no test asks for their order, and each would sort them anew."""
        return replace(self, latencies_ms=tuple(sorted(self.latencies_ms)))


Side = Mapping[str, Observed]
"""One side of the comparison: its endpoints by name."""

NOTHING = Observed(latencies_ms=(), errors=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check with its numbers. ``allowed`` and ``found`` are texts for people, as a gate prints them."""

    metric: str
    endpoint: str
    outcome: Outcome
    allowed: str
    found: str
    numbers: Mapping[str, float]

    @property
    def what(self) -> str:
        """What was checked, like ``latency of GET /healthz``."""
        return f"{self.metric} of {self.endpoint}"


def observe(samples: Iterable[Sample], side: str, answers: Mapping[str, Mapping[str, Answers]] | None = None) -> Side:
    """What the judged samples say of one side. ``answers`` (by side and endpoint) stand for what the samples hold."""
    mine = [sample for sample in samples if sample.request.side == side and not sample.request.warm_up]
    by_endpoint: dict[str, list[Sample]] = {}
    for sample in mine:
        by_endpoint.setdefault(str(sample.request.endpoint), []).append(sample)
    kept = None if answers is None else answers.get(side, {})
    return {
        name: Observed(
            latencies_ms=tuple(sample.latency_ms for sample in some if not sample.failed),
            errors=sum(sample.failed for sample in some),
            answers=profile_of(some) if kept is None else kept.get(name, Answers()),
        )
        for name, some in by_endpoint.items()
    }


def profile_of(samples: Iterable[Sample]) -> Answers:
    """What the good answers among the samples said."""
    return profile(
        described(sample.status, sample.answer.headers, sample.answer.body)
        for sample in samples
        if not sample.failed and sample.answer is not None
    )


def pooled(first: Side, second: Side) -> Side:
    """Two sides as one."""
    return {
        name: Observed(
            latencies_ms=one.latencies_ms + two.latencies_ms,
            errors=one.errors + two.errors,
            answers=together(one.answers, two.answers),
        )
        for name in sorted(first.keys() | second.keys())
        for one, two in [(first.get(name, NOTHING), second.get(name, NOTHING))]
    }


def slowed(side: Side, factor: float) -> Side:
    """The same side with every latency multiplied: what the judge must object to (a positive control)."""
    return {n: replace(seen, latencies_ms=tuple(ms * factor for ms in seen.latencies_ms)) for n, seen in side.items()}


def spread(side: Side, factor: float) -> Side:
    """The same side with every latency that many times as far from the endpoint's median (a positive control)."""

    def moved(values: tuple[float, ...]) -> tuple[float, ...]:
        median = quantile(values, 0.5) if values else 0.0
        return tuple(median + factor * (ms - median) for ms in values)

    return {name: replace(seen, latencies_ms=moved(seen.latencies_ms)) for name, seen in side.items()}


def failing(side: Side) -> Side:
    """The same side with every third good answer turned into an error (a positive control)."""
    return {
        name: Observed(
            latencies_ms=tuple(ms for index, ms in enumerate(seen.latencies_ms) if index % 3),
            errors=seen.errors + len(seen.latencies_ms[::3]),
        )
        for name, seen in side.items()
    }


def answering_otherwise(side: Side) -> Side:
    """The same side with other answers (a positive control)."""
    return {name: replace(seen, answers=altered(seen.answers)) for name, seen in side.items()}


def overall(checks: Iterable[Check]) -> Outcome:
    """The worst of the checks: fail, then could not tell, then pass; could not tell when there is none."""
    outcomes = {check.outcome for check in checks}
    if not outcomes:
        return Outcome.UNSURE
    return next(outcome for outcome in (Outcome.FAIL, Outcome.UNSURE, Outcome.PASS) if outcome in outcomes)


def score_of(checks: Iterable[Check]) -> float:
    """How many of a hundred checks passed; for people, the verdict needs them all."""
    outcomes = [check.outcome for check in checks]
    return round(100 * outcomes.count(Outcome.PASS) / len(outcomes), 1) if outcomes else 0.0


def too_few(seen: Observed) -> str:
    """How many answers there are, in words."""
    return f"{len(seen.latencies_ms)} good answers of {seen.total}"
