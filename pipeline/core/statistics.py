"""The tests that the canary judge rests on, in exact or documented arithmetic.

Written out here, since they are two pages of code, and SciPy (with NumPy) would add 171 MB and compiled code to every
environment of everybody who adopts the pipeline. The tests hold them to SciPy's values, to published ones and to brute
force; they agree to nine digits.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import chain, repeat

_ENOUGH_PAIRS = 4
"""The search for a median of differences ends when as few pairs a value are left; those are sorted."""


def fisher_greater(hits_a: int, total_a: int, hits_b: int, total_b: int) -> float:
    """How likely A would have ``hits_a`` or more of all the hits by chance, if hits were as frequent in A as in B.

    One-sided exact test of R. A. Fisher ("The Logic of Inductive Inference", 1935): the tail of the hypergeometric
    distribution, from its first term by logarithms of factorials, each further one by its ratio to the one before.
    """
    if not (0 <= hits_a <= total_a and 0 <= hits_b <= total_b):
        raise ValueError("there are more hits than tries")
    hits, total = hits_a + hits_b, total_a + total_b
    first, last = max(hits_a, hits - total_b), min(hits, total_a)
    if first <= max(0, hits - total_b):
        return 1.0
    # Downwards from the last term the ratios would run from tiny to large: upwards they fall, and the sum is stable.
    term = math.exp(_log_ways(total_a, first) + _log_ways(total_b, hits - first) - _log_ways(total, hits))
    terms = [term]
    for x in range(first, last):
        term *= (total_a - x) * (hits - x) / ((x + 1) * (total_b - hits + x + 1))
        terms.append(term)
    return min(1.0, math.fsum(terms))


def mann_whitney_greater(a: Sequence[float], b: Sequence[float]) -> float:
    """How likely values of A would lie above those of B as often as they do if both came from one distribution.

    One-sided test of H. B. Mann and D. R. Whitney (Annals of Mathematical Statistics 18, 1947) in the normal
    approximation, with the correction for ties and the continuity correction of 0.5, as Kayenta and SciPy have it.
    The approximation is good from about 10 values a side on; the judge asks for 50. Ties only: 1.
    """
    size_a, size_b = len(a), len(b)
    if not size_a or not size_b:
        raise ValueError("both sides need values")
    ordered = sorted(b)
    total = size_a + size_b
    below = sum(map(bisect_left, repeat(ordered), a))
    tied, above = 0, float(below)
    # Most samples have no ties, and finding that out is cheaper than counting them.
    if len({*a, *b}) < total:
        tied = sum(count**3 - count for count in Counter(chain(a, b)).values() if count > 1)
        above = (below + sum(map(bisect_right, repeat(ordered), a))) / 2
    variance = size_a * size_b / 12 * (total + 1 - tied / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    return 0.5 * math.erfc((above - size_a * size_b / 2 - 0.5) / math.sqrt(2 * variance))


def hodges_lehmann(a: Sequence[float], b: Sequence[float]) -> float:
    """By how much A lies above B: the median of all differences between a value of A and a value of B.

    The estimator that belongs to the Mann-Whitney test (J. L. Hodges and E. L. Lehmann, Annals of Mathematical
    Statistics 34, 1963). The median is closed in on by counting pairs, so that memory does not grow with their number;
    the few that are left are sorted, so that it is one of the differences, or the mean of two.
    """
    if not a or not b:
        raise ValueError("both sides need values")
    # The loops go over the shorter side; turned round, the median only changes its sign.
    if len(a) > len(b):
        shorter, longer = b, a
        return -hodges_lehmann(shorter, longer)
    high_side, low_side = sorted(a), sorted(b)
    below, upto = 0, len(a) * len(b)
    ranks = ((upto + 1) // 2, upto // 2 + 1)
    low, high = high_side[0] - low_side[-1], high_side[-1] - low_side[0]
    # Of what is left: open at both ends at first, so that no rounding leaves a pair outside.
    above, most = -math.inf, math.inf
    halve = False
    while upto - below > _ENOUGH_PAIRS * (len(a) + len(b)):
        # Where the counts suggest it, and every other time in the middle, since counts can mislead.
        share = 0.5 if halve else (ranks[0] - below) / (upto - below)
        halve = not halve
        middle = low + min(max(share, 0.02), 0.98) * (high - low)
        if not low < middle < high:
            return high
        counted = _pairs_upto(middle, high_side, low_side)
        if counted >= ranks[1]:
            high = most = middle
            upto = counted
        elif counted < ranks[0]:
            low = above = middle
            below = counted
        else:
            # Between the two that the median is the mean of: one more step to each side would end nowhere.
            break
    left = sorted(_between(above, most, high_side, low_side))
    return (left[ranks[0] - below - 1] + left[ranks[1] - below - 1]) / 2


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


def wilson(hits: int, total: int, z: float) -> tuple[float, float]:
    """The interval of a share of hits, ``z`` normal deviations wide to each side.

    The score interval of E. B. Wilson (Journal of the American Statistical Association 22, 1927).
    """
    if not 0 <= hits <= total or not total:
        raise ValueError("there are more hits than tries, or no tries")
    share, square = hits / total, z * z
    center = (share + square / (2 * total)) / (1 + square / total)
    half = z / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    return max(0.0, center - half), min(1.0, center + half)


def most_above(hits_a: int, total_a: int, hits_b: int, total_b: int, z: float) -> float:
    """By how much A's share of hits may lie above B's at most: the upper end of the interval of the difference.

    The hybrid score interval of R. G. Newcombe (Statistics in Medicine 17, 1998, method 10).
    """
    share_a, share_b = hits_a / total_a, hits_b / total_b
    upper, lower = wilson(hits_a, total_a, z)[1], wilson(hits_b, total_b, z)[0]
    return share_a - share_b + math.hypot(upper - share_a, share_b - lower)


def spent(level: float, look: int, looks: int, power: float) -> float:
    """The part of ``level`` for look number ``look`` of ``looks`` equal ones: what was spent until then is taken off.

    The power family of K. Kim and D. L. DeMets (Biometrika 74, 1987): level x (share of the information)^power. The
    parts add up to the level; each used as it is, the error rate over all looks stays below it by Bonferroni's
    inequality, whatever the dependence between looks is.
    """
    if not 1 <= look <= looks:
        raise ValueError("a look has a number from 1 to the number of looks")
    return level * (math.pow(look / looks, power) - math.pow((look - 1) / looks, power))


def _log_ways(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)


def _pairs_upto(most: float, high_side: Sequence[float], low_side: Sequence[float]) -> int:
    """How many differences are at most so large."""
    # A map of a built-in function: the search is the judge's innermost loop, and a generator would double its time.
    return len(high_side) * len(low_side) - sum(map(bisect_left, repeat(low_side), [v - most for v in high_side]))


def _between(above: float, most: float, high_side: Sequence[float], low_side: Sequence[float]) -> list[float]:
    """The differences above one number and at most as large as another."""
    firsts = map(bisect_left, repeat(low_side), [value - most for value in high_side])
    lasts = map(bisect_left, repeat(low_side), [value - above for value in high_side])
    rows = zip(high_side, firsts, lasts, strict=True)
    return [value - other for value, first, last in rows for other in low_side[first:last]]
