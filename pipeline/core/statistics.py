"""The tests that the canary judge rests on, in exact or documented arithmetic.

Written out here, since they are a page of code, and SciPy (with NumPy) would add about 150 MB and a compiled
dependency to every environment of everybody who adopts the pipeline. The tests hold them against published values
and against brute force.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import chain, groupby


def fisher_greater(hits_a: int, total_a: int, hits_b: int, total_b: int) -> float:
    """How likely A would have ``hits_a`` or more of all the hits by chance, if hits were as frequent in A as in B.

    One-sided exact test of R. A. Fisher ("The Logic of Inductive Inference", 1935): the tail of the hypergeometric
    distribution, summed in whole numbers.
    """
    if not (0 <= hits_a <= total_a and 0 <= hits_b <= total_b):
        raise ValueError("there are more hits than tries")
    hits = hits_a + hits_b
    ways = sum(
        math.comb(total_a, x) * math.comb(total_b, hits - x)
        for x in range(max(hits_a, hits - total_b), min(hits, total_a) + 1)
    )
    return float(Fraction(ways, math.comb(total_a + total_b, hits)))


def mann_whitney_greater(a: Sequence[float], b: Sequence[float]) -> float:
    """How likely values of A would lie above those of B as often as they do if both came from one distribution.

    One-sided test of H. B. Mann and D. R. Whitney (Annals of Mathematical Statistics 18, 1947) in the normal
    approximation, with the correction for ties and the continuity correction of 0.5, as Kayenta and SciPy have it.
    The approximation is good from about 10 values a side on; the judge asks for 20. Ties only: 1.
    """
    size_a, size_b = len(a), len(b)
    if not size_a or not size_b:
        raise ValueError("both sides need values")
    both = sorted(chain(((value, 0) for value in a), ((value, 1) for value in b)))
    rank_sum, below, ties = 0.0, 0, 0
    for _, group in groupby(both, key=lambda item: item[0]):
        sides = [side for _, side in group]
        rank_sum += sides.count(0) * (below + (len(sides) + 1) / 2)
        below += len(sides)
        ties += len(sides) ** 3 - len(sides)
    total = size_a + size_b
    variance = size_a * size_b / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    above = rank_sum - size_a * (size_a + 1) / 2 - size_a * size_b / 2
    return 0.5 * math.erfc((above - 0.5) / math.sqrt(2 * variance))


def hodges_lehmann(a: Sequence[float], b: Sequence[float]) -> float:
    """By how much A lies above B: the median of all differences between a value of A and a value of B.

    The estimator that belongs to the Mann-Whitney test (J. L. Hodges and E. L. Lehmann, Annals of Mathematical
    Statistics 34, 1963). The median is searched for by counting pairs, so memory does not grow with the number of
    pairs; it is found to one part in 10^12.
    """
    if not a or not b:
        raise ValueError("both sides need values")
    high_side, low_side = sorted(a), sorted(b)
    pairs = len(a) * len(b)
    count = _pair_counter(high_side, low_side)
    ends = (high_side[0] - low_side[-1], high_side[-1] - low_side[0])
    lower, upper = (_smallest_reaching(rank, count, ends) for rank in ((pairs + 1) // 2, pairs // 2 + 1))
    return (lower + upper) / 2


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the values lie, interpolated (type 7 of R. J. Hyndman and Y. Fan, 1996)."""
    if not values:
        raise ValueError("no values, no quantile")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    index = math.floor(place)
    following = ordered[min(index + 1, len(ordered) - 1)]
    return ordered[index] + (place - index) * (following - ordered[index])


def holm(probabilities: Sequence[float]) -> tuple[float, ...]:
    """The probabilities adjusted for there being several (S. Holm, Scandinavian Journal of Statistics 6, 1979)."""
    order = sorted(range(len(probabilities)), key=lambda index: probabilities[index])
    adjusted = [0.0] * len(probabilities)
    worst = 0.0
    for done, index in enumerate(order):
        worst = max(worst, min(1.0, (len(probabilities) - done) * probabilities[index]))
        adjusted[index] = worst
    return tuple(adjusted)


def _pair_counter(high_side: Sequence[float], low_side: Sequence[float]) -> Callable[[float], int]:
    """Counts the differences that are at most so large; both sides are sorted, so one walk along them is enough."""

    def count(most: float) -> int:
        counted, start = 0, 0
        for value in high_side:
            while start < len(low_side) and value - low_side[start] > most:
                start += 1
            counted += len(low_side) - start
        return counted

    return count


def _smallest_reaching(rank: int, count: Callable[[float], int], ends: tuple[float, float]) -> float:
    low, high = ends
    if count(low) >= rank:
        return low
    for _ in range(100):
        middle = (low + high) / 2
        if not low < middle < high or high - low <= 1e-12 * max(abs(low), abs(high)):
            break
        low, high = (low, middle) if count(middle) >= rank else (middle, high)
    return high
