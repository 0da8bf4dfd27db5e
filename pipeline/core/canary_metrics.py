"""The tests of the canary judge, one function a metric: samples in, a trial out, which the judge turns into a check."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from pipeline.core.canary_answers import deviation
from pipeline.core.canary_observed import EVERYWHERE, Observed
from pipeline.core.statistics import (
    fisher_greater,
    hodges_lehmann,
    mann_whitney_greater,
    most_above,
    quantile,
)

VARIANCE_TOLERANCE = 1.5
VARIANCE_EXCLUDED = 1.8
"""How much larger the candidate's variance may be, and what a pass excludes. Less than double, which is promised to be
seen, because the machine's own variance, which no candidate doubles, is part of what is measured."""

P90_FACTOR = 2.0
P99_TOLERANCE = 1.0
"""High percentiles are seen less sharply: at the 90th twice the tolerance and the promise of the median hold; the 99th
may be at most twice the release's, and no promise is made."""

_LEAST = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both sides at one endpoint; with ``relative``, latencies are in units of the release's median, not in ms."""

    endpoint: str
    old: Observed
    new: Observed
    relative: bool = False

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers of both sides."""
        if self.relative:
            return {}
        sides = (("release", self.old), ("candidate", self.new))
        return {f"{side}_{key}": value for side, seen in sides for key, value in seen.summary().items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One test: its p-value for "worse", whether the difference is ``beyond`` the tolerance, and whether the promised
    regression is ``excluded`` (none: nothing is promised).
    """

    metric: str
    endpoint: str
    p_worse: float
    beyond: bool
    excluded: bool | None
    allowed: str
    found: str
    numbers: Mapping[str, float]


def normalised(pairs: Iterable[Pair]) -> Pair:
    """All endpoints as one, each latency divided by the release's median there: the plan gives all sides one mix."""
    old: list[float] = []
    new: list[float] = []
    for pair in pairs:
        median = max(quantile(pair.old.latencies_ms, 0.5), _LEAST)
        old.extend(ms / median for ms in pair.old.latencies_ms)
        new.extend(ms / median for ms in pair.new.latencies_ms)
    return Pair(
        endpoint=EVERYWHERE,
        old=Observed(latencies_ms=tuple(old), errors=0),
        new=Observed(latencies_ms=tuple(new), errors=0),
        relative=True,
    )


def latency_trials(pair: Pair, tolerance: float, slowdown: float, level: float, *, whole: bool) -> list[Trial]:
    """The tests of the latencies: median, 90th percentile and variance; over all (``whole``) the 99th too.

    Each endpoint promises its median; over all also the 90th percentile and the variance are promised.
    """
    trials = [
        _location(pair, tolerance, slowdown, level),
        _percentile(pair, 90, tolerance * P90_FACTOR, (slowdown * P90_FACTOR, level) if whole else None),
        _variance(pair, level if whole else None),
    ]
    return [*trials, _percentile(pair, 99, P99_TOLERANCE, None)] if whole else trials


def counting_trials(pairs: Mapping[str, Pair], tolerance: float, answers: str, level: float) -> list[Trial]:
    """The tests of what can be counted: errors, and answers that deviate; each endpoint's, and all together's."""
    trials = _counted(
        "errors",
        {name: (pair.new.errors, pair.new.total, pair.old.errors, pair.old.total) for name, pair in pairs.items()},
        tolerance,
        level,
    )
    if answers == "off":
        return trials
    seen = {n: deviation(pair.old.answers, pair.new.answers, values=answers == "values") for n, pair in pairs.items()}
    counts = {
        name: (seen[name].answers, pair.new.answers.total, 0, pair.old.answers.total)
        for name, pair in pairs.items()
        if pair.new.answers.total and pair.old.answers.total
    }
    told = {name: "; ".join(found.told) for name, found in seen.items() if found.told}
    return trials + _counted("deviating answers", counts, tolerance, level, told)


def _counted(
    metric: str,
    counts: Mapping[str, tuple[int, int, int, int]],
    tolerance: float,
    level: float,
    told: Mapping[str, str] | None = None,
) -> list[Trial]:
    """Fisher's exact test, because such events are sparse; by Newcombe's interval the promised excess is excluded."""
    rows = dict(counts)
    if len(rows) > 1:
        new, new_total, old, old_total = (sum(column) for column in zip(*rows.values(), strict=True))
        rows[EVERYWHERE] = (new, new_total, old, old_total)
    z = NormalDist().inv_cdf(1 - level)
    promised = EVERYWHERE if len(rows) > 1 else next(iter(rows), "")
    trials = []
    for name, (new, new_total, old, old_total) in rows.items():
        most = most_above(new, new_total, old, old_total, z) if new_total and old_total else 1.0
        shown = (told or {}).get(name, "")
        trials.append(
            Trial(
                metric=metric,
                endpoint=name,
                p_worse=fisher_greater(new, new_total, old, old_total),
                beyond=new * old_total > old * new_total,
                # Where nobody got a good answer there is nothing to be sure of.
                excluded=(most <= tolerance and new < new_total) if name == promised or new == new_total else None,
                allowed=f"not more often than the release's {old} of {old_total}",
                found=f"{new} of {new_total}" + (f": {shown}" if shown else ""),
                numbers={
                    "release_count": old,
                    "release_requests": old_total,
                    "candidate_count": new,
                    "candidate_requests": new_total,
                    "most_above": most,
                    "promised": tolerance,
                },
            )
        )
    return trials


def _location(pair: Pair, tolerance: float, slowdown: float, level: float) -> Trial:
    """Mann-Whitney with the Hodges-Lehmann shift; the same test against the release moved by the promised slowdown."""
    old, new = pair.old.latencies_ms, pair.new.latencies_ms
    median = max(quantile(old, 0.5), _LEAST)
    shift = hodges_lehmann(new, old)
    p_beyond = mann_whitney_greater([ms + slowdown * median for ms in old], new)
    unit = "" if pair.relative else f"{shift:+.3f} ms, "
    return Trial(
        metric="latency",
        endpoint=pair.endpoint,
        p_worse=mann_whitney_greater(new, old),
        beyond=shift > tolerance * median,
        excluded=p_beyond < level,
        allowed=f"at most {tolerance:.0%} slower than the release, and surely less than {slowdown:.0%}",
        found=f"{unit}{shift / median:+.1%}",
        numbers={
            **pair.numbers,
            "shift": shift,
            "effect": max(shift / median, _LEAST - 1),
            "tolerance": tolerance,
            "p_beyond": p_beyond,
        },
    )


def _percentile(pair: Pair, percent: int, tolerance: float, promise: tuple[float, float] | None) -> Trial:
    """Fisher's test on how many values of each side lie above the percentile of both together.

    A quantile test after J. Westenberg and A. M. Mood (Mood, Introduction to the Theory of Statistics, 1950).
    """
    old, new = pair.old.latencies_ms, pair.new.latencies_ms
    share = percent / 100
    before, after = quantile(old, share), quantile(new, share)
    numbers = {
        "release": before,
        "candidate": after,
        "effect": max(after, _LEAST) / max(before, _LEAST) - 1,
        "tolerance": tolerance,
    }
    excluded = None
    if promise is not None:
        slower = [ms * (1 + promise[0]) for ms in old]
        numbers["p_beyond"] = _more_above(slower, new, share)
        excluded = numbers["p_beyond"] < promise[1]
    unit = "times the median" if pair.relative else "ms"
    sure = f", and surely less than {promise[0]:.0%}" if promise is not None else ""
    return Trial(
        metric=f"p{percent} latency",
        endpoint=pair.endpoint,
        p_worse=_more_above(new, old, share),
        beyond=after > (1 + tolerance) * before,
        excluded=excluded,
        allowed=f"at most {tolerance:.0%} above the release's{sure}",
        found=f"{after:.3f} after {before:.3f} {unit}, {after / max(before, _LEAST) - 1:+.1%}",
        numbers=numbers,
    )


def _variance(pair: Pair, level: float | None) -> Trial:
    """Mann-Whitney on the distances from each side's own median: rare slow answers can't hide or fake a change.

    In the way of H. Levene (1960) with the median of M. B. Brown and A. B. Forsythe (JASA 69, 1974), by ranks.
    """
    old, new = _distances(pair.old.latencies_ms), _distances(pair.new.latencies_ms)
    ratio = math.exp(2 * hodges_lehmann([math.log(ms) for ms in new], [math.log(ms) for ms in old]))
    numbers = {"effect": ratio - 1, "tolerance": VARIANCE_TOLERANCE - 1}
    excluded = None
    if level is not None:
        wider = math.sqrt(VARIANCE_EXCLUDED)
        numbers["p_beyond"] = mann_whitney_greater([ms * wider for ms in old], new)
        excluded = numbers["p_beyond"] < level
    sure = f", and surely less than {VARIANCE_EXCLUDED:g} times" if level is not None else ""
    return Trial(
        metric="latency variance",
        endpoint=pair.endpoint,
        p_worse=mann_whitney_greater(new, old),
        beyond=ratio > VARIANCE_TOLERANCE,
        excluded=excluded,
        allowed=f"at most {VARIANCE_TOLERANCE:g} times the release's{sure}",
        found=f"{ratio:.2f} times",
        numbers=numbers,
    )


def _distances(values: Sequence[float]) -> list[float]:
    """How far each value lies from the median."""
    median = quantile(values, 0.5)
    return [max(abs(ms - median), _LEAST) for ms in values]


def _more_above(a: Sequence[float], b: Sequence[float], share: float) -> float:
    """How likely so many of A would lie above the quantile of both by chance."""
    threshold = quantile([*a, *b], share)
    above_a, above_b = (len(side) - bisect_right(sorted(side), threshold) for side in (a, b))
    return fisher_greater(above_a, len(a), above_b, len(b))
