"""``canary`` again: the requests are planned anew from policy and snapshot, and the judge judges the kept samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.core.canary_answers import Answers
from pipeline.core.canary_history import PastCanary
from pipeline.core.canary_judge import SIDES
from pipeline.core.canary_resources import Used
from pipeline.core.traffic import PlannedRequest, Sample, interleaved, parse_endpoint
from pipeline.core.verification_raw import Rederived
from pipeline.errors import ToolTrouble
from pipeline.rederivation.kept import Kept
from pipeline.stages import canary_comparison
from pipeline.stages.canary import CANDIDATE
from pipeline.stages.canary_declared import LIVE
from pipeline.stages.canary_limits import ABSOLUTE, assess_by_limits, limits_of
from pipeline.stages.canary_live import assess_beside_past
from pipeline.stages.canary_measurement import COLUMNS, ROUNDS, Measurement, load_of

_MOST_REQUESTS = 500_000
"""More than any canary; a report must not be able to make its reader plan for ever."""


def rederived(kept: Kept) -> Rederived:
    """What the samples amount to."""
    mode = kept.result.metrics.get("mode")
    canary = kept.settings.canary
    if mode == canary_comparison.COMPARISON:
        rules = canary_comparison.comparison(kept.settings)
        used = msgspec.convert(kept.json("usage.json"), dict[str, Used])
        examined, _ = canary_comparison.assess(_measurement(kept, SIDES), rules, used, canary.resource_tolerance)
    elif mode == ABSOLUTE:
        examined = assess_by_limits(_measurement(kept, (CANDIDATE,)), CANDIDATE, limits_of(canary))[0]
    elif mode == LIVE:
        past = msgspec.convert(kept.json("earlier-runs.json"), tuple[PastCanary, ...])
        examined = assess_beside_past(_measurement(kept, (LIVE,)), past, canary)
    else:
        raise ToolTrouble(f"The canary has no mode {mode!r}.")
    return Rederived(
        examination=examined,
        tools=(),
        fields=(),
        metrics=tuple(name for name in examined.metrics if name != "mode"),
        taken=_taken(str(mode)),
    )


def _taken(mode: str) -> tuple[str, ...]:
    if mode == LIVE:
        return ("Which deployment answered, and what its tests said, rest on the report's own word.",)
    return ("Which images answered rests on the report's own word.",)


def _measurement(kept: Kept, sides: tuple[str, ...]) -> Measurement:
    """The plan by the policy, with what the samples say became of it."""
    document: dict[str, Any] = kept.json("samples.json")
    rounds = kept.result.metrics.get("rounds")
    if tuple(document["columns"]) != COLUMNS or not isinstance(rounds, int) or not 0 < rounds <= ROUNDS:
        raise ToolTrouble("samples.json is not the canary's.")
    load = load_of(kept.settings.canary, kept.record.snapshot)
    if load.each * rounds > _MOST_REQUESTS:
        raise ToolTrouble(f"A canary of {load.each} requests is not planned again.")
    endpoints = tuple(parse_endpoint(text) for text in kept.settings.canary.paths)
    plans = [interleaved(sides, endpoints, load, number=number) for number in range(1, rounds + 1)]
    return Measurement(
        planned=tuple(request for plan in plans for request in plan.judged),
        samples=_samples(document["rows"], (request for plan in plans for request in plan.requests)),
        rounds=rounds,
        seed=load.seed,
        kept_answers=msgspec.convert(kept.json("answers.json"), dict[str, dict[str, Answers]]),
    )


def _samples(rows: list[list[Any]], requests: Iterable[PlannedRequest]) -> tuple[Sample, ...]:
    """The rows as samples of the planned requests. Raises ToolTrouble for one not planned, or there twice."""
    planned = {(request.name, request.warm_up): request for request in requests}
    samples = []
    for name, warm_up, at, latency, status, error, late, queued in rows:
        request = planned.pop((str(name), bool(warm_up)), None)
        if request is None:
            raise ToolTrouble(f"The sample {name!r} was not planned by the policy, or is there twice.")
        samples.append(
            Sample(
                request=request, at_s=float(at), latency_ms=float(latency), status=int(status), error=str(error),
                late_ms=float(late), queued=bool(queued),
            )
        )  # fmt: skip
    return tuple(samples)
