"""What ``canary`` tells of its measurement for people, in its result's ``details``; nothing is decided by it.

Of the latencies it keeps how they are distributed: the samples themselves are a raw output of the stage.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from pipeline.core.canary_observed import Check, Observed, Side
from pipeline.core.image_details import as_json
from pipeline.core.statistics import quantile

CANARY = "canary"
"""The name of these details."""

BINS = 40
_SHOWN_SHARE = 0.99
"""The share of each side's answers that lie within the histogram; the rare slow ones would flatten all others."""

_LEAST_MS = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One side at one endpoint: how many requests, failures among them, and the latencies of the others, in ms.

    ``counts`` are the good answers in each bin of the endpoint's histogram, and ``beyond`` those above its last edge.
    The quantiles are none without a good answer.
    """

    side: str
    requests: int
    errors: int
    counts: tuple[int, ...]
    beyond: int
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None

    def __post_init__(self) -> None:
        if min((self.requests, self.errors, self.beyond, *self.counts)) < 0:
            raise ValueError("a number of requests is not negative")
        if not all(math.isfinite(value) for value in (self.p50_ms, self.p95_ms, self.p99_ms) if value is not None):
            raise ValueError("a latency is a number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """The sides at one endpoint, over the same bins; without a good answer there are no ``edges_ms``."""

    endpoint: str
    edges_ms: tuple[float, ...]
    arms: tuple[Arm, ...]

    def __post_init__(self) -> None:
        bins = max(len(self.edges_ms) - 1, 0)
        if not all(map(math.isfinite, self.edges_ms)) or any(a >= b for a, b in pairwise(self.edges_ms)):
            raise ValueError("the edges of bins are numbers that rise")
        if any(len(arm.counts) != bins for arm in self.arms):
            raise ValueError("every side has a count for each bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCheck:
    """One check of the judge with its numbers."""

    metric: str
    endpoint: str
    outcome: str
    allowed: str
    found: str
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryDetails:
    """What was measured at each endpoint, and the judge's checks."""

    endpoints: tuple[Latencies, ...] = ()
    checks: tuple[JudgedCheck, ...] = ()


def details_of(sides: Mapping[str, Side], checks: Iterable[Check]) -> dict[str, Any]:
    """The details of a measurement of ``sides`` as JSON values, under their name."""
    endpoints = sorted({endpoint for side in sides.values() for endpoint in side})
    details = CanaryDetails(
        endpoints=tuple(
            _latencies(endpoint, {name: side[endpoint] for name, side in sides.items() if endpoint in side})
            for endpoint in endpoints
        ),
        checks=tuple(
            JudgedCheck(
                metric=check.metric,
                endpoint=check.endpoint,
                outcome=str(check.outcome),
                allowed=check.allowed,
                found=check.found,
                numbers=dict(check.numbers),
            )
            for check in checks
        ),
    )
    return {CANARY: as_json(asdict(details))}


def _latencies(endpoint: str, sides: Mapping[str, Observed]) -> Latencies:
    edges = _edges(side.latencies_ms for side in sides.values() if side.latencies_ms)
    return Latencies(
        endpoint=endpoint, edges_ms=edges, arms=tuple(_arm(name, side, edges) for name, side in sides.items())
    )


def _edges(samples: Iterable[tuple[float, ...]]) -> tuple[float, ...]:
    """From the fastest answer of all to where nearly all of every side lie, each bin wider than the one before by the
    same factor: latencies spread over magnitudes.
    """
    every = list(samples)
    if not every:
        return ()
    low = max(min(min(latencies) for latencies in every), _LEAST_MS)
    high = max(quantile(latencies, _SHOWN_SHARE) for latencies in every)
    # Equal latencies still need a bin to lie in.
    step = max(high / low, 1.01) ** (1 / BINS)
    edges = [round(low * step**number, 9) for number in range(BINS)]
    # Rounded, the last edge might leave out what it is to hold.
    return (*edges, max(edges[-1] * step, high))


def _arm(name: str, seen: Observed, edges: tuple[float, ...]) -> Arm:
    counts = [0] * max(len(edges) - 1, 0)
    beyond = 0
    for latency in seen.latencies_ms:
        if latency > edges[-1]:
            beyond += 1
        else:
            # The last bin holds its upper edge too.
            counts[min(max(bisect_right(edges, latency) - 1, 0), len(counts) - 1)] += 1
    good = seen.latencies_ms
    p50, p95, p99 = (round(quantile(good, share), 3) if good else None for share in (0.5, 0.95, 0.99))
    return Arm(
        side=name,
        requests=seen.total,
        errors=seen.errors,
        counts=tuple(counts),
        beyond=beyond,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
    )
