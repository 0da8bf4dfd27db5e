"""Raw bytes over real sockets: single exchanges, clients that stall, and clients that load a service.

Plain sockets, because every client library refuses to send what is malformed and tidies up what is strange.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from pipeline.core.wire import Reply, Sent, request_bytes

_BLOCK = 64 * 1024
_CONNECT_S = 5.0
_ANSWER_S = 15.0
# How long it is listened for a second answer when the first one is whole.
_LINGER_S = 0.05
_REFUSED_S = 0.02
_EASE_S = 0.1
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.I)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_CLOSES = re.compile(rb"\r\nconnection:[ \t]*close", re.I)


class SocketWire:
    """Fulfils :class:`pipeline.core.wire.Wire`."""

    def exchange(self, address: str, parts: Sequence[bytes], *, within_s: float, pause_s: float = 0.0) -> Reply:
        """Send the parts with pauses between them, and read until the other side closes or the time is up."""
        started = time.monotonic()
        try:
            with _connected(address) as connection:
                error = _send(connection, parts, pause_s)
                reply = _read(connection, started, within_s)
        except OSError as trouble:
            return Reply(error=type(trouble).__name__, seconds=time.monotonic() - started)
        # Who is refused in the middle of sending may still be told why.
        return reply if reply.text or reply.error or not error else Reply(error=error, seconds=reply.seconds)

    @contextlib.contextmanager
    def stalled(self, address: str, parts: Sequence[bytes]) -> Iterator[StalledClients]:
        """Connections of clients that send one part each and then nothing more, for as long as the context lasts."""
        with contextlib.ExitStack() as stack:
            connections = []
            for part in parts:
                connection = stack.enter_context(_connected(address))
                connection.sendall(part)
                connections.append(connection)
            yield StalledClients(connections)

    @contextlib.contextmanager
    def silence(self) -> Iterator[str]:
        """An address where nobody listens, and nobody else can, for as long as the context lasts."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            yield f"http://127.0.0.1:{taken.getsockname()[1]}"

    @contextlib.contextmanager
    def load(self, address: str, requests: Sequence[str], connections: int) -> Iterator[Clients]:
        """So many clients that send the requests in turn for as long as the context lasts."""
        clients = Clients(address, requests, connections)
        try:
            yield clients
        finally:
            clients.finish(0)


class StalledClients:
    """Connections on which nothing is sent any more."""

    def __init__(self, connections: Sequence[socket.socket]) -> None:
        self._connections = connections

    def ended(self, within_s: float) -> tuple[Reply, ...]:
        """Wait until the other side has ended all of them, or the time is up; how each of them stands."""
        started = time.monotonic()
        return tuple(_read(connection, started, within_s, whole=False) for connection in self._connections)


class Clients:
    """Threads that each send a request, wait for the answer, and send the next; connections are kept while they may."""

    def __init__(self, address: str, requests: Sequence[str], connections: int) -> None:
        self._address = address
        self._requests = itertools.cycle(requests)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._open: dict[int, socket.socket] = {}
        self._waiting = 0
        self._pause_s = 0.0
        self._sent: list[Sent] = []
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(connections)]
        for thread in self._threads:
            thread.start()

    def now(self) -> float:
        """The time of the clock by which requests are timed."""
        return time.monotonic()

    def waiting(self) -> int:
        """How many clients have sent a whole request and have no answer yet."""
        return self._waiting

    def sent(self) -> int:
        """How many requests have come to an end."""
        return len(self._sent)

    def ease(self) -> None:
        """From now on each client pauses between its requests, so that others get their share of the machine."""
        self._pause_s = _EASE_S

    def finish(self, within_s: float) -> tuple[Sent, ...]:
        """Begin no further request, wait so long for the answers, and tell of all that were sent, in order."""
        self._stopping.set()
        give_up = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, give_up - time.monotonic()))
        with self._lock:
            left = list(self._open.values())
        for connection in left:
            # Whoever still waits has waited long enough; its request counts as not answered.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_CONNECT_S)
        with self._lock:
            return tuple(sorted(self._sent, key=lambda sent: sent.whole_s or sent.ended_s))

    def _run(self, number: int) -> None:
        connection: socket.socket | None = None
        while not self._stopping.is_set():
            with self._lock:
                request = next(self._requests)
            connection = self._one(number, request, connection)
            # Refused, it does not try again at once; and once the load is eased, it takes its time.
            if connection is None or self._pause_s:
                self._stopping.wait(self._pause_s or _REFUSED_S)
        if connection is not None:
            self._forget(number, connection)

    def _one(self, number: int, request: str, connection: socket.socket | None) -> socket.socket | None:
        """Send one request; the connection, if it can be used again."""
        whole_s, status, error, keep = 0.0, 0, "", False
        method, _, path = request.rpartition(" ")
        try:
            if connection is None:
                connection = _connected(self._address)
                with self._lock:
                    self._open[number] = connection
            connection.sendall(request_bytes(method or "GET", path))
            whole_s = time.monotonic()
            with self._counted():
                status, keep = _answer(connection, head=method == "HEAD")
        except OSError as trouble:
            error = type(trouble).__name__
        sent = Sent(request=request, whole_s=whole_s, ended_s=time.monotonic(), status=status, error=error)
        with self._lock:
            self._sent.append(sent)
        if keep or connection is None:
            return connection
        self._forget(number, connection)
        return None

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def _forget(self, number: int, connection: socket.socket) -> None:
        with self._lock:
            self._open.pop(number, None)
        connection.close()


def _connected(address: str) -> socket.socket:
    parts = urlsplit(address)
    connection = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_CONNECT_S)
    connection.settimeout(_ANSWER_S)
    # What is sent leaves at once, so that "sent" means it.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _send(connection: socket.socket, parts: Sequence[bytes], pause_s: float) -> str:
    """Send everything; the kind of error if the other side would not take it."""
    try:
        for number, part in enumerate(parts):
            if number and pause_s:
                time.sleep(pause_s)
            connection.sendall(part)
    except OSError as error:
        return type(error).__name__
    return ""


def _read(connection: socket.socket, started: float, within_s: float, *, whole: bool = True) -> Reply:
    """Read until the end of the connection or of the time; ``whole``: a moment after a whole answer is enough."""
    data = b""
    until = started + within_s
    while True:
        # What has come already is read even when the time is up.
        readable = select.select([connection], [], [], max(0.0, until - time.monotonic()))[0]
        closed, error, block = False, "", b""
        if readable:
            try:
                block = connection.recv(_BLOCK)
                closed = not block
            except OSError as trouble:
                error = type(trouble).__name__
        data += block
        if not block:
            return Reply(text=data.decode("iso-8859-1"), closed=closed, error=error, seconds=time.monotonic() - started)
        if whole and _remaining(data) == 0:
            until = min(until, time.monotonic() + _LINGER_S)


def _remaining(data: bytes) -> int | None:
    """How many bytes of an answer with a length are still to come; none when that can't be told yet."""
    head, end, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n") if end else None
    return max(0, int(length[1]) - len(body)) if length else None


def _answer(connection: socket.socket, *, head: bool) -> tuple[int, bool]:
    """The status of a whole answer, and whether the connection can be used again.

    Raises:
        OSError: it was cut off, or did not come in time.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    fields, _, body = data.partition(b"\r\n\r\n")
    fields += b"\r\n"
    status = _STATUS.match(fields)
    if status is None:
        raise ConnectionError("that is no HTTP")
    keep = data.startswith(b"HTTP/1.1") and not _CLOSES.search(fields)
    length = _LENGTH.search(fields)
    if not head and status[1] not in (b"204", b"304"):
        if length:
            while len(body) < int(length[1]):
                body += _more(connection)
        else:
            # Chunks, or a body that ends with the connection: read to the end of either.
            chunked = b"chunked" in fields.lower()
            while not (chunked and body.endswith(b"0\r\n\r\n")):
                block = connection.recv(_BLOCK)
                if not block and chunked:
                    raise ConnectionError("it was cut off")
                if not block:
                    return int(status[1]), False
                body += block
    return int(status[1]), keep


def _more(connection: socket.socket) -> bytes:
    block = connection.recv(_BLOCK)
    if not block:
        raise ConnectionError("it was cut off")
    return block
