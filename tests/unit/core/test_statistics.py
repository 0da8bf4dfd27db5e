"""The canary's tests against published values, against SciPy's, and against brute force."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import combinations, product
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.statistics import (
    fisher_greater,
    hodges_lehmann,
    holm,
    mann_whitney_greater,
    most_above,
    quantile,
    spent,
    wilson,
)

A = (1.1, 2.3, 2.3, 3.7, 4.0, 5.2, 5.2, 5.2, 6.6, 7.1)
B = (0.9, 1.1, 2.0, 2.3, 2.9, 3.7, 3.7, 4.4, 5.2, 5.9, 6.0)
VALUES = st.lists(st.floats(min_value=-1e6, max_value=1e6), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # Fisher's lady who tastes tea: three of four cups right.
        ((3, 4, 1, 4), 17 / 70),
        # SciPy 1.17.1, scipy.stats.fisher_exact(..., alternative="greater").
        ((4, 200, 0, 200), 0.06156133406564269),
        ((5, 200, 0, 200), 0.030469751204206984),
        ((12, 100, 5, 120), 0.027635526535533556),
    ],
)
def test_fisher_agrees_with_known_values(table: tuple[int, int, int, int], expected: float) -> None:
    assert fisher_greater(*table) == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_fisher_agrees_with_counting_every_arrangement(hits_a: int, misses_a: int, hits_b: int, misses_b: int) -> None:
    total_a, total_b = hits_a + misses_a, hits_b + misses_b
    arrangements = list(combinations(range(total_a + total_b), hits_a + hits_b))
    as_many = sum(sum(place < total_a for place in places) >= hits_a for places in arrangements)
    assert fisher_greater(hits_a, total_a, hits_b, total_b) == pytest.approx(as_many / len(arrangements))


def test_fisher_refuses_what_can_not_be() -> None:
    with pytest.raises(ValueError, match="more hits than tries"):
        fisher_greater(3, 2, 0, 2)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    # SciPy 1.17.1, scipy.stats.mannwhitneyu(..., alternative="greater", method="asymptotic").
    [(A, B, 0.16939455661263791), (B, A, 0.847887896211851)],
)
def test_mann_whitney_agrees_with_scipy_with_ties(
    first: tuple[float, ...], second: tuple[float, ...], expected: float
) -> None:
    assert mann_whitney_greater(first, second) == pytest.approx(expected, rel=1e-9)


def test_mann_whitney_agrees_with_scipy_on_latencies() -> None:
    chance = random.Random(7)
    first = [round(chance.lognormvariate(1, 0.5), 1) for _ in range(60)]
    second = [round(chance.lognormvariate(0.8, 0.5), 1) for _ in range(70)]
    assert mann_whitney_greater(first, second) == pytest.approx(0.23871372065483248, rel=1e-9)


def test_equal_values_say_nothing() -> None:
    assert mann_whitney_greater([2.0] * 30, [2.0] * 30) == 1.0
    with pytest.raises(ValueError, match="both sides"):
        mann_whitney_greater([], [1.0])


@given(VALUES, VALUES)
def test_both_directions_together_are_certain(first: list[float], second: list[float]) -> None:
    assert 0.0 <= mann_whitney_greater(first, second) <= 1.0
    assert mann_whitney_greater(first, second) + mann_whitney_greater(second, first) >= 1.0


@given(VALUES, VALUES)
def test_hodges_lehmann_is_the_median_of_all_differences(first: list[float], second: list[float]) -> None:
    expected = median(a - b for a, b in product(first, second))
    assert hodges_lehmann(first, second) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(VALUES, st.floats(min_value=-1e3, max_value=1e3))
def test_hodges_lehmann_finds_a_shift(values: list[float], shift: float) -> None:
    assert hodges_lehmann([value + shift for value in values], values) == pytest.approx(shift, rel=1e-6, abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_and_keeps_the_order(probabilities: list[float]) -> None:
    adjusted = holm(probabilities)
    assert all(after >= before for before, after in zip(probabilities, adjusted, strict=True))
    ranked = [after for _, after in sorted(zip(probabilities, adjusted, strict=True))]
    assert ranked == sorted(ranked)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert not holm([])


@given(VALUES, st.floats(0, 1))
def test_quantiles_lie_among_the_values(values: list[float], share: float) -> None:
    assert min(values) - 1e-9 <= quantile(values, share) <= max(values) + 1e-9 * max(1.0, math.fabs(max(values)))


def test_quantiles_are_interpolated() -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.5
    assert quantile([7.0], 0.95) == 7.0
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


@given(st.integers(0, 60), st.integers(0, 200), st.integers(0, 60), st.integers(0, 2000))
def test_fisher_agrees_with_whole_numbers(hits_a: int, misses_a: int, hits_b: int, misses_b: int) -> None:
    total_a, total_b, hits = hits_a + misses_a, hits_b + misses_b, hits_a + hits_b
    ways = sum(
        math.comb(total_a, x) * math.comb(total_b, hits - x)
        for x in range(max(hits_a, hits - total_b), min(hits, total_a) + 1)
    )
    expected = Fraction(ways, math.comb(total_a + total_b, hits))
    assert fisher_greater(hits_a, total_a, hits_b, total_b) == pytest.approx(float(expected), rel=1e-9)


def test_hodges_lehmann_of_many_values_and_of_many_ties() -> None:
    chance = random.Random(3)
    many = [chance.lognormvariate(0, 0.5) for _ in range(80)], [chance.lognormvariate(0.2, 0.5) for _ in range(130)]
    tied = [chance.choice((1.0, 2.0, 3.0)) for _ in range(90)], [chance.choice((1.0, 2.0)) for _ in range(70)]
    for first, second in (many, tied):
        expected = median(a - b for a, b in product(first, second))
        assert hodges_lehmann(first, second) == pytest.approx(expected, abs=1e-9)
    with pytest.raises(ValueError, match="both sides"):
        hodges_lehmann([1.0], [])


def test_intervals_agree_with_published_ones() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), Table II, method 10: 56/70 - 48/80, 9/10 - 3/10, 10/10 - 0/10.
    for counts, upper in (((56, 70, 48, 80), 0.3339), ((9, 10, 3, 10), 0.8090), ((10, 10, 0, 10), 1.0)):
        assert most_above(*counts, 1.959964) == pytest.approx(upper, abs=5e-5)
    assert wilson(0, 100, 1.959964) == pytest.approx((0.0, 0.036995), abs=1e-5)
    with pytest.raises(ValueError, match="no tries"):
        wilson(0, 0, 2.0)


@given(st.integers(1, 6), st.floats(0.5, 4.0))
def test_what_is_spent_adds_up_to_the_level(looks: int, power: float) -> None:
    parts = [spent(0.01, look, looks, power) for look in range(1, looks + 1)]
    assert sum(parts) == pytest.approx(0.01) and min(parts) > 0
    with pytest.raises(ValueError, match="a look has a number"):
        spent(0.01, looks + 1, looks, power)
