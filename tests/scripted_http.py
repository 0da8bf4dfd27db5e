"""A small HTTP server on loopback whose answers a test writes as a function."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What is answered; ``promised`` announces another length than the body has."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    promised: int | None = None


@dataclass
class ScriptedHttp:
    """``asked`` are the requests so far."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0

    @property
    def host(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self.port}"


class _Server(ThreadingHTTPServer):
    """Says nothing of clients that hang up: that is what some tests make them do."""

    daemon_threads = True
    # socketserver's five are few for clients that ask in parallel: the next one would wait for a second and more.
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Tell of everything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as socketserver gives them


@contextlib.contextmanager
def scripted_http(answer: Callable[[Asked], Reply], *, keep_alive_s: float | None = None) -> Iterator[ScriptedHttp]:
    """A server that answers with ``answer``, until the context ends; idle connections are kept for so long."""

    class Handler(BaseHTTPRequestHandler):
        """Speaks HTTP/1.1 with connections that are kept."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = keep_alive_s

        def setup(self) -> None:
            """Called once for each connection."""
            super().setup()
            script.connections += 1

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(method=self.command, path=self.path, headers=headers, body=body)
            script.asked.append(asked)
            reply = answer(asked)
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body) if reply.promised is None else reply.promised))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)
            if reply.promised is not None:
                self.close_connection = True

        do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = _answer  # noqa: N815 - the base class's names

    server = _Server(("127.0.0.1", 0), Handler)
    script = ScriptedHttp(port=server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
