"""The plan of a canary's requests: complete, balanced, in an order of chance that can be repeated."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.traffic import Endpoint, Load, interleaved, parse_endpoint
from pipeline.errors import ConfigurationError

SIDES = ("candidate", "release")
ENDPOINTS = tuple(parse_endpoint(text) for text in ("GET /", "POST /echo/hello", "/healthz"))


@given(st.integers(1, 60), st.integers(0, 20), st.integers(1, 3), st.text(max_size=5))
def test_every_side_gets_the_same_and_every_request_has_a_name_of_its_own(
    each: int, warm_up: int, number: int, seed: str
) -> None:
    plan = interleaved(SIDES, ENDPOINTS, Load(each=each, warm_up=warm_up, rate=100, seed=seed), number=number)
    judged = plan.judged
    assert Counter(request.side for request in judged) == {side: each for side in SIDES}
    assert len({request.name for request in judged}) == len(judged) == 2 * each
    assert len(plan.requests) - len(judged) == (2 * warm_up if number == 1 else 0)
    counts = Counter(request.endpoint for request in judged)
    assert max(counts.values()) - min(counts[endpoint] for endpoint in ENDPOINTS) <= 2
    for first, second in zip(judged[::2], judged[1::2], strict=True):
        assert first.endpoint == second.endpoint
        assert {first.side, second.side} == set(SIDES)


def test_the_seed_decides_the_order_and_each_round_has_its_own() -> None:
    load = Load(each=50, warm_up=5, rate=100, seed="a")
    assert interleaved(SIDES, ENDPOINTS, load) == interleaved(SIDES, ENDPOINTS, load)
    other = interleaved(SIDES, ENDPOINTS, Load(each=50, warm_up=5, rate=100, seed="b"))
    assert [r.side for r in other.requests] != [r.side for r in interleaved(SIDES, ENDPOINTS, load).requests]
    second = interleaved(SIDES, ENDPOINTS, load, number=2)
    assert not {r.name for r in second.judged} & {r.name for r in interleaved(SIDES, ENDPOINTS, load).judged}
    leading = Counter(r.side for r in interleaved(SIDES, ENDPOINTS, load).judged[::2])
    assert min(leading.values()) > 10, "neither side always goes first"


def test_what_a_request_is() -> None:
    assert parse_endpoint("/a?b=c") == Endpoint(method="GET", path="/a?b=c")
    assert str(parse_endpoint("POST /echo/%20")) == "POST /echo/%20"


@pytest.mark.parametrize("text", ["", "healthz", "FETCH /", "GET  /", "GET /a b", "GET http://x/", "GET /\n", "get /"])
def test_what_is_none_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"Write 'GET /path'"):
        parse_endpoint(text)
