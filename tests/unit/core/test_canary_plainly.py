"""The judge's quick arithmetic beside the same written out plainly: no bit of any number may differ."""

from __future__ import annotations

import hashlib
import json
import math
import random
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.canary_answers import described
from pipeline.core.canary_judge import CANDIDATE, RELEASE, SIDES, TWIN, Comparison, judge
from pipeline.core.canary_metrics import Pair, latency_trials
from pipeline.core.canary_observed import Observed, Side
from pipeline.core.statistics import fisher_greater, hodges_lehmann, mann_whitney_greater, quantile

MANY = st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=60)
ROUNDED = st.lists(st.integers(1, 12).map(float), min_size=1, max_size=60)
VALUES = st.one_of(MANY, ROUNDED)


def plain_mann_whitney(a: Sequence[float], b: Sequence[float]) -> float:
    """The test as it was before it was made quick."""
    ordered = sorted(b)
    above = sum(bisect_left(ordered, value) + bisect_right(ordered, value) for value in a) / 2
    total = len(a) + len(b)
    tied = sum(count**3 - count for count in Counter([*a, *b]).values())
    variance = len(a) * len(b) / 12 * (total + 1 - tied / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    return 0.5 * math.erfc((above - len(a) * len(b) / 2 - 0.5) / math.sqrt(2 * variance))


def plain_hodges_lehmann(a: Sequence[float], b: Sequence[float]) -> float:
    """The estimator as it was, with a generator for each count."""
    if len(a) > len(b):
        shorter, longer = b, a
        return -plain_hodges_lehmann(shorter, longer)
    highs, lows = sorted(a), sorted(b)
    below, upto = 0, len(a) * len(b)
    ranks = ((upto + 1) // 2, upto // 2 + 1)
    low, high = highs[0] - lows[-1], highs[-1] - lows[0]
    above, most = -math.inf, math.inf
    halve = False
    while upto - below > 4 * (len(a) + len(b)):
        share = 0.5 if halve else (ranks[0] - below) / (upto - below)
        halve = not halve
        middle = low + min(max(share, 0.02), 0.98) * (high - low)
        if not low < middle < high:
            return high
        counted = len(highs) * len(lows) - sum(bisect_left(lows, value - middle) for value in highs)
        if counted >= ranks[1]:
            high = most = middle
            upto = counted
        elif counted < ranks[0]:
            low = above = middle
            below = counted
        else:
            break
    left = sorted(
        value - other
        for value in highs
        for other in lows[bisect_left(lows, value - most) : bisect_left(lows, value - above)]
    )
    return (left[ranks[0] - below - 1] + left[ranks[1] - below - 1]) / 2


def plain_described(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> dict[str, str]:
    """An answer taken apart anew each time."""
    items = {"status": str(status)}
    for name, value in headers:
        key = f"header {name.lower()}"
        items[key] = f"{items[key]}, {value}" if key in items else value
    try:
        document = json.loads(body) if body[:1] in (b"{", b"[") else None
    except ValueError:
        document = None
    if document is None:
        items["body"] = f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()[:16]}" if body else "empty"
    else:
        for name, value in plain_members("$", document, 0):
            before = items.get(name)
            items[name] = value if before in (None, value) else f"{before} | {value}"
    return {name: plain_short(value) for name, value in list(items.items())[:200]}


def plain_short(value: str) -> str:
    """A value, or its beginning and digest."""
    digest = hashlib.sha256(value.encode("utf-8", "backslashreplace")).hexdigest()
    return value if len(value) <= 120 else f"{value[:40]}… (sha256 {digest[:16]})"


def plain_members(path: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """The members of a JSON value, as they were told."""
    kinds = {type(None): "null", bool: "boolean", dict: "object", list: "array", str: "string"}
    yield f"type of {path}", kinds.get(type(value), "number")
    if depth < 8 and isinstance(value, dict):
        for name, member in value.items():
            yield from plain_members(f"{path}.{name}", member, depth + 1)
    elif depth < 8 and isinstance(value, list):
        yield f"length of {path}", str(len(value))
        for member in value:
            yield from plain_members(f"{path}[]", member, depth + 1)
    else:
        yield path, json.dumps(value, sort_keys=True)


@given(VALUES, VALUES)
@example([1.0, 1.0], [1.0])
def test_mann_whitney_is_the_plain_one_to_the_bit(first: list[float], second: list[float]) -> None:
    assert mann_whitney_greater(first, second) == plain_mann_whitney(first, second)


@given(VALUES, VALUES)
@settings(deadline=None)
def test_hodges_lehmann_is_the_plain_one_to_the_bit(first: list[float], second: list[float]) -> None:
    assert hodges_lehmann(first, second) == plain_hodges_lehmann(first, second)


def test_hodges_lehmann_of_as_many_values_as_a_look_has_is_the_plain_one_to_the_bit() -> None:
    chance = random.Random(11)
    for digits in (1, 2, 4, 12):
        first, second = (
            [round(chance.lognormvariate(mean, 0.4), digits) for _ in range(size)]
            for mean, size in ((0.5, 128), (0.6, 256))
        )
        assert hodges_lehmann(first, second) == plain_hodges_lehmann(first, second)
        assert hodges_lehmann(second, first) == plain_hodges_lehmann(second, first)


@given(VALUES, VALUES, st.sampled_from((0.9, 0.99)))
def test_the_quantile_test_counts_as_the_plain_one(first: list[float], second: list[float], share: float) -> None:
    threshold = quantile([*first, *second], share)
    above = [sum(value > threshold for value in side) for side in (first, second)]
    pair = Pair(
        endpoint="GET /",
        old=Observed(latencies_ms=tuple(second), errors=0),
        new=Observed(latencies_ms=tuple(first), errors=0),
    )
    trials = latency_trials(pair, 0.1, 0.2, 0.005, whole=True)
    (found,) = (trial.p_worse for trial in trials if trial.metric == f"p{100 * share:.0f} latency")
    assert found == fisher_greater(above[0], len(first), above[1], len(second))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=140),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)
HEADERS = st.lists(st.tuples(st.sampled_from(("A", "a", "Body", "status")), st.text(max_size=5)), max_size=4)


@given(st.sampled_from((200, 302)), HEADERS, JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=9))
@settings(deadline=None)
def test_an_answer_whose_body_was_seen_before_is_described_as_if_it_was_not(
    status: int, headers: list[tuple[str, str]], body: bytes
) -> None:
    expected = list(plain_described(status, headers, body).items())
    for _ in range(2):
        assert list(described(status, headers, body).items()) == expected


def test_an_answer_of_more_items_than_are_kept_is_cut_at_the_same_place() -> None:
    body = json.dumps({f"m{number}": number for number in range(300)}).encode()
    headers = (("A", "1"), ("B", "2"))
    assert described(200, headers, body) == plain_described(200, headers, body)
    assert len(described(200, headers, body)) == 200


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_order_of_the_samples_is_nothing_to_the_judge(chance: random.Random) -> None:
    def side(seed: str, factor: float) -> Side:
        drawn = random.Random(seed)
        return {
            name: Observed(latencies_ms=tuple(factor * drawn.lognormvariate(1, 0.4) for _ in range(60)), errors=1)
            for name in ("GET /", "GET /b")
        }

    def shuffled(seen: Observed) -> Observed:
        return replace(seen, latencies_ms=tuple(chance.sample(seen.latencies_ms, len(seen.latencies_ms))))

    sides = {CANDIDATE: side("c", 1.2), RELEASE: side("a", 1.0), TWIN: side("b", 1.0)}
    mixed = {name: {path: shuffled(seen) for path, seen in sides[name].items()} for name in SIDES}
    assert judge(mixed, Comparison(answers="off"), 2) == judge(sides, Comparison(answers="off"), 2)
