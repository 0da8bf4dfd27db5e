"""The requests that a canary is measured with: planned in advance from a seed, so that each is accounted for."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.errors import ConfigurationError

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
_PATH = re.compile(r"/[!-~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What is requested: a method and a path, which may hold a query."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRequest:
    """One request to one side; ``warm_up`` ones are sent and not judged.

    ``number`` counts within side and endpoint of a round; a measurement that needs more samples takes another round.
    """

    side: str
    endpoint: Endpoint
    number: int
    round: int = 1
    warm_up: bool = False

    @property
    def name(self) -> str:
        """Its name in the evidence, like ``candidate GET /healthz #1.12`` for the twelfth of the first round."""
        return f"{self.side} {self.endpoint} #{self.round}.{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """``each`` judged requests to each side after ``warm_up`` others, ``rate`` a second to all sides together."""

    each: int
    warm_up: int
    rate: float
    seed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPlan:
    """Requests in the order in which they are sent, ``rate`` a second to all sides together."""

    requests: tuple[PlannedRequest, ...]
    rate: float
    seed: str

    @property
    def judged(self) -> tuple[PlannedRequest, ...]:
        """Those that are not warm-up."""
        return tuple(request for request in self.requests if not request.warm_up)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an answer said. Of a body beyond what is kept, ``body`` is a text with its length and digest."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What became of a planned request.

    ``at_s`` is when it was due, in seconds from the first one, by the stated rate and never by the answers before it.
    ``latency_ms`` ends with the last byte of the body, and begins when the request was due if every connection was
    busy then (waiting for the service is the service's), else when it was sent (the lateness of our own timer is not).
    ``queued`` says that every connection was busy, ``late_ms`` by how much our timer was late. ``status`` is 0, and
    ``error`` says why, when there was no whole answer.
    """

    request: PlannedRequest
    at_s: float
    latency_ms: float
    status: int
    error: str = ""
    late_ms: float = 0.0
    queued: bool = False
    answer: Answer | None = None

    @property
    def failed(self) -> bool:
        """Whether a client would call it an error: no answer, or a status that is not 2xx or 3xx."""
        return not 200 <= self.status < 400


class TrafficSource(Protocol):
    """Sends requests to addresses like ``http://127.0.0.1:5000``; what is answered becomes a value, not an error."""

    def send(self, plan: TrafficPlan, targets: Mapping[str, str], *, each_s: float, all_s: float) -> tuple[Sample, ...]:
        """Send the plan, ``targets`` being the address of each side.

        A request that takes longer than ``each_s`` seconds has failed; after ``all_s`` seconds no further one is sent.
        """
        ...


def parse_endpoint(text: str) -> Endpoint:
    """An endpoint from ``GET /path``, or from ``/path``, which means GET.

    Raises:
        ConfigurationError: it is neither.
    """
    method, path = text.split(" ", 1) if " " in text else ("GET", text)
    if method not in _METHODS or not _PATH.fullmatch(path):
        raise ConfigurationError(
            f"canary.paths holds {text!r}, which is no request.",
            advice=f"Write 'GET /path' or '/path', percent-encoded; the methods are {', '.join(_METHODS)}.",
        )
    return Endpoint(method=method, path=path)


def interleaved(sides: Sequence[str], endpoints: Sequence[Endpoint], load: Load, *, number: int = 1) -> TrafficPlan:
    """The requests of round ``number``, spread evenly over the endpoints in random order.

    For every request to one side the same goes to the others right beside it, in random order: what changes on the
    machine while the measurement runs then meets all sides alike (a randomised block design). Only the first round has
    a warm-up.
    """
    chance = random.Random(f"{load.seed}/{number}")  # nosec B311 - repeatable on purpose, protects nothing
    requests: list[PlannedRequest] = []
    for amount, discarded in ((load.warm_up if number == 1 else 0, True), (load.each, False)):
        turns = [(endpoints[index % len(endpoints)], index // len(endpoints) + 1) for index in range(amount)]
        chance.shuffle(turns)
        requests.extend(
            PlannedRequest(side=side, endpoint=endpoint, number=turn, round=number, warm_up=discarded)
            for endpoint, turn in turns
            for side in chance.sample(list(sides), len(sides))
        )
    return TrafficPlan(requests=tuple(requests), rate=load.rate, seed=load.seed)
