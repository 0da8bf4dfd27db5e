"""The canary judge: is the candidate worse than the current release? Pure; docs/canary.md tells how and from where.

A check *fails* when a test says "worse" (at the level that is left for this look, by Holm's procedure over all tests of
the look) and the difference is beyond the tolerance. Where a promise is made (each endpoint's latency; errors, latency,
its 90th percentile and its variance over all) a check *passes* only when a second test excludes the promised
regression. What is between is "could not tell". A second fresh container of the release, the twin, is the control:
where it differs from the first one as a bad candidate would, the machine is too noisy and no timing is believed.

Sources: Kayenta's NetflixACAJudge (Mann-Whitney with effect size), and its users' complaints that it misses variance
and sparse errors, hides the numbers and reads no data as good (spinnaker/kayenta#780, #426, #674, #521,
argoproj/argo-rollouts#1466).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pipeline.core.canary_metrics import Pair, Trial, counting_trials, latency_trials, normalised
from pipeline.core.canary_objectives import Limits, p95_check
from pipeline.core.canary_observed import (
    EVERYWHERE,
    FEWEST,
    NOTHING,
    Check,
    Observed,
    Outcome,
    Side,
    overall,
    pooled,
    score_of,
    too_few,
)
from pipeline.core.statistics import holm, spent

CANDIDATE = "candidate"
RELEASE = "release"
TWIN = "release twin"
"""A second fresh container of the release: the A/A control."""

SIDES = (CANDIDATE, RELEASE, TWIN)

LEVEL = 0.01
"""The chance of failing an equal candidate, over all checks and looks; the tolerances lower it further."""

MISS_LEVEL = 0.005
COUNT_MISS_LEVEL = 0.02
"""The chance that one check passes a regression of just the promised size, over all looks: of times, and of what is
counted. The first is lower, since no two containers of one image are quite alike, which adds to the chance."""

_FAIL_SPENDING, _PASS_SPENDING = 2.0, 1.0
# Little is spent early on calling fail, when only a clear case should end the run; passing is spent evenly.

_TIMING = frozenset({"latency", "p90 latency", "p99 latency", "latency variance"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The rules: shares by which latency may be slower (``tolerance``) and which a pass excludes (``slowdown``), the
    share of errors that a pass excludes, whether answers are compared by their ``values``, their ``schema`` or not.

    ``limits`` are for an endpoint that the release does not serve. A growing sample is judged at most ``looks`` times.
    """

    tolerance: float = 0.1
    slowdown: float = 0.2
    error_tolerance: float = 0.01
    answers: str = "values"
    limits: Limits = field(default_factory=lambda: Limits(max_error_rate=0.0, max_p95_ms=250.0))
    looks: int = 3

    def fail_level(self, look: int) -> float:
        """What p-value means "worse" at this look."""
        return spent(LEVEL, look, self.looks, _FAIL_SPENDING)

    def pass_level(self, look: int) -> float:
        """What p-value excludes a promised regression of times at this look."""
        return spent(MISS_LEVEL, look, self.looks, _PASS_SPENDING)

    def count_pass_level(self, look: int) -> float:
        """What p-value excludes a promised excess of what is counted at this look."""
        return spent(COUNT_MISS_LEVEL, look, self.looks, _PASS_SPENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All checks, and where the release differed from its twin (in words; empty: nowhere)."""

    checks: tuple[Check, ...]
    noisy: tuple[str, ...]
    look: int

    @property
    def outcome(self) -> Outcome:
        """The worst of the checks."""
        return overall(self.checks)

    @property
    def score(self) -> float:
        """How many of a hundred checks passed."""
        return score_of(self.checks)


def judge(sides: Mapping[str, Side], rules: Comparison, look: int, *, disturbed: bool = False) -> Judgement:
    """The candidate against both containers of the release, and these against each other, at look number ``look``.

    No timing is believed when these differ as a bad candidate would, or the measurement was ``disturbed``; and none is
    held against the candidate that is within the tolerance and what the two differ by over all endpoints.
    """
    release, twin = sides.get(RELEASE, {}), sides.get(TWIN, {})
    control = compare(release, twin, rules, look)
    noisy = _objected(control) | _objected(compare(twin, release, rules, look))
    own = _whole(control)
    checks = compare(pooled(release, twin), sides.get(CANDIDATE, {}), rules, look)
    judged = (_beside_noise(c, own.get(c.metric, 0.0), believed=not noisy and not disturbed) for c in checks)
    return Judgement(checks=tuple(judged), noisy=tuple(sorted(noisy)), look=look)


def compare(release: Side, candidate: Side, rules: Comparison, look: int = 1) -> tuple[Check, ...]:
    """Judge the candidate against the release; checks for each metric and endpoint, none without traffic."""
    old, new = ({name: seen.in_order() for name, seen in side.items()} for side in (release, candidate))
    names = sorted(old.keys() | new.keys())
    pairs = {n: Pair(endpoint=n, old=old.get(n, NOTHING), new=new.get(n, NOTHING)) for n in names}
    # An endpoint that the release has only errors for is new, or broken there: nothing to compare with.
    unserved = {n: p for n, p in pairs.items() if not p.old.latencies_ms and p.old.errors and p.new.latencies_ms}
    both = {name: pair for name, pair in pairs.items() if name not in unserved}
    timed = {name: pair for name, pair in both.items() if _enough(pair.old, pair.new)}
    alone = len(both) == 1
    trials = counting_trials(both, rules.error_tolerance, rules.answers, rules.count_pass_level(look))
    for pair in timed.values():
        trials += latency_trials(pair, rules.tolerance, rules.slowdown, rules.pass_level(look), whole=alone)
    if timed and not alone:
        every = normalised(timed.values())
        trials += latency_trials(every, rules.tolerance, rules.slowdown, rules.pass_level(look), whole=True)
    return (
        *_decided(trials, rules.fail_level(look)),
        *(_few(pair) for name, pair in both.items() if name not in timed),
        *(check for pair in unserved.values() for check in _by_limits(pair, rules.limits)),
    )


def _objected(control: Iterable[Check]) -> frozenset[str]:
    """What one container of the release would be called bad in beside the other."""
    return frozenset(check.what for check in control if check.metric in _TIMING and check.outcome is Outcome.FAIL)


def _whole(control: Iterable[Check]) -> dict[str, float]:
    """By how much the two containers of the release differ in each time over all endpoints, as a logarithm."""
    timed = [check for check in control if "effect" in check.numbers]
    alone = len({check.endpoint for check in timed}) == 1
    return {c.metric: abs(math.log1p(c.numbers["effect"])) for c in timed if alone or c.endpoint == EVERYWHERE}


def _beside_noise(check: Check, noise: float, *, believed: bool) -> Check:
    if check.metric not in _TIMING:
        return check
    allowed = math.log1p(check.numbers.get("tolerance", 0.0)) + noise
    within = math.log1p(check.numbers.get("effect", 0.0)) <= allowed
    doubtful = not believed or (check.outcome is Outcome.FAIL and within)
    return replace(
        check,
        outcome=Outcome.UNSURE if doubtful else check.outcome,
        numbers={**check.numbers, "release_differs": math.expm1(noise)},
    )


def _decided(trials: list[Trial], level: float) -> tuple[Check, ...]:
    """The outcome of each trial, by Holm's procedure over all of them."""
    adjusted = holm([trial.p_worse for trial in trials])
    return tuple(_check(trial, p, level) for trial, p in zip(trials, adjusted, strict=True))


def _check(trial: Trial, p: float, level: float) -> Check:
    if trial.beyond and p < level:
        outcome = Outcome.FAIL
    else:
        outcome = Outcome.UNSURE if trial.excluded is False else Outcome.PASS
    said = {True: "; the promised regression is excluded", False: "; the promised regression is not excluded", None: ""}
    return Check(
        metric=trial.metric,
        endpoint=trial.endpoint,
        outcome=outcome,
        allowed=trial.allowed,
        found=f"{trial.found} (worse: p = {p:.2g}{said[trial.excluded]})",
        numbers={**trial.numbers, "p_worse": p, "p_worse_alone": trial.p_worse, "level": level},
    )


def _few(pair: Pair) -> Check:
    return Check(
        metric="latency",
        endpoint=pair.endpoint,
        outcome=Outcome.UNSURE,
        allowed=f"at least {FEWEST} good answers from each",
        found=f"{too_few(pair.old)} from the release, {too_few(pair.new)} from the candidate",
        numbers=pair.numbers,
    )


def _by_limits(pair: Pair, limits: Limits) -> tuple[Check, ...]:
    seen = pair.new
    bad = seen.errors > limits.max_error_rate * seen.total
    errors = Check(
        metric="error rate",
        endpoint=pair.endpoint,
        outcome=Outcome.FAIL if bad else Outcome.PASS,
        allowed=f"at most {limits.max_error_rate:.2%}, the release having no good answer to compare with",
        found=f"{seen.errors} of {seen.total}",
        numbers=pair.numbers,
    )
    return errors, p95_check(pair.endpoint, seen, limits)


def _enough(old: Observed, new: Observed) -> bool:
    return min(len(old.latencies_ms), len(new.latencies_ms)) >= FEWEST


__all__ = [
    "CANDIDATE",
    "EVERYWHERE",
    "RELEASE",
    "SIDES",
    "TWIN",
    "Check",
    "Comparison",
    "Judgement",
    "Observed",
    "Outcome",
    "Side",
    "compare",
    "judge",
]
