"""Requests over real connections, sent when they are due and not when the answers before them have come (open loop).

Each side has a few connections, kept alive like a client's, each with a thread that mostly sleeps. What a side answers
slowly therefore delays neither the other sides' requests nor the clock of its own: the wait for a free connection is
part of the latency (see :class:`pipeline.core.traffic.Sample`), as G. Tene's "coordinated omission" demands. What the
generator itself costs is measured in docs/canary.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import select
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import SplitResult, urlsplit

from pipeline.core.traffic import Answer, PlannedRequest, Sample, TrafficPlan

CONNECTIONS = 4
"""To each side: enough for its share of the rate while answers take less than a few hundredths of a second."""

_BLOCK = 64 * 1024
_KEPT_BODY = 16 * 1024
_NAP_S = 0.2


class HttpTraffic:
    """Fulfils :class:`pipeline.core.traffic.TrafficSource` with the standard library's client.

    The standard library's, because it does nothing on its own: no retry, no redirect, no proxy, no change of a path.
    """

    def send(self, plan: TrafficPlan, targets: Mapping[str, str], *, each_s: float, all_s: float) -> tuple[Sample, ...]:
        """Send the plan; the samples of all requests that were sent, in the order of the plan."""
        course = _Course(plan, all_s)
        connections = [
            (side, _Connection(address, each_s)) for side, address in targets.items() for _ in range(CONNECTIONS)
        ]
        with ThreadPoolExecutor(len(connections)) as pool:
            try:
                for future in [pool.submit(course.carry_out, *each) for each in connections]:
                    future.result()
            finally:
                # After trouble or an interrupt nothing more is sent.
                course.over = True
        return tuple(sample for sample in course.samples if sample is not None)


class _Course:
    """What the threads of one plan share: what is to be sent next, and what came of it."""

    def __init__(self, plan: TrafficPlan, all_s: float) -> None:
        self.samples: list[Sample | None] = [None] * len(plan.requests)
        self.over = False
        self._rate = plan.rate
        self._all_s = all_s
        self._lock = threading.Lock()
        self._left: dict[str, Iterator[tuple[int, PlannedRequest]]] = {
            side: iter([(i, r) for i, r in enumerate(plan.requests) if r.side == side])
            for side in {request.side for request in plan.requests}
        }
        self._started = time.perf_counter()

    def carry_out(self, side: str, connection: _Connection) -> None:
        """Send the side's requests over one connection until there are no more, or the time is up."""
        with contextlib.closing(connection):
            while (following := self._next(side)) is not None:
                index, request = following
                at_s = index / self._rate
                if at_s >= self._all_s or time.perf_counter() - self._started >= self._all_s:
                    break
                self.samples[index] = self._sample(at_s, request, connection)

    def _next(self, side: str) -> tuple[int, PlannedRequest] | None:
        with self._lock:
            return None if self.over or side not in self._left else next(self._left[side], None)

    def _sample(self, at_s: float, request: PlannedRequest, connection: _Connection) -> Sample:
        due = self._started + at_s
        free = time.perf_counter() < due
        while not self.over and (pause := due - time.perf_counter()) > 0:
            time.sleep(min(pause, _NAP_S))
        sent = time.perf_counter()
        status, error, answer = connection.exchange(request)
        seconds = time.perf_counter() - (sent if free else due)
        late = max(0.0, sent - due) * 1000 if free else 0.0
        return Sample(
            request=request, at_s=at_s, latency_ms=seconds * 1000, status=status, error=error, late_ms=late,
            queued=not free, answer=answer,
        )  # fmt: skip


class _Connection:
    """One connection, which is kept as long as both ends keep it."""

    def __init__(self, address: str, each_s: float) -> None:
        parts = urlsplit(address)
        self._prefix = parts.path.rstrip("/")
        self._connection = _connection(parts, each_s)
        self._each_s = each_s

    def exchange(self, request: PlannedRequest) -> tuple[int, str, Answer | None]:
        """The status, the kind of failure if there was no whole answer, and what was said."""
        started = time.perf_counter()
        try:
            self._leave_if_closed()
            self._connection.request(request.endpoint.method, self._prefix + request.endpoint.path)
            response = self._connection.getresponse()
            body = _Body()
            while block := response.read(_BLOCK):
                body.add(block)
                # The socket's time-out bounds each read; this bounds all of them, against an answer that trickles.
                if time.perf_counter() - started > self._each_s:
                    raise TimeoutError
            if response.length:
                # Reading in blocks, the library says nothing of a body that ends early.
                raise http.client.IncompleteRead(b"", response.length)
            return response.status, "", Answer(headers=tuple(response.getheaders()), body=body.kept())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return 0, "timeout" if isinstance(error, TimeoutError) else type(error).__name__, None

    def _leave_if_closed(self) -> None:
        """The other end may have closed a connection that was idle, as it may; a client notices and makes another."""
        if self._connection.sock is not None:
            watch = select.poll()
            watch.register(self._connection.sock, select.POLLIN)
            if watch.poll(0):
                self.close()

    def close(self) -> None:
        """End the connection; the next request makes another."""
        self._connection.close()


class _Body:
    """A body as it comes: kept whole while it is short, else its length and digest."""

    def __init__(self) -> None:
        self._first = b""
        self._digest = hashlib.sha256()
        self._size = 0

    def add(self, block: bytes) -> None:
        """The next part."""
        if self._size + len(block) <= _KEPT_BODY:
            self._first += block
        self._digest.update(block)
        self._size += len(block)

    def kept(self) -> bytes:
        """What is kept of it."""
        if self._size <= _KEPT_BODY:
            return self._first
        return f"{self._size} bytes, sha256 {self._digest.hexdigest()}".encode()


def _connection(parts: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout_s)
