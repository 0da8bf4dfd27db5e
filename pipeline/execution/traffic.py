"""Requests over real connections: kept alive like a client's, one at a time, at a stated rate, each of them timed.

One at a time and in one thread, because on a small machine a second thread of ours would be measured along with the
service. When an answer takes longer than the pace allows, the next request follows at once and the rate falls below
the stated one.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from pipeline.core.traffic import PlannedRequest, Sample, TrafficPlan

_BLOCK = 64 * 1024


class HttpTraffic:
    """Fulfils :class:`pipeline.core.traffic.TrafficSource` with the standard library's client.

    The standard library's, because it does nothing on its own: no retry, no redirect, no proxy, no change of a path.
    """

    def send(self, plan: TrafficPlan, targets: Mapping[str, str], *, each_s: float, all_s: float) -> tuple[Sample, ...]:
        """Send the plan; the samples of all requests that were sent, in order."""
        connections = {side: _connection(urlsplit(address), each_s) for side, address in targets.items()}
        prefixes = {side: urlsplit(address).path.rstrip("/") for side, address in targets.items()}
        samples = []
        started = time.perf_counter()
        try:
            for index, request in enumerate(plan.requests):
                pause = started + index / plan.rate - time.perf_counter()
                if pause > 0:
                    time.sleep(pause)
                at_s = time.perf_counter() - started
                if at_s >= all_s:
                    break
                status, latency_s, error = _exchange(connections[request.side], request, prefixes[request.side], each_s)
                samples.append(
                    Sample(request=request, at_s=at_s, latency_ms=latency_s * 1000, status=status, error=error)
                )
        finally:
            for connection in connections.values():
                connection.close()
        return tuple(samples)

    def status(self, address: str, path: str, *, timeout_s: float) -> int:
        """The status that one GET is answered with; 0 without an answer."""
        parts = urlsplit(address)
        connection = _connection(parts, timeout_s)
        try:
            connection.request("GET", parts.path.rstrip("/") + path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            # No answer is the answer here; whoever waits knows for how long.
            return 0
        finally:
            connection.close()


def _connection(parts: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout_s)


def _exchange(
    connection: http.client.HTTPConnection, request: PlannedRequest, prefix: str, each_s: float
) -> tuple[int, float, str]:
    """Status, seconds until the last byte, and the kind of failure if there was no whole answer."""
    endpoint = request.endpoint
    started = time.perf_counter()
    try:
        connection.request(endpoint.method, prefix + endpoint.path)
        response = connection.getresponse()
        while response.read(_BLOCK):
            # The socket's time-out bounds each read; this bounds all of them, against an answer that trickles.
            if time.perf_counter() - started > each_s:
                raise TimeoutError
        return response.status, time.perf_counter() - started, ""
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        kind = "timeout" if isinstance(error, socket.timeout | TimeoutError) else type(error).__name__
        return 0, time.perf_counter() - started, kind
