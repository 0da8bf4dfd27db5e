"""The canary judge: is the candidate worse than the current release, or beyond absolute limits?

Latency. An endpoint is *slower* when a Mann-Whitney test says so (Holm's correction over the endpoints) and the
Hodges-Lehmann shift exceeds the tolerance, a share of the release's median. It *passes* when a second test
excludes, with confidence, that the shift lies beyond the tolerance. Anything between is "could not tell": a
measurement too noisy to have seen a slow candidate is no pass.

Errors. Fisher's exact test, because errors are sparse, for each endpoint and for all together. Errors beyond the
allowed share that are too few to be significant, and that the release has fewer of, are "could not tell" too.

Sources: Kayenta's NetflixACAJudge (Mann-Whitney with effect size), and its users' complaints that it hides the
numbers and reads no data as good (spinnaker/kayenta#780, #426, argoproj/argo-rollouts#1466): here every number is
in the result. Known limits: a change of variance at an equal median is not seen, nor are differences in what the
answers say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from pipeline.core.statistics import fisher_greater, hodges_lehmann, holm, mann_whitney_greater, quantile
from pipeline.core.traffic import Sample

FEWEST = 20
"""Answers a side and endpoint below which nothing is said about latency."""

SLOWER_LEVEL = 0.01
"""The chance of calling an equal candidate slower, over all endpoints and looks; the tolerance lowers it further."""

EXCLUSION_LEVEL = 0.05
"""The chance of passing a candidate that is slower by just the tolerance, over all looks."""

ERROR_LEVEL = 0.05
"""The chance of calling a candidate with equally many errors worse, over all endpoints and all looks."""

EVERYWHERE = "all endpoints"
_BLOCK = 10


class Outcome(StrEnum):
    """What one check says."""

    PASS = "pass"  # nosec B105 - an outcome, no credential
    FAIL = "fail"
    UNSURE = "could not tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One side at one endpoint: the latencies of its good answers in milliseconds, in time order, and its failures."""

    latencies_ms: tuple[float, ...]
    errors: int

    @property
    def total(self) -> int:
        """Requests that were sent."""
        return len(self.latencies_ms) + self.errors

    def summary(self) -> dict[str, float]:
        """The numbers for a report."""
        shown: dict[str, float] = {"requests": self.total, "errors": self.errors}
        if self.latencies_ms:
            shown |= {f"p{share}_ms": quantile(self.latencies_ms, share / 100) for share in (50, 95, 99)}
        return shown


Side = Mapping[str, Observed]
"""One side of the comparison: its endpoints by name."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison rests on. A growing sample is judged at most ``looks`` times; the levels are divided by it."""

    tolerance: float
    max_error_rate: float
    looks: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Absolute limits: the share of failed requests, and the 95th percentile of latency in milliseconds."""

    max_error_rate: float
    max_p95_ms: float


def observe(samples: Iterable[Sample], side: str) -> Side:
    """What the judged samples say of one side."""
    latencies: dict[str, list[float]] = {}
    errors: dict[str, int] = {}
    for sample in samples:
        if sample.request.side == side and not sample.request.warm_up:
            endpoint = str(sample.request.endpoint)
            errors[endpoint] = errors.get(endpoint, 0) + sample.failed
            good = latencies.setdefault(endpoint, [])
            if not sample.failed:
                good.append(sample.latency_ms)
    return {name: Observed(latencies_ms=tuple(good), errors=errors[name]) for name, good in latencies.items()}


def compare(release: Side, candidate: Side, rules: Comparison) -> tuple[Check, ...]:
    """Judge the candidate against the release; a check for each metric and endpoint, none without traffic."""
    endpoints = sorted(release.keys() | candidate.keys())
    nothing = Observed(latencies_ms=(), errors=0)
    pairs = {name: (release.get(name, nothing), candidate.get(name, nothing)) for name in endpoints}
    return (*_error_checks(pairs, rules), *_latency_checks(pairs, rules))


def compare_with_limits(candidate: Side, limits: Limits) -> tuple[Check, ...]:
    """Judge by absolute limits: the share of errors over all endpoints, and the latency of each."""
    checks = []
    if candidate:
        total, errors = sum(seen.total for seen in candidate.values()), sum(seen.errors for seen in candidate.values())
        checks.append(
            Check(
                metric="error rate",
                endpoint=EVERYWHERE,
                outcome=Outcome.PASS if errors <= limits.max_error_rate * total else Outcome.FAIL,
                allowed=f"at most {limits.max_error_rate:.2%}",
                found=f"{errors} of {total}",
                numbers={"requests": total, "errors": errors},
            )
        )
    for endpoint, seen in sorted(candidate.items()):
        few = len(seen.latencies_ms) < FEWEST
        p95 = 0.0 if few else quantile(seen.latencies_ms, 0.95)
        outcome = Outcome.PASS if p95 <= limits.max_p95_ms else Outcome.FAIL
        checks.append(
            Check(
                metric="p95 latency",
                endpoint=endpoint,
                outcome=Outcome.UNSURE if few else outcome,
                allowed=f"at most {limits.max_p95_ms:.1f} ms",
                found=_too_few(seen) if few else f"{p95:.2f} ms",
                numbers=seen.summary(),
            )
        )
    return tuple(checks)


def unsteady(release: Side, rules: Comparison) -> tuple[str, ...]:
    """Endpoints at which the release differs from itself as a slow candidate would from it: the machine was too noisy.

    An A/A control: its samples in blocks of ten, every other block against the rest. The plan sends to both sides
    within milliseconds, so a machine that slowly changes meets both alike and is no reason for doubt; one that changes
    from moment to moment is. Halves drawn at random would show nothing, since chance spreads every noise evenly.
    """
    halves = {name: _alternate(seen) for name, seen in release.items() if len(seen.latencies_ms) >= 2 * FEWEST}
    found = set()
    for first, second in ((0, 1), (1, 0)):
        pairs = {name: (parts[first], parts[second]) for name, parts in halves.items()}
        found |= {check.endpoint for check in _latency_checks(pairs, rules) if check.outcome is Outcome.FAIL}
    return tuple(sorted(found))


def slowed(side: Side, factor: float) -> Side:
    """The same side with every latency multiplied: what the judge must object to (a positive control)."""
    return {n: replace(seen, latencies_ms=tuple(ms * factor for ms in seen.latencies_ms)) for n, seen in side.items()}


def failing(side: Side) -> Side:
    """The same side with every third good answer turned into an error (a positive control)."""
    return {
        name: Observed(
            latencies_ms=tuple(ms for index, ms in enumerate(seen.latencies_ms) if index % 3),
            errors=seen.errors + len(seen.latencies_ms[::3]),
        )
        for name, seen in side.items()
    }


def overall(checks: Iterable[Check]) -> Outcome:
    """The worst of the checks: fail, then could not tell, then pass; could not tell when there is none."""
    outcomes = {check.outcome for check in checks}
    if not outcomes:
        return Outcome.UNSURE
    return next(outcome for outcome in (Outcome.FAIL, Outcome.UNSURE, Outcome.PASS) if outcome in outcomes)


Pairs = Mapping[str, tuple[Observed, Observed]]


def _error_checks(pairs: Pairs, rules: Comparison) -> list[Check]:
    counts = {name: (old.errors, old.total, new.errors, new.total) for name, (old, new) in pairs.items()}
    if len(counts) > 1:
        old_errors, old_total, new_errors, new_total = (sum(column) for column in zip(*counts.values(), strict=True))
        counts[EVERYWHERE] = (old_errors, old_total, new_errors, new_total)
    raw = [fisher_greater(new_errors, new, old_errors, old) for old_errors, old, new_errors, new in counts.values()]
    checks = []
    for (name, (old_errors, old_total, new_errors, new_total)), p in zip(counts.items(), holm(raw), strict=True):
        more = new_errors * old_total > old_errors * new_total and new_errors > rules.max_error_rate * new_total
        if more and p < ERROR_LEVEL / rules.looks:
            outcome = Outcome.FAIL
        elif more or not old_total or not new_total:
            outcome = Outcome.UNSURE
        else:
            outcome = Outcome.PASS
        checks.append(
            Check(
                metric="errors",
                endpoint=name,
                outcome=outcome,
                allowed=f"not more often than the release's {old_errors} of {old_total}",
                found=f"{new_errors} of {new_total} (p = {p:.4f})",
                numbers={
                    "release_errors": old_errors,
                    "release_requests": old_total,
                    "candidate_errors": new_errors,
                    "candidate_requests": new_total,
                    "p_more": p,
                },
            )
        )
    return checks


def _latency_checks(pairs: Pairs, rules: Comparison) -> list[Check]:
    enough = {name: pair for name, pair in pairs.items() if min(len(side.latencies_ms) for side in pair) >= FEWEST}
    raw = [mann_whitney_greater(new.latencies_ms, old.latencies_ms) for old, new in enough.values()]
    p_slower = dict(zip(enough, holm(raw), strict=True))
    return [_latency_check(name, pair, p_slower.get(name), rules) for name, pair in pairs.items()]


def _latency_check(name: str, pair: tuple[Observed, Observed], p_slower: float | None, rules: Comparison) -> Check:
    old, new = pair
    numbers = {f"release_{key}": value for key, value in old.summary().items()}
    numbers |= {f"candidate_{key}": value for key, value in new.summary().items()}
    if p_slower is None:
        outcome, allowed, found = (
            Outcome.UNSURE,
            f"at least {FEWEST} answers from both",
            f"{_too_few(old)} and {_too_few(new)}",
        )
    else:
        median = quantile(old.latencies_ms, 0.5)
        most = rules.tolerance * median
        shift = hodges_lehmann(new.latencies_ms, old.latencies_ms)
        p_beyond = mann_whitney_greater([ms + most for ms in old.latencies_ms], new.latencies_ms)
        if shift > most:
            outcome = Outcome.FAIL if p_slower < SLOWER_LEVEL / rules.looks else Outcome.UNSURE
        else:
            outcome = Outcome.PASS if p_beyond < EXCLUSION_LEVEL / rules.looks else Outcome.UNSURE
        allowed = f"at most {most:.2f} ms ({rules.tolerance:.0%}) slower than the release's median of {median:.2f} ms"
        share = shift / median if median else 0.0
        found = f"{shift:+.2f} ms ({share:+.0%}; slower p = {p_slower:.4f}, not beyond that p = {p_beyond:.4f})"
        numbers |= {"shift_ms": shift, "allowed_shift_ms": most, "p_slower": p_slower, "p_beyond": p_beyond}
    return Check(metric="latency", endpoint=name, outcome=outcome, allowed=allowed, found=found, numbers=numbers)


def _alternate(seen: Observed) -> tuple[Observed, Observed]:
    """The samples of even and of odd blocks."""
    parts: tuple[list[float], list[float]] = ([], [])
    for index, value in enumerate(seen.latencies_ms):
        parts[index // _BLOCK % 2].append(value)
    return Observed(latencies_ms=tuple(parts[0]), errors=0), Observed(latencies_ms=tuple(parts[1]), errors=0)


def _too_few(seen: Observed) -> str:
    return f"{len(seen.latencies_ms)} good answers of {seen.total}"
