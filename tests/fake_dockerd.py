"""A Docker engine on a unix socket whose answers a test writes: for faults that a real engine can't be made to show."""

from __future__ import annotations

import contextlib
import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

VERSION = {"ApiVersion": "1.41", "Version": "20.10.24", "Arch": "amd64", "Components": [{"Name": "Engine"}]}


@dataclass(frozen=True)
class Call:
    """A request as it arrived: ``GET /containers/json`` without the API version, and its query in ``text``."""

    what: str
    text: str
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Stream:
    """A chunked answer of JSON messages or bytes; with ``stall`` it never ends, with ``cut`` the connection does."""

    messages: Sequence[Any] = ()
    stall: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Refusal:
    """An error answer."""

    status: int
    message: str


Answer = Any
"""A JSON value, a Stream, a Refusal, or None for 204."""


@dataclass
class FakeDockerd:
    """``answers`` maps ``METHOD /path`` (a regular expression) to an answer, or to a function of the call to one."""

    answers: dict[str, Answer | Callable[[Call], Answer]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    deaf: threading.Event = field(default_factory=threading.Event)
    """When set, nothing is answered any more."""
    closing: threading.Event = field(default_factory=threading.Event)

    def answer(self, call: Call) -> Answer:
        """What this call is answered with."""
        self.calls.append(call)
        for pattern, answer in self.answers.items():
            if re.fullmatch(pattern, call.what):
                return answer(call) if callable(answer) else answer
        defaults = {"GET /version": VERSION, "GET /_ping": b"OK", "HEAD /_ping": None}
        return defaults.get(call.what, Refusal(404, f"no answer is written for {call.what}"))

    def asked(self, pattern: str) -> list[Call]:
        """The calls that match."""
        return [call for call in self.calls if re.fullmatch(pattern, call.what)]


@contextlib.contextmanager
def fake_dockerd(path: Path, answers: dict[str, Any] | None = None) -> Iterator[FakeDockerd]:
    """An engine on the unix socket ``path`` until the context ends."""
    fake = FakeDockerd(answers=answers or {})

    class Handler(_Handler):
        """Bound to this engine."""

        engine = fake

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        """One thread a connection."""

        daemon_threads = True
        # socketserver's five are few for clients that ask in parallel: the next one would be refused.
        request_queue_size = 128

    server = Server(str(path), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        fake.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: FakeDockerd

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def _respond(self) -> None:
        path, _, query = self.path.partition("?")
        what = f"{self.command} {re.sub(r'^/v[0-9.]+', '', path)}"
        if self.engine.deaf.is_set():
            self.engine.closing.wait()
            return
        call = Call(what, query, self._body(), {name.lower(): value for name, value in self.headers.items()})
        answer = self.engine.answer(call)
        if isinstance(answer, Stream):
            self._send_stream(answer)
        elif isinstance(answer, Refusal):
            self._send(answer.status, json.dumps({"message": answer.message}).encode())
        elif isinstance(answer, bytes):
            self._send(200, answer)
        else:
            self._send(204 if answer is None else 200, b"" if answer is None else json.dumps(answer).encode())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_stream(self, stream: Stream) -> None:
        self.send_response_only(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for message in stream.messages:
            data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\r\n"
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()
        if stream.stall:
            self.engine.closing.wait()
        if stream.cut or stream.stall:
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_DELETE = _respond  # noqa: N815 - the base class's names
