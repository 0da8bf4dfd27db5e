"""Processor time and memory beside the release's two containers."""

from __future__ import annotations

import pytest

from pipeline.core.canary_judge import CANDIDATE, RELEASE, TWIN
from pipeline.core.canary_observed import Outcome
from pipeline.core.canary_resources import Used, resource_checks


def outcomes(candidate: tuple[float, int], twin: tuple[float, int] = (1.1, 41)) -> list[Outcome]:
    values = {RELEASE: (1.0, 40), TWIN: twin, CANDIDATE: candidate}
    used = {s: Used(requests=100, cpu_s=cpu / 10, memory_bytes=mb * 1_000_000) for s, (cpu, mb) in values.items()}
    return [check.outcome for check in resource_checks(used, 0.5)]


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        ((1.0, 40), [Outcome.PASS, Outcome.PASS]),
        ((1.7, 40), [Outcome.FAIL, Outcome.PASS]),
        ((1.0, 62), [Outcome.PASS, Outcome.FAIL]),
        ((0.0, 0), [Outcome.UNSURE, Outcome.UNSURE]),
    ],
)
def test_more_than_the_larger_of_both_by_the_tolerance_fails(
    candidate: tuple[float, int], expected: list[Outcome]
) -> None:
    assert outcomes(candidate) == expected


def test_a_release_that_differs_from_itself_as_much_says_nothing() -> None:
    assert outcomes((1.0, 40), twin=(2.0, 90)) == [Outcome.UNSURE, Outcome.UNSURE]
    nobody = {side: Used(requests=0, cpu_s=1.0, memory_bytes=1) for side in (RELEASE, TWIN, CANDIDATE)}
    assert resource_checks(nobody, 0.5)[0].outcome is Outcome.UNSURE
