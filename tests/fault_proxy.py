"""A proxy on loopback before a real registry, which does to chosen requests what networks and servers do."""

from __future__ import annotations

import contextlib
import http.client
import sys
import threading
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


@dataclass
class FaultProxy:
    """``faults`` pairs predicates of method and path with what is done; the first that applies counts."""

    upstream: str
    faults: list[tuple[Callable[[str, str], bool], Fault]] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""

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


def corrupt(answer: Answer) -> Answer:
    """Turn one bit in the middle of the body."""
    middle = len(answer.body) // 2
    spoilt = answer.body[:middle] + bytes((answer.body[middle] ^ 1,)) + answer.body[middle + 1 :]
    return Answer(status=answer.status, headers=answer.headers, body=spoilt)


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
        self.rules.seen.append((self.command, self.path))
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("transfer-encoding", "content-length")}
        parts = urlsplit(f"//{self.rules.upstream}")
        upstream = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body=body, headers=headers)
            response = upstream.getresponse()
            hop = ("transfer-encoding", "connection", "content-length")
            answer = Answer(
                status=response.status,
                headers=[(k, v) for k, v in response.getheaders() if k.lower() not in hop],
                body=response.read(),
            )
            length = response.headers.get("Content-Length", "0")
        fault = next((fault for applies, fault in self.rules.faults if applies(self.command, self.path)), None)
        if fault is not None:
            answer = fault(answer)
        self._send(answer, length if self.command == "HEAD" and fault is None else str(len(answer.body)))

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
