"""A live deployment beside its earlier runs: what is out of line, and what is remembered."""

from __future__ import annotations

import random

import msgspec
import pytest

from pipeline.core.canary_history import (
    FEWEST_RUNS,
    MOST_RUNS,
    CanaryHistory,
    PastCanary,
    PastEndpoint,
    compare_with_past,
    past_of,
)
from pipeline.core.canary_observed import Observed, Outcome, Side


def seen(median: float = 5.0, *, count: int = 100, errors: int = 0) -> Side:
    chance = random.Random(str(median))
    drawn = tuple(median * chance.lognormvariate(0, 0.2) for _ in range(count))
    return {"GET /": Observed(latencies_ms=drawn, errors=errors)}


def past(*medians: float, errors: int = 0) -> tuple[PastCanary, ...]:
    return tuple(
        PastCanary(
            started=f"2026-01-{day:02}",
            endpoints={"GET /": PastEndpoint(requests=100, errors=errors, p50_ms=ms, p90_ms=1.3 * ms)},
        )
        for day, ms in enumerate(medians, start=1)
    )


QUIET = past(4.9, 5.1, 5.0, 5.2, 4.8, 5.0)


def outcomes(side: Side, runs: tuple[PastCanary, ...]) -> set[Outcome]:
    return {check.outcome for check in compare_with_past(side, runs, 0.2)}


def test_too_few_earlier_runs_are_not_compared_with() -> None:
    assert not compare_with_past(seen(), QUIET[: FEWEST_RUNS - 1], 0.2)


def test_a_run_in_line_passes_and_one_that_is_slower_fails() -> None:
    assert outcomes(seen(), QUIET) == {Outcome.PASS}
    assert outcomes(seen(4.0), QUIET) == {Outcome.PASS}
    (errors, median, p90) = compare_with_past(seen(7.5), QUIET, 0.2)
    assert (errors.outcome, median.outcome, p90.outcome) == (Outcome.PASS, Outcome.FAIL, Outcome.FAIL)
    assert median.numbers["z"] > 3.5 and median.numbers["runs"] == 6


def test_more_errors_than_ever_fail() -> None:
    assert Outcome.FAIL in outcomes(seen(errors=5), QUIET)
    assert outcomes(seen(errors=5), past(4.9, 5.1, 5.0, 5.2, 4.8, errors=5)) == {Outcome.PASS}


def test_few_answers_and_runs_that_differ_too_much_can_not_tell() -> None:
    assert Outcome.UNSURE in outcomes(seen(count=10), QUIET)
    assert Outcome.UNSURE in outcomes(seen(), past(1.0, 3.0, 9.0, 20.0, 5.0))


def test_an_endpoint_that_was_not_asked_before_is_left_to_the_limits() -> None:
    both = {**seen(), "GET /new": seen(90.0)["GET /"]}
    assert {check.endpoint for check in compare_with_past(both, QUIET, 0.2)} == {"all endpoints", "GET /"}


def test_no_more_than_the_last_runs_are_remembered_and_they_survive_the_file() -> None:
    history = CanaryHistory()
    for number in range(MOST_RUNS + 5):
        history = history.with_run("here", past_of(seen(), f"run {number}"))
    history = history.with_run("there", past_of(seen(), "other"))
    assert len(history.of("here")) == MOST_RUNS and history.of("here")[0].started == "run 5"
    assert len(history.of("there")) == 1 and not history.of("nowhere")
    assert msgspec.json.decode(msgspec.json.encode(history), type=CanaryHistory) == history


@pytest.mark.parametrize(
    "point",
    [
        {"requests": 1, "errors": 1, "p50_ms": 1.0, "p90_ms": 1.0},
        {"requests": 9, "errors": 0, "p50_ms": 0.0, "p90_ms": 1.0},
        {"requests": 9, "errors": -1, "p50_ms": 1.0, "p90_ms": 1.0},
    ],
)
def test_a_damaged_record_is_refused(point: dict[str, float]) -> None:
    runs = {"x": [{"started": "", "endpoints": {"GET /": point}}]}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"schema": "pipeline.canary-history/v1", "runs": runs}, CanaryHistory)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"schema": "other", "runs": {}}, CanaryHistory)
