"""What earlier passing runs against a live deployment measured, and whether this one is out of their line.

Runs of different days differ by more than their samples tell, so runs are compared and not samples: this run's median
and 90th percentile with those of the earlier runs, by the modified z-score of B. Iglewicz and D. Hoaglin (How to Detect
and Handle Outliers, 1993; NIST/SEMATECH e-Handbook 1.3.5.17), whose limit of 3.5 is theirs, on logarithms. Errors are
counted together and compared by Fisher's exact test.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from pipeline.core.canary_observed import EVERYWHERE, FEWEST, Check, Observed, Outcome, Side, too_few
from pipeline.core.statistics import fisher_greater, quantile

FEWEST_RUNS = 5
"""Earlier runs below which nothing is compared, and absolute objectives alone count."""

MOST_RUNS = 30
"""Earlier runs that are remembered; the oldest goes."""

_SCHEMA = "pipeline.canary-history/v1"
_Z_LIMIT = 3.5
_CONSISTENT = 1.4826  # makes the median absolute deviation estimate a normal distribution's standard deviation
_LEAST_SPREAD = 0.02
"""No runs are more alike than this; the earlier ones may have been so by luck."""

_ERROR_LEVEL = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEndpoint:
    """One endpoint in an earlier run."""

    requests: int
    errors: int
    p50_ms: float
    p90_ms: float

    def __post_init__(self) -> None:
        if not 0 <= self.errors < self.requests or not all(
            math.isfinite(ms) and ms > 0 for ms in (self.p50_ms, self.p90_ms)
        ):
            raise ValueError("an earlier run has good answers, and times above zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCanary:
    """One earlier run that passed: when it began (ISO 8601), and its endpoints by name."""

    started: str
    endpoints: Mapping[str, PastEndpoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryHistory:
    """Earlier runs against deployments, by address and load, oldest first."""

    schema: str = _SCHEMA
    runs: Mapping[str, tuple[PastCanary, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.schema != _SCHEMA:
            raise ValueError(f"the schema is not {_SCHEMA}")

    def of(self, place: str) -> tuple[PastCanary, ...]:
        """The earlier runs against one deployment."""
        return self.runs.get(place, ())

    def with_run(self, place: str, run: PastCanary) -> CanaryHistory:
        """With a run more, and no more than are remembered."""
        return CanaryHistory(runs={**self.runs, place: (*self.of(place), run)[-MOST_RUNS:]})


def past_of(seen: Side, started: str) -> PastCanary:
    """What is remembered of a run."""
    return PastCanary(
        started=started,
        endpoints={
            name: PastEndpoint(
                requests=one.total,
                errors=one.errors,
                p50_ms=round(quantile(one.latencies_ms, 0.5), 4),
                p90_ms=round(quantile(one.latencies_ms, 0.9), 4),
            )
            for name, one in seen.items()
        },
    )


def compare_with_past(seen: Side, past: Sequence[PastCanary], tolerance: float) -> tuple[Check, ...]:
    """This run beside earlier ones: a check for each endpoint and percentile, and one for all errors.

    A percentile fails when it is out of line and more than ``tolerance`` (a share) above the earlier runs' median. It
    can't be told where the earlier runs differ so much that even a doubled one would be in line.
    """
    if len(past) < FEWEST_RUNS:
        return ()
    checks = [_errors(seen, past)]
    for name, one in sorted(seen.items()):
        known = [run.endpoints[name] for run in past if name in run.endpoints]
        if len(known) >= FEWEST_RUNS:
            checks.append(_percentile("median latency", name, one, [point.p50_ms for point in known], 0.5, tolerance))
            checks.append(_percentile("p90 latency", name, one, [point.p90_ms for point in known], 0.9, tolerance))
    return tuple(checks)


def _percentile(
    metric: str, endpoint: str, seen: Observed, earlier: Iterable[float], share: float, tolerance: float
) -> Check:
    logs = [math.log(ms) for ms in earlier]
    center = median(logs)
    spread = max(_CONSISTENT * median(abs(value - center) for value in logs), _LEAST_SPREAD)
    usual = math.exp(center)
    most = max(math.exp(center + _Z_LIMIT * spread), usual * (1 + tolerance))
    numbers = {"runs": float(len(logs)), "usual_ms": usual, "most_ms": most, "spread": spread}
    allowed = f"at most {most:.2f} ms, {len(logs)} earlier runs having had {usual:.2f} ms"
    if len(seen.latencies_ms) < FEWEST:
        outcome, found = Outcome.UNSURE, too_few(seen)
    else:
        now = quantile(seen.latencies_ms, share)
        numbers |= {"now_ms": now, "z": (math.log(max(now, 1e-9)) - center) / spread}
        found = f"{now:.2f} ms"
        outcome = Outcome.FAIL if now > most else Outcome.PASS
        if outcome is Outcome.PASS and most > 2 * usual:
            outcome, found = Outcome.UNSURE, f"{found}, and even twice the usual would be in line with these runs"
    return Check(metric=metric, endpoint=endpoint, outcome=outcome, allowed=allowed, found=found, numbers=numbers)


def _errors(seen: Side, past: Sequence[PastCanary]) -> Check:
    new, new_total = sum(one.errors for one in seen.values()), sum(one.total for one in seen.values())
    known = [point for run in past for point in run.endpoints.values()]
    old, old_total = sum(point.errors for point in known), sum(point.requests for point in known)
    p = fisher_greater(new, new_total, old, old_total)
    return Check(
        metric="errors beside earlier runs",
        endpoint=EVERYWHERE,
        outcome=Outcome.FAIL if p < _ERROR_LEVEL else Outcome.PASS,
        allowed=f"not more often than the {old} of {old_total} in {len(past)} earlier runs",
        found=f"{new} of {new_total} (p = {p:.2g})",
        numbers={"errors": new, "requests": new_total, "past_errors": old, "past_requests": old_total, "p_worse": p},
    )
