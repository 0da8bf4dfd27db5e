"""The judge by absolute objectives: where there is nothing to compare with, and for a live deployment."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.canary_observed import EVERYWHERE, FEWEST, Check, Observed, Outcome, Side, too_few
from pipeline.core.statistics import quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Absolute limits: the share of failed requests, and the 95th percentile of latency in milliseconds."""

    max_error_rate: float
    max_p95_ms: float


def compare_with_limits(candidate: Side, limits: Limits) -> tuple[Check, ...]:
    """Judge by absolute limits: the share of errors over all endpoints, and the latency of each."""
    if not candidate:
        return ()
    total, errors = sum(seen.total for seen in candidate.values()), sum(seen.errors for seen in candidate.values())
    rate = Check(
        metric="error rate",
        endpoint=EVERYWHERE,
        outcome=Outcome.PASS if errors <= limits.max_error_rate * total else Outcome.FAIL,
        allowed=f"at most {limits.max_error_rate:.2%}",
        found=f"{errors} of {total}",
        numbers={"requests": total, "errors": errors},
    )
    return (rate, *(p95_check(name, seen, limits) for name, seen in sorted(candidate.items())))


def p95_check(endpoint: str, seen: Observed, limits: Limits) -> Check:
    """The 95th percentile at one endpoint."""
    few = len(seen.latencies_ms) < FEWEST
    p95 = 0.0 if few else quantile(seen.latencies_ms, 0.95)
    outcome = Outcome.PASS if p95 <= limits.max_p95_ms else Outcome.FAIL
    return Check(
        metric="p95 latency",
        endpoint=endpoint,
        outcome=Outcome.UNSURE if few else outcome,
        allowed=f"at most {limits.max_p95_ms:.1f} ms",
        found=too_few(seen) if few else f"{p95:.2f} ms",
        numbers=seen.summary(),
    )
