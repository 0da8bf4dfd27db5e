"""The canary judge: what it calls fail, pass and could not tell, at fixed seeds; the rates are benchmarks/ matter."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.canary_answers import Answers, described, profile
from pipeline.core.canary_judge import CANDIDATE, RELEASE, TWIN, Check, Comparison, Judgement, compare, judge
from pipeline.core.canary_objectives import Limits, compare_with_limits
from pipeline.core.canary_observed import (
    EVERYWHERE,
    FEWEST,
    Observed,
    Outcome,
    Side,
    answering_otherwise,
    failing,
    observe,
    overall,
    pooled,
    score_of,
    slowed,
    spread,
)
from pipeline.core.traffic import Answer, Endpoint, PlannedRequest, Sample

RULES = Comparison()
LIMITS = Limits(max_error_rate=0.0, max_p95_ms=100.0)
ENDPOINTS = ("GET /", "GET /healthz", "POST /echo/hello")
EACH = 220
"""Good answers a side and endpoint: a first look of the pipeline's default."""


def latencies(seed: object, count: int, factor: float = 1.0) -> tuple[float, ...]:
    """Skewed like a small service on loopback: a median of 2.5 ms, a 95th percentile near 5 ms, now and then 20 ms."""
    chance = random.Random(str(seed))
    drawn = (chance.lognormvariate(0.92, 0.3) + (chance.random() < 0.02) * 20 for _ in range(count))
    return tuple(factor * value for value in drawn)


def side(seed: object, *, count: int = EACH, factor: float = 1.0, errors: int = 0) -> Side:
    return {
        name: Observed(latencies_ms=latencies(f"{seed}{name}", count - errors, factor), errors=errors)
        for name in ENDPOINTS
    }


def judged(candidate: Side, *, release: Side | None = None, twin: Side | None = None, look: int = 1) -> Judgement:
    sides = {RELEASE: release or side("a"), TWIN: twin or side("b"), CANDIDATE: candidate}
    return judge(sides, RULES, look)


def of(checks: tuple[Check, ...], metric: str) -> dict[str, Outcome]:
    return {check.endpoint: check.outcome for check in checks if check.metric == metric}


@pytest.mark.parametrize("seed", range(8))
def test_equal_sides_pass_at_the_first_look(seed: int) -> None:
    found = judged(side(f"c{seed}"), release=side(f"a{seed}"), twin=side(f"b{seed}"))
    assert found.outcome is Outcome.PASS, [c for c in found.checks if c.outcome is not Outcome.PASS]
    assert not found.noisy and found.score == 100.0


@pytest.mark.parametrize(
    ("spoil", "metric"),
    [
        (lambda seen: slowed(seen, 1.25), "latency"),
        (lambda seen: spread(seen, 1.7), "latency variance"),
        (failing, "errors"),
    ],
)
def test_what_is_promised_to_be_seen_fails(spoil: Callable[[Side], Side], metric: str) -> None:
    found = judged(spoil(side("c")))
    assert found.outcome is Outcome.FAIL
    assert of(found.checks, metric)[EVERYWHERE] is Outcome.FAIL
    assert found.score < 100


def test_one_slow_endpoint_is_enough_and_is_named() -> None:
    slow = {**side("c"), "GET /": Observed(latencies_ms=latencies("slow", EACH, 1.4), errors=0)}
    checks = judged(slow).checks
    assert {c.endpoint for c in checks if c.metric == "latency" and c.outcome is Outcome.FAIL} >= {"GET /"}
    assert of(checks, "latency")["GET /healthz"] is Outcome.PASS


def test_a_faster_candidate_passes() -> None:
    assert judged(side("c", factor=0.5)).outcome is Outcome.PASS


def test_one_error_in_a_hundred_is_seen_in_the_sum_of_all_endpoints() -> None:
    sides = {RELEASE: side("a", count=660), TWIN: side("b", count=660), CANDIDATE: side("c", count=660, errors=7)}
    checks = judge(sides, RULES, 3).checks
    assert of(checks, "errors")[EVERYWHERE] is Outcome.FAIL


def test_few_errors_are_passed_only_with_samples_enough_to_exclude_the_promised_share() -> None:
    few = {**side("c"), "GET /": Observed(latencies_ms=latencies("x", EACH - 3), errors=3)}
    assert of(judged(few).checks, "errors")[EVERYWHERE] is Outcome.UNSURE
    many = side("c", count=2000)
    many = {**many, "GET /": Observed(latencies_ms=many["GET /"].latencies_ms, errors=3)}
    checks = compare(side("a", count=4000), many, RULES)
    assert of(checks, "errors")[EVERYWHERE] is Outcome.PASS


def test_errors_that_the_release_has_too_are_no_fault_of_the_candidate() -> None:
    some = [side(name, errors=4) for name in "abc"]
    checks = judge(dict(zip((RELEASE, TWIN, CANDIDATE), some, strict=True)), RULES, 1).checks
    assert Outcome.FAIL not in of(checks, "errors").values()


def test_no_traffic_and_too_little_of_it_are_no_pass() -> None:
    assert overall(compare({}, {}, RULES)) is Outcome.UNSURE
    assert overall(compare_with_limits({}, LIMITS)) is Outcome.UNSURE
    assert overall(compare(side("a"), {}, RULES)) is Outcome.UNSURE
    assert overall(compare({}, {"GET /": Observed(latencies_ms=(), errors=0)}, RULES)) is Outcome.UNSURE
    assert overall(compare(side("a"), side("b", count=FEWEST - 1), RULES)) is Outcome.UNSURE
    assert overall(compare_with_limits(side("a", count=FEWEST - 1), LIMITS)) is Outcome.UNSURE
    assert score_of(()) == 0.0


def test_a_pass_needs_enough_samples_to_have_seen_the_regression() -> None:
    found = judged(side("c", count=FEWEST), release=side("a", count=FEWEST), twin=side("b", count=FEWEST))
    assert found.outcome is Outcome.UNSURE
    assert of(found.checks, "errors")[EVERYWHERE] is Outcome.UNSURE
    assert "not excluded" in next(c.found for c in found.checks if c.outcome is Outcome.UNSURE)


def test_two_dead_sides_are_no_pass_and_neither_is_one_that_only_fails() -> None:
    dead = {name: Observed(latencies_ms=(), errors=EACH) for name in ENDPOINTS}
    assert judged(dead, release=dead, twin=dead).outcome is Outcome.UNSURE
    assert judged(dead).outcome is Outcome.FAIL


def test_an_endpoint_that_the_release_does_not_serve_is_judged_by_absolute_limits() -> None:
    dead = Observed(latencies_ms=(), errors=EACH)
    new, name = {**side("c")}, "GET /new"
    good = Observed(latencies_ms=latencies("new", EACH), errors=0)
    sides = {RELEASE: {**side("a"), name: dead}, TWIN: {**side("b"), name: dead}}
    found = judge({**sides, CANDIDATE: {**new, name: good}}, RULES, 1)
    assert found.outcome is Outcome.PASS
    assert {check.metric for check in found.checks if check.endpoint == name} == {"error rate", "p95 latency"}
    broken = Observed(latencies_ms=latencies("new", EACH - 1), errors=1)
    assert judge({**sides, CANDIDATE: {**new, name: broken}}, RULES, 1).outcome is Outcome.FAIL


def test_a_release_that_differs_from_its_twin_makes_every_time_doubtful_but_no_error() -> None:
    found = judged(slowed(side("c"), 1.5), twin=slowed(side("b"), 1.5))
    assert found.outcome is Outcome.UNSURE
    assert "latency of all endpoints" in found.noisy
    assert judged(failing(side("c")), twin=slowed(side("b"), 1.5)).outcome is Outcome.FAIL


def test_what_the_release_differs_by_from_itself_is_not_held_against_the_candidate() -> None:
    # The candidate is 20 % above what lies between two containers of the release that differ by 14 %.
    apart = judged(side("c", factor=1.2), release=side("a", factor=0.93), twin=side("b", factor=1.07))
    assert of(apart.checks, "latency")[EVERYWHERE] is Outcome.UNSURE
    assert of(judged(side("c", factor=1.2)).checks, "latency")[EVERYWHERE] is Outcome.FAIL


def test_a_disturbed_measurement_says_nothing_of_times() -> None:
    sides = {RELEASE: side("a"), TWIN: side("b"), CANDIDATE: side("c", factor=2.0)}
    assert judge(sides, RULES, 1, disturbed=True).outcome is Outcome.UNSURE


def test_a_single_endpoint_carries_all_promises() -> None:
    sides = {
        name: {"GET /": Observed(latencies_ms=latencies(name, 640), errors=0)} for name in (RELEASE, TWIN, CANDIDATE)
    }
    found = judge(sides, RULES, 1)
    assert found.outcome is Outcome.PASS
    assert {check.metric for check in found.checks} == {
        "errors", "latency", "p90 latency", "p99 latency", "latency variance",
    }  # fmt: skip
    assert found.checks[0].numbers["level"] == pytest.approx(0.01 / 9)


def test_limits() -> None:
    assert overall(compare_with_limits(side("a"), LIMITS)) is Outcome.PASS
    assert of(compare_with_limits(side("a", factor=50), LIMITS), "p95 latency")["GET /"] is Outcome.FAIL
    assert of(compare_with_limits(side("a", errors=1), LIMITS), "error rate")[EVERYWHERE] is Outcome.FAIL
    lenient = Limits(max_error_rate=0.1, max_p95_ms=100)
    assert of(compare_with_limits(side("a", errors=1), lenient), "error rate")[EVERYWHERE] is Outcome.PASS


def test_every_number_is_in_the_checks() -> None:
    check = next(c for c in judged(side("c")).checks if c.what == "latency of GET /")
    assert set(check.numbers) >= {
        "release_p50_ms", "candidate_p50_ms", "candidate_p95_ms", "candidate_p99_ms", "candidate_requests", "shift",
        "effect", "tolerance", "p_worse", "p_worse_alone", "p_beyond", "level", "release_differs",
    }  # fmt: skip


def answering(text: bytes, count: int = EACH) -> Answers:
    return profile(described(200, (("Content-Type", "application/json"),), text) for _ in range(count))


def test_other_answers_fail_and_name_what_differs() -> None:
    def with_answers(seen: Side, answers: Answers) -> Side:
        return {name: Observed(latencies_ms=o.latencies_ms, errors=0, answers=answers) for name, o in seen.items()}

    release, twin = (with_answers(side(n), answering(b'{"msg": "a"}')) for n in "ab")
    same = judged(with_answers(side("c"), answering(b'{"msg": "a"}')), release=release, twin=twin)
    assert same.outcome is Outcome.PASS and of(same.checks, "deviating answers")[EVERYWHERE] is Outcome.PASS
    other = judged(with_answers(side("c"), answering(b'{"msg": "b"}')), release=release, twin=twin)
    (found,) = (c.found for c in other.checks if c.what == "deviating answers of GET /")
    assert other.outcome is Outcome.FAIL and '$.msg was "a" and is "b"' in found
    planted = answering_otherwise(pooled(release, twin))
    assert set(of(compare(release, planted, RULES), "deviating answers").values()) == {Outcome.FAIL}


def test_samples_become_sides_without_the_warm_up() -> None:
    endpoint = Endpoint(method="GET", path="/")

    def sample(number: int, status: int, *, warm_up: bool = False, which: str = "candidate") -> Sample:
        request = PlannedRequest(side=which, endpoint=endpoint, number=number, warm_up=warm_up)
        answer = Answer(headers=(), body=b"ok") if status == 200 else None
        return Sample(request=request, at_s=0.0, latency_ms=float(number), status=status, answer=answer)

    statuses = (200, 200, 500, 0, 304, 404)
    samples = [sample(number, status, warm_up=number == 1) for number, status in enumerate(statuses, start=1)]
    seen = observe([*samples, sample(7, 200, which="release")], "candidate")["GET /"]
    assert (seen.latencies_ms, seen.errors, seen.total, seen.answers.total) == ((2.0, 5.0), 3, 5, 1)


SIDES = st.builds(
    lambda good, errors: {"GET /": Observed(latencies_ms=tuple(good), errors=errors)},
    st.lists(st.floats(0.1, 1000), min_size=FEWEST, max_size=70),
    st.integers(0, 5),
)


@given(SIDES, SIDES, st.floats(1.0, 5.0))
@settings(max_examples=40, deadline=None)
def test_a_slower_candidate_is_never_judged_better(release: Side, candidate: Side, factor: float) -> None:
    before = of(compare(release, candidate, RULES), "latency")["GET /"]
    after = of(compare(release, slowed(candidate, factor), RULES), "latency")["GET /"]
    assert not (before is not Outcome.PASS and after is Outcome.PASS)


@given(SIDES)
@settings(max_examples=40, deadline=None)
def test_planted_errors_are_always_objected_to(seen: Side) -> None:
    assert overall(compare_with_limits(failing(seen), LIMITS)) is Outcome.FAIL
    assert Outcome.PASS not in of(compare(seen, failing(seen), RULES), "errors").values()
