"""How sure a measured rate is: the exact interval of C. J. Clopper and E. S. Pearson (Biometrika 26, 1934)."""

from __future__ import annotations

import math
from collections.abc import Callable

_STEPS = 60


def clopper_pearson(hits: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """The interval that holds the true rate with at least this confidence, for ``hits`` of ``total``."""
    if not 0 <= hits <= total or not total:
        raise ValueError("there are more hits than tries, or no tries")
    tail = (1 - level) / 2
    lower = 0.0 if hits == 0 else _solve(lambda rate: _at_least(hits, total, rate) > tail)
    upper = 1.0 if hits == total else _solve(lambda rate: 1 - _at_least(hits + 1, total, rate) < tail)
    return lower, upper


def shown(hits: int, total: int) -> str:
    """The rate with its interval, like ``0.3 % (0.0 to 1.1)``."""
    low, high = clopper_pearson(hits, total)
    return f"{100 * hits / total:.2f} % ({100 * low:.2f} to {100 * high:.2f})"


def _solve(beyond: Callable[[float], bool]) -> float:
    """The rate at which ``beyond``, a function that turns from false to true once, turns."""

    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return (low + high) / 2


def _at_least(hits: int, total: int, rate: float) -> float:
    """The chance of ``hits`` or more of ``total``, summed over the shorter side."""
    if hits <= total * rate:
        return 1 - math.fsum(_chance(count, total, rate) for count in range(hits))
    return math.fsum(_chance(count, total, rate) for count in range(hits, total + 1))


def _chance(hits: int, total: int, rate: float) -> float:
    if rate <= 0 or rate >= 1:
        return float(hits == (0 if rate <= 0 else total))
    ways = math.lgamma(total + 1) - math.lgamma(hits + 1) - math.lgamma(total - hits + 1)
    return math.exp(ways + hits * math.log(rate) + (total - hits) * math.log1p(-rate))
