"""Requests over real connections: kept alive like a client's, one at a time, at a stated rate, each of them timed.

One at a time and in one thread, because on a small machine a second thread of ours would be measured along with the
service. When an answer takes longer than the pace allows, the next request follows at once and the rate falls below
the stated one.
"""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, urlsplit

from pipeline.core.traffic import PlannedRequest, Sample, TrafficPlan

_BLOCK = 64 * 1024


class HttpTraffic:
    """Fulfils :class:`pipeline.core.traffic.TrafficSource` with the standard library's client.

    The standard library's, because it does nothing on its own: no retry, no redirect, no proxy, no change of a path.
    """

    def send(self, plan: TrafficPlan, targets: Mapping[str, str], *, each_s: float, all_s: float) -> tuple[Sample, ...]:
        """Send the plan; the samples of all requests that were sent, in order."""
        with contextlib.ExitStack() as stack:
            sides = {side: _Side(address, each_s) for side, address in targets.items()}
            for side in sides.values():
                stack.callback(side.close)
            return tuple(_paced(plan, sides, all_s))


class _Side:
    """One side's connection, which is kept as long as both ends keep it."""

    def __init__(self, address: str, each_s: float) -> None:
        parts = urlsplit(address)
        self._prefix = parts.path.rstrip("/")
        self._connection = _connection(parts, each_s)
        self._each_s = each_s

    def exchange(self, request: PlannedRequest) -> tuple[int, float, str]:
        """Status, seconds until the last byte, and the kind of failure if there was no whole answer."""
        started = time.perf_counter()
        try:
            self._connection.request(request.endpoint.method, self._prefix + request.endpoint.path)
            response = self._connection.getresponse()
            while response.read(_BLOCK):
                # The socket's time-out bounds each read; this bounds all of them, against an answer that trickles.
                if time.perf_counter() - started > self._each_s:
                    raise TimeoutError
            if response.length:
                # Reading in blocks, the library says nothing of a body that ends early.
                raise http.client.IncompleteRead(b"", response.length)
            return response.status, time.perf_counter() - started, ""
        except (OSError, http.client.HTTPException) as error:
            self.close()
            kind = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
            return 0, time.perf_counter() - started, kind

    def close(self) -> None:
        """End the connection; the next request makes another."""
        self._connection.close()


def _paced(plan: TrafficPlan, sides: Mapping[str, _Side], all_s: float) -> Iterator[Sample]:
    started = time.perf_counter()
    for index, request in enumerate(plan.requests):
        pause = started + index / plan.rate - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
        at_s = time.perf_counter() - started
        if at_s >= all_s:
            return
        status, seconds, error = sides[request.side].exchange(request)
        yield Sample(request=request, at_s=at_s, latency_ms=seconds * 1000, status=status, error=error)


def _connection(parts: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout_s)
