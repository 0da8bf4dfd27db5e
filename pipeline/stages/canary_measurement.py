"""Measuring for the canary: rounds of requests, what is kept of them, and what the judge's checks mean for a stage."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from pipeline.core.canary_judge import Check, Outcome
from pipeline.core.evidence import Control, Evidence
from pipeline.core.gate import Gate, check_gate
from pipeline.core.stage import Metric
from pipeline.core.statistics import quantile
from pipeline.core.traffic import Load, PlannedRequest, Sample, interleaved, parse_endpoint
from pipeline.settings import Canary
from pipeline.stages.context import Context

UNIT = "samples"
JUDGE = "the canary judge"
ROUNDS = 3
"""How often the measurement is repeated at most, its samples added to the earlier ones, while nothing can be said."""

_ANSWER_S = 5.0
_WARM_UP_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What was planned and what came of it, over all rounds."""

    planned: tuple[PlannedRequest, ...] = ()
    samples: tuple[Sample, ...] = ()
    rounds: int = 0
    seed: str = ""

    def evidence(self, controls: Iterable[Control]) -> Evidence:
        """Expected: the planned requests. Checked: those that were sent, and so answered or failed."""
        sent = (sample.request.name for sample in self.samples if not sample.request.warm_up)
        return Evidence.of(UNIT, expected=(request.name for request in self.planned), checked=sent, controls=controls)

    def metrics(self) -> dict[str, Metric]:
        """The numbers of every side over all its endpoints."""
        shown: dict[str, Metric] = {"rounds": self.rounds, "seed": self.seed}
        for side in sorted({request.side for request in self.planned}):
            judged = [s for s in self.samples if s.request.side == side and not s.request.warm_up]
            good = [sample.latency_ms for sample in judged if not sample.failed]
            shown |= {f"{side}_requests": len(judged), f"{side}_errors": len(judged) - len(good)}
            if good:
                shown |= {f"{side}_p{share}_ms": round(quantile(good, share / 100), 3) for share in (50, 95, 99)}
        return shown


def measure(
    context: Context, targets: Mapping[str, str], settled: Callable[[tuple[Sample, ...]], bool], *, rounds: int = ROUNDS
) -> Measurement:
    """Send rounds of requests to the sides in ``targets`` until ``settled`` says that the samples so far are enough."""
    settings, clock = context.settings.canary, context.ports.clock
    endpoints = tuple(parse_endpoint(text) for text in settings.paths)
    load = load_of(settings, context.snapshot.digest)
    deadline = clock.monotonic() + settings.timeout_s
    done = Measurement(seed=load.seed)
    while done.rounds < rounds and not (done.rounds and settled(done.samples)):
        plan = interleaved(tuple(targets), endpoints, load, number=done.rounds + 1)
        left = deadline - clock.monotonic()
        seconds = len(plan.requests) / load.rate
        context.ports.progress.say(f"sending {len(plan.requests)} requests in about {seconds:.0f} s")
        # A round for which no time is left is planned all the same: its requests are then missing in the evidence.
        sent = context.ports.traffic.send(plan, targets, each_s=_ANSWER_S, all_s=left) if left > 0 else ()
        samples = done.samples + tuple(_as_kept(sample) for sample in sent)
        done = replace(done, planned=done.planned + plan.judged, samples=samples, rounds=done.rounds + 1)
        if len(sent) < len(plan.requests):
            break
    return done


def load_of(settings: Canary, snapshot: str) -> Load:
    """The load that the settings ask for; its seed is the beginning of the snapshot's digest."""
    warm_up = round(settings.requests * _WARM_UP_SHARE)
    return Load(each=settings.requests, warm_up=warm_up, rate=settings.rate, seed=snapshot[:16])


def _as_kept(sample: Sample) -> Sample:
    """With its times as they will be written, so that whoever reads them comes to the very same numbers."""
    return replace(sample, at_s=round(sample.at_s, 4), latency_ms=round(sample.latency_ms, 4))


def keep(context: Context, measurement: Measurement, checks: Iterable[Check], judged: Mapping[str, object]) -> None:
    """Keep every number: ``samples.json`` (columns, rows) and ``judge.json`` (the rules, the checks, their numbers)."""
    rows = [[s.request.name, s.request.warm_up, s.at_s, s.latency_ms, s.status, s.error] for s in measurement.samples]
    columns = ["request", "warm_up", "at_s", "latency_ms", "status", "error"]
    context.keep("samples.json", json.dumps({"columns": columns, "rows": rows}) + "\n")
    verdicts = [{**asdict(check), "outcome": str(check.outcome)} for check in checks]
    context.keep("judge.json", json.dumps({**judged, "checks": verdicts}, indent=2) + "\n")


def gates_of(checks: Iterable[Check]) -> tuple[Gate, ...]:
    """A gate for each check that could tell."""
    return tuple(
        check_gate(check.outcome is Outcome.PASS, what=check.what, allowed=check.allowed, found=check.found)
        for check in checks
        if check.outcome is not Outcome.UNSURE
    )


def doubts_of(checks: Iterable[Check]) -> tuple[str, ...]:
    """A sentence for each check that could not."""
    return tuple(
        f"The {check.what} could not be told: allowed {check.allowed}, found {check.found}."
        for check in checks
        if check.outcome is Outcome.UNSURE
    )


def control(planted: str, metric: str, where: Iterable[str], checks: Iterable[Check]) -> Control:
    """Whether the judge, given samples made worse on purpose, objected to ``metric`` at every endpoint of ``where``."""
    objected = {check.endpoint for check in checks if check.metric == metric and check.outcome is Outcome.FAIL}
    expected = set(where)
    return Control(tool=JUDGE, planted=planted, caught=bool(expected) and objected >= expected)
