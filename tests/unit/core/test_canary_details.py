"""A measurement becomes the numbers that a chart needs, and nothing of it is lost but the samples themselves."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.canary_details import BINS, CanaryDetails, Latencies, details_of
from pipeline.core.canary_judge import Comparison, Observed, compare
from tests.page_parts import sides

_MS = st.floats(0.001, 1e5, allow_nan=False)


def read(details: dict[str, Any]) -> CanaryDetails:
    """The details as they are read back from JSON."""
    assert json.loads(json.dumps(details)) == details
    return msgspec.convert(details["canary"], CanaryDetails)


def test_both_sides_share_the_bins_and_every_check_keeps_its_numbers() -> None:
    seen = sides()
    checks = compare(seen["release"], seen["candidate"], Comparison())
    details = read(details_of(seen, checks))
    first, second = details.endpoints
    assert (first.endpoint, second.endpoint) == ("GET /", "POST /echo/hello?lang=en")
    assert [(arm.side, arm.requests, arm.errors) for arm in second.arms] == [("candidate", 201, 1), ("release", 200, 0)]
    assert len(first.edges_ms) == BINS + 1
    assert [dict(check.numbers) for check in details.checks] == [dict(check.numbers) for check in checks]
    assert {check.outcome for check in details.checks} <= {"pass", "fail", "could not tell"}


@given(st.lists(_MS, max_size=60), st.lists(_MS, max_size=60), st.integers(0, 5))
def test_every_good_answer_is_counted_once(candidate: list[float], release: list[float], errors: int) -> None:
    seen = {
        "candidate": {"GET /": Observed(latencies_ms=tuple(candidate), errors=errors)},
        "release": {"GET /": Observed(latencies_ms=tuple(release), errors=0)},
    }
    (endpoint,) = read(details_of(seen, ())).endpoints
    for arm, latencies in zip(endpoint.arms, (candidate, release), strict=True):
        assert sum(arm.counts) + arm.beyond == len(latencies) == arm.requests - arm.errors
        assert (arm.p50_ms is None) == (not latencies)
        assert arm.beyond <= len(latencies) * 0.02 + 1


def test_without_a_good_answer_there_are_no_bins() -> None:
    details = read(details_of({"live": {"GET /": Observed(latencies_ms=(), errors=3)}}, ()))
    assert details.endpoints[0].edges_ms == () and details.endpoints[0].arms[0].counts == ()
    assert read(details_of({}, ())) == CanaryDetails()


def test_edges_that_do_not_rise_are_no_bins() -> None:
    with pytest.raises(ValueError, match="numbers that rise"):
        Latencies(endpoint="GET /", edges_ms=(2.0, 2.0), arms=())
