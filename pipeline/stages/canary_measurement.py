"""Measuring for the canary: looks of requests, what is kept of them, and what the judge's checks mean for a stage."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from pipeline.core.canary_answers import Answers
from pipeline.core.canary_observed import Check, Outcome, profile_of
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
"""How often the judge looks at most, each time with as many samples more, while nothing can be said."""

COLUMNS = ("request", "warm_up", "at_s", "latency_ms", "status", "error", "late_ms", "queued")
"""What a row of ``samples.json`` holds."""

_ANSWER_S = 5.0
_HURRY = 1.2
_WARM_UP_SHARE = 0.06
_LATE_MS = 5.0
_LATE_SHARE = 0.05
_QUEUED_SHARE = 0.05

ByEndpoint = Mapping[str, Mapping[str, Answers]]
"""What was answered, by side and endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What was planned and what came of it, over all looks."""

    planned: tuple[PlannedRequest, ...] = ()
    samples: tuple[Sample, ...] = ()
    rounds: int = 0
    seed: str = ""
    kept_answers: ByEndpoint | None = None

    def answers(self) -> ByEndpoint:
        """What the good answers said, by side and endpoint: as they were kept, or from the samples."""
        if self.kept_answers is not None:
            return self.kept_answers
        groups: dict[str, dict[str, list[Sample]]] = {}
        for sample in self.samples:
            if not sample.request.warm_up:
                side = groups.setdefault(sample.request.side, {})
                side.setdefault(str(sample.request.endpoint), []).append(sample)
        return {s: {name: profile_of(some) for name, some in by.items()} for s, by in groups.items()}

    def evidence(self, controls: Iterable[Control]) -> Evidence:
        """Expected: the planned requests. Checked: those that were sent, and so answered or failed."""
        sent = (sample.request.name for sample in self.samples if not sample.request.warm_up)
        return Evidence.of(UNIT, expected=(request.name for request in self.planned), checked=sent, controls=controls)

    def metrics(self) -> dict[str, Metric]:
        """The numbers of every side over all its endpoints."""
        shown: dict[str, Metric] = {"rounds": self.rounds, "seed": self.seed, "late_share": round(self.late_share, 4)}
        for side in sorted({request.side for request in self.planned}):
            name = side.replace(" ", "_")
            judged = [s for s in self.samples if s.request.side == side and not s.request.warm_up]
            good = [sample.latency_ms for sample in judged if not sample.failed]
            shown |= {f"{name}_requests": len(judged), f"{name}_errors": len(judged) - len(good)}
            if good:
                shown |= {f"{name}_p{share}_ms": round(quantile(good, share / 100), 3) for share in (50, 95, 99)}
        return shown

    @property
    def late_share(self) -> float:
        """The share of requests that were sent more than 5 ms late although a connection was free."""
        late = sum(sample.late_ms > _LATE_MS for sample in self.samples)
        return late / len(self.samples) if self.samples else 0.0

    def queued_share(self, sides: Iterable[str]) -> float:
        """The share of the requests to these sides that had to wait for a free connection."""
        among = frozenset(sides)
        mine = [sample.queued for sample in self.samples if sample.request.side in among]
        return sum(mine) / len(mine) if mine else 0.0

    def disturbances(self, release: Iterable[str] = ()) -> tuple[str, ...]:
        """Sentences that say why no time measured here can be believed: the generator was not given the machine, or
        the ``release`` itself could not keep up with the stated rate. That a candidate can't is its own fault.
        """
        found = []
        if self.late_share > _LATE_SHARE:
            found.append(
                f"The machine was too busy to tell: {self.late_share:.0%} of the requests were sent more than "
                f"{_LATE_MS:g} ms late, and {_LATE_SHARE:.0%} are allowed."
            )
        queued = self.queued_share(release)
        if queued > _QUEUED_SHARE:
            found.append(
                f"The machine was too busy to tell, or canary.rate is too high for it: {queued:.0%} of the requests to "
                f"the release had to wait for a free connection, and {_QUEUED_SHARE:.0%} are allowed."
            )
        return tuple(found)


def measure(
    context: Context, targets: Mapping[str, str], settled: Callable[[Measurement], bool], *, rounds: int = ROUNDS
) -> Measurement:
    """Send requests to the sides in ``targets``, look by look, until ``settled`` says that it is enough."""
    settings, clock = context.settings.canary, context.ports.clock
    endpoints = tuple(parse_endpoint(text) for text in settings.paths)
    load = load_of(settings, context.snapshot.digest)
    deadline = clock.monotonic() + settings.timeout_s
    done = Measurement(seed=load.seed)
    while done.rounds < rounds and not (done.rounds and settled(done)):
        plan = interleaved(tuple(targets), endpoints, load, number=done.rounds + 1)
        left = deadline - clock.monotonic()
        seconds = len(plan.requests) / load.rate
        context.ports.progress.say(f"sending {len(plan.requests)} requests in about {seconds:.0f} s")
        # A look for which no time is left is planned all the same: its requests are then missing in the evidence.
        # One that falls far behind is cut off as well: more of the same overload would tell nothing more.
        bound = min(left, _HURRY * seconds + _ANSWER_S)
        sent = context.ports.traffic.send(plan, targets, each_s=_ANSWER_S, all_s=bound) if left > 0 else ()
        samples = done.samples + tuple(_as_kept(sample) for sample in sent)
        done = Measurement(planned=done.planned + plan.judged, samples=samples, rounds=done.rounds + 1, seed=load.seed)
        # Once a look, for all who ask.
        done = replace(done, kept_answers=done.answers())
        if len(sent) < len(plan.requests):
            break
    return done


def load_of(settings: Canary, snapshot: str) -> Load:
    """The load that the settings ask for; its seed is the beginning of the snapshot's digest."""
    warm_up = round(settings.requests * _WARM_UP_SHARE)
    return Load(each=settings.requests, warm_up=warm_up, rate=settings.rate, seed=snapshot[:16])


def _as_kept(sample: Sample) -> Sample:
    """With its times as they will be written, so that whoever reads them comes to the very same numbers."""
    return replace(
        sample,
        at_s=round(sample.at_s, 4),
        latency_ms=round(sample.latency_ms, 4),
        late_ms=round(sample.late_ms, 3),
    )


def keep(context: Context, measurement: Measurement, checks: Iterable[Check], judged: Mapping[str, object]) -> None:
    """Keep every number: ``samples.json`` (columns, rows), ``answers.json`` (what the answers said, counted) and
    ``judge.json`` (the rules, the checks, their numbers).
    """
    rows = [
        [s.request.name, s.request.warm_up, s.at_s, s.latency_ms, s.status, s.error, s.late_ms, s.queued]
        for s in measurement.samples
    ]
    context.keep("samples.json", json.dumps({"columns": COLUMNS, "rows": rows}) + "\n")
    answers = {side: {n: asdict(a) for n, a in by.items()} for side, by in measurement.answers().items()}
    context.keep("answers.json", json.dumps(answers, indent=1) + "\n")
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
