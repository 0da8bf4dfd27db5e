"""Which requests must be answered when a service is told to stop, and which of them were not.

A request counts as there before the signal when its last byte had been handed to the kernel before SIGTERM was sent.
Those whose last byte left later may be refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.core.wire import Sent

_FAILED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Requests around a signal: those fully sent before it, those of them not yet answered then, those of them that
    never were, and those after it that were and were not answered.
    """

    before: int
    in_flight: int
    lost: tuple[Sent, ...]
    served_later: int
    refused_later: int


def account(sent: Iterable[Sent], signal_s: float, ready_path: str) -> Account:
    """Sort the requests by the moment of the signal; ``ready_path`` may say 503 from then on."""
    every = tuple(sent)
    before = [one for one in every if 0 < one.whole_s <= signal_s]
    in_flight = [one for one in before if one.ended_s > signal_s]
    later = [one for one in every if one.whole_s > signal_s]
    served = sum(bool(one.status) for one in later)
    return Account(
        before=len(before),
        in_flight=len(in_flight),
        lost=tuple(one for one in before if is_failure(one, ready_path)),
        served_later=served,
        refused_later=len(later) - served,
    )


def is_failure(one: Sent, ready_path: str) -> bool:
    """Whether it was not answered, or with a server's error; ``ready_path`` may say that it is not ready."""
    path = one.request.split(" ")[-1].partition("?")[0]
    return one.status == 0 or (one.status >= _FAILED and path != ready_path)
