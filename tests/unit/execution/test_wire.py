"""Raw bytes over real sockets, against servers that answer, stall, close and disappear."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pipeline.core.wire import request_bytes
from pipeline.execution.wire import SocketWire

LONGEST_S = 60.0
"""Whatever is waited for takes far less, in seconds, however busy the machine is."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve) -> Iterator[str]:
    """A server that gives each connection to ``serve``, in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        over = threading.Event()

        def accept() -> None:
            while not over.is_set():
                try:
                    connection = listener.accept()[0]
                except TimeoutError:
                    continue
                connection.settimeout(LONGEST_S)
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection: socket.socket) -> None:
            with connection:
                try:
                    serve(connection)
                except OSError:
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def answering(answer: bytes, times: int = 1000) -> Serve:
    """Answers each request on a connection so."""

    def serve(connection: socket.socket) -> None:
        for _ in range(times):
            data = b""
            while b"\r\n\r\n" not in data:
                block = connection.recv(4096)
                if not block:
                    return
                data += block
            connection.sendall(answer)

    return serve


def until_closed(connection: socket.socket) -> None:
    """Says nothing for as long as the client stays."""
    while connection.recv(4096):
        pass


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, though not for ever."""
    give_up = time.monotonic() + LONGEST_S
    while not condition() and time.monotonic() < give_up:
        time.sleep(0.01)


def test_a_whole_answer_ends_the_reading_though_the_connection_stays_open() -> None:
    with server(answering(OK)) as address:
        reply = SocketWire().exchange(address, [request_bytes("GET", "/")], within_s=LONGEST_S)
    assert (reply.status, reply.body, reply.closed, reply.error) == (200, "ok", False, "")
    assert reply.seconds < LONGEST_S / 2


def test_a_second_answer_is_seen_and_a_close_too() -> None:
    with server(answering(OK + OK, times=1)) as address:
        reply = SocketWire().exchange(address, [b"GET / HT", b"TP/1.1\r\n\r\n"], within_s=LONGEST_S, pause_s=0.01)
    assert reply.statuses == (200, 200)
    assert reply.closed or reply.seconds < LONGEST_S / 2


def test_silence_is_told_when_the_time_is_up() -> None:
    with server(until_closed) as address:
        reply = SocketWire().exchange(address, [b"GET /"], within_s=0.1)
    assert (reply.text, reply.closed, reply.error) == ("", False, "")
    assert reply.seconds >= 0.1


def test_nobody_listens_in_silence() -> None:
    wire = SocketWire()
    with wire.silence() as address:
        assert wire.exchange(address, [b"x"], within_s=1).error == "ConnectionRefusedError"


def test_a_server_that_resets_is_told() -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with server(reset) as address:
        reply = SocketWire().exchange(address, [b"x" * 10, b"y" * 1_000_000], within_s=LONGEST_S, pause_s=0.1)
    assert reply.error in ("ConnectionResetError", "BrokenPipeError")


def test_clients_that_stall_are_seen_to_be_cut_off_or_not() -> None:
    wire, over = SocketWire(), threading.Event()

    def serve(connection: socket.socket) -> None:
        answering(b"", times=1)(connection)
        connection.close()
        over.set()

    with server(serve) as address, wire.stalled(address, [b"POST", b"GET / HTTP/1.1\r\n\r\n"]) as two:
        assert over.wait(LONGEST_S)
        held, cut = two.ended(0.3)
    assert (held.closed, cut.closed) == (False, True)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
TO_THE_END = b"HTTP/1.0 200 OK\r\n\r\nok"


@pytest.mark.parametrize(
    ("answer", "times"), [(OK, 1000), (OK, 1), (CHUNKED, 1000), (TO_THE_END, 1), (b"HTTP/1.1 204 No\r\n\r\n", 3)]
)
def test_a_load_is_answered_whatever_the_form_of_the_answers(answer: bytes, times: int) -> None:
    with server(answering(answer, times)) as address, SocketWire().load(address, ["GET /a", "POST /b"], 3) as load:
        until(lambda: load.sent() >= 30)
        load.ease()
        moment = load.now()
        sent = load.finish(LONGEST_S)
    good = [one for one in sent if one.status in (200, 204)]
    assert len(good) >= 15
    assert {one.request for one in sent} == {"GET /a", "POST /b"}
    assert all(0 < one.whole_s <= one.ended_s <= moment + 2 * LONGEST_S for one in good)
    assert all(one.error for one in sent if not one.status)


def test_requests_that_are_never_answered_are_waiting_and_then_lost() -> None:
    with server(until_closed) as address, SocketWire().load(address, ["/"], 4) as load:
        until(lambda: load.waiting() == 4)
        assert load.waiting() == 4
        sent = load.finish(0)
    assert len(sent) == 4
    assert all(one.whole_s and not one.status and one.error for one in sent)


def test_what_is_refused_was_never_whole() -> None:
    wire = SocketWire()
    with wire.silence() as address, wire.load(address, ["/"], 1) as load:
        until(lambda: load.sent() > 0)
        sent = load.finish(1)
    assert sent
    assert {(one.whole_s, one.status, one.error) for one in sent} == {(0.0, 0, "ConnectionRefusedError")}


@pytest.mark.parametrize(
    "answer",
    [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", CHUNKED.removesuffix(b"0\r\n\r\n")],
)
def test_an_answer_that_is_cut_off_is_none(answer: bytes) -> None:
    with server(answering(answer, 1)) as address, SocketWire().load(address, ["/"], 1) as load:
        until(lambda: load.sent() > 0)
        sent = load.finish(1)
    assert {one.status for one in sent} == {0}
