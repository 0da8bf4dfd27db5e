"""A proxy on loopback before a real registry, which does to chosen requests what networks and servers do."""

from __future__ import annotations

import contextlib
import http.client
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Answer:
    """A response on its way through; a fault may change it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    cut: bool = False


Fault = Callable[[Answer], Answer]
"""What is done to a response."""


@dataclass(frozen=True)
class Disturbance:
    """What is done to an exchange: to the request on its way, to the connection, to the response.

    ``request`` changes the body; if ``short`` is not all of it, the connection ends on both sides after so many bytes;
    ``hang_up`` passes nothing on; ``lose`` passes everything on and answers nothing; ``delay_s`` holds the answer back.
    """

    name: str
    answer: Fault | None = None
    request: Callable[[bytes], bytes] | None = None
    short: Callable[[bytes], int] | None = None
    hang_up: bool = False
    lose: bool = False
    delay_s: float = 0.0


@dataclass
class FaultProxy:
    """``faults`` pairs predicates of method and path with what is done; the first that applies counts."""

    upstream: str
    faults: list[tuple[Callable[[str, str], bool], Fault]] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""
    disturb: Callable[[int, str, str], Disturbance | None] = lambda number, method, path: None

    def spoil(self, method: str, part: str, fault: Fault, *, times: int = 1_000_000) -> None:
        """From now on, at most ``times`` times, do this to requests of ``method`` whose path holds ``part``."""
        left = [times]

        def applies(asked: str, path: str) -> bool:
            if asked != method or part not in path or not left[0]:
                return False
            left[0] -= 1
            return True

        self.faults.append((applies, fault))


def status(number: int, *headers: tuple[str, str]) -> Fault:
    """Answer with this status instead."""
    return lambda answer: Answer(status=number, headers=[*headers], body=b"")


def cut(answer: Answer) -> Answer:
    """Announce the whole body, send half of it, and close the connection."""
    return Answer(status=answer.status, headers=answer.headers, body=answer.body, cut=True)


def turned(body: bytes) -> bytes:
    """The body with one bit in its middle turned; nothing stays nothing."""
    middle = len(body) // 2
    return body[:middle] + bytes(byte ^ 1 for byte in body[middle : middle + 1]) + body[middle + 1 :]


def corrupt(answer: Answer) -> Answer:
    """Turn one bit in the middle of the body."""
    return Answer(status=answer.status, headers=answer.headers, body=turned(answer.body))


def header(name: str, value: str) -> Fault:
    """Replace a header."""

    def change(answer: Answer) -> Answer:
        kept = [(key, old) for key, old in answer.headers if key.lower() != name.lower()]
        return Answer(status=answer.status, headers=[*kept, (name, value)], body=answer.body)

    return change


class _Server(ThreadingHTTPServer):
    """Says nothing of clients that hang up: that is what some tests make them do."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Tell of everything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as socketserver gives them


@contextlib.contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy to the registry at ``upstream`` (``host:port``), until the context ends."""
    proxy = FaultProxy(upstream=upstream)

    class Handler(_Handler):
        """Bound to this proxy."""

        rules = proxy

    server = _Server(("127.0.0.1", 0), Handler)
    proxy.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Passes a request on, and the response back after its fault."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rules: FaultProxy

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def _pass_on(self) -> None:
        body = self._body()
        disturbance = self.rules.disturb(len(self.rules.seen), self.command, self.path) or Disturbance("none")
        self.rules.seen.append((self.command, self.path))
        if disturbance.hang_up:
            self.close_connection = True
            return
        if disturbance.short is not None and (part := disturbance.short(body)) != len(body):
            self._pass_a_part_on(body, part)
            self.close_connection = True
            return
        if disturbance.request is not None:
            body = disturbance.request(body)
        hop = ("transfer-encoding", "content-length")
        # A header may occur several times, as Accept does in what an engine asks.
        names = dict.fromkeys(name for name in self.headers if name.lower() not in hop)
        headers = {name: ", ".join(self.headers.get_all(name, ())) for name in names}
        parts = urlsplit(f"//{self.rules.upstream}")
        upstream = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body=body, headers=headers)
            response = upstream.getresponse()
            between = ("transfer-encoding", "connection", "content-length")
            answer = Answer(
                status=response.status,
                headers=[(k, v) for k, v in response.getheaders() if k.lower() not in between],
                body=response.read(),
            )
            length = response.headers.get("Content-Length", "0")
        if disturbance.lose:
            self.close_connection = True
            return
        time.sleep(disturbance.delay_s)
        fault = disturbance.answer or next(
            (fault for applies, fault in self.rules.faults if applies(self.command, self.path)), None
        )
        if fault is not None:
            answer = fault(answer)
        self._send(answer, length if self.command == "HEAD" and fault is None else str(len(answer.body)))

    def _pass_a_part_on(self, body: bytes, length: int) -> None:
        """Announce all of it, send the first ``length`` bytes, and hang up."""
        parts = urlsplit(f"//{self.rules.upstream}")
        lines = [f"{self.command} {self.path} HTTP/1.1", f"Content-Length: {len(body)}"]
        lines += [
            f"{k}: {v}" for k, v in self.headers.items() if k.lower() not in ("transfer-encoding", "content-length")
        ]
        with contextlib.closing(
            socket.create_connection((parts.hostname or "", parts.port or 80), timeout=20)
        ) as upstream:
            upstream.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body[: max(length, 0)])

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _send(self, answer: Answer, length: str) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: len(answer.body) // 2] if answer.cut else answer.body)
        if answer.cut:
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - the base class's names
