"""What the candidate's container used beside the release's: processor time a request, and memory.

One number a container is no sample, so no test says how sure it is. Instead the allowed difference is wide, the larger
of the release's two containers is what counts, and where these two differ by as much nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.canary_judge import CANDIDATE, RELEASE, TWIN
from pipeline.core.canary_observed import Check, Outcome

CPU, MEMORY = "processor time a request", "memory"
WHERE = "the container"


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Of one container over the whole measurement: requests, seconds of processor time, bytes of memory at the end."""

    requests: int
    cpu_s: float
    memory_bytes: int


def resource_checks(used: Mapping[str, Used], tolerance: float) -> tuple[Check, ...]:
    """A check of each resource; "could not tell" where the engine measured nothing, or the release is not steady."""
    return (
        _check(CPU, "ms", {side: _per_request(one) for side, one in used.items()}, tolerance),
        _check(MEMORY, "MB", {side: one.memory_bytes / 1e6 for side, one in used.items()}, tolerance),
    )


def _per_request(used: Used) -> float:
    return 1000 * used.cpu_s / used.requests if used.requests else 0.0


def _check(metric: str, unit: str, values: Mapping[str, float], tolerance: float) -> Check:
    candidate, release, twin = (values.get(side, 0.0) for side in (CANDIDATE, RELEASE, TWIN))
    most = (1 + tolerance) * max(release, twin)
    found = f"{candidate:.3g} {unit}, the release {release:.3g} and {twin:.3g} {unit}"
    if min(candidate, release, twin) <= 0:
        outcome, found = Outcome.UNSURE, f"{found}: the engine did not measure it"
    elif max(release, twin) > (1 + tolerance) * min(release, twin):
        outcome, found = Outcome.UNSURE, f"{found}: the release differs from itself as much"
    else:
        outcome = Outcome.PASS if candidate <= most else Outcome.FAIL
    return Check(
        metric=metric,
        endpoint=WHERE,
        outcome=outcome,
        allowed=f"at most {tolerance:.0%} more than the release, {most:.3g} {unit}",
        found=found,
        numbers={"candidate": candidate, "release": release, "twin": twin},
    )
