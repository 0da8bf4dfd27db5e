"""The real server: gunicorn in a process of its own, with the configuration that the image uses."""

import logging
import os
import runpy
import secrets
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from service import drain, logs, settings
from service.log_writer import LogWriter
from service.tests.server import ROOT, Server
from service.tests.target import read

pytestmark = pytest.mark.integration

CONFIGURATION = ROOT / "service" / "gunicorn.conf.py"


def test_it_serves_and_its_log_is_json_without_items_or_secrets(server: Server) -> None:
    """Every line it wrote, gunicorn's own included; its access log would print whole paths."""
    answer = server.remote.request("POST", "/echo/personal", headers={"X-Request-ID": "log-1"})
    assert answer.status == 200

    def requests() -> list[dict[str, Any]]:
        return [line for line in server.lines() if line.get("request_id") == "log-1"]

    # The end of an earlier client's connection is company, for which a line may wait a moment.
    _until(lambda: bool(requests()))
    assert len(requests()) == 1
    assert {line["logger"] for line in server.lines()} >= {"gunicorn.error", "service.request"}
    assert "personal" not in server.text()
    assert server.key not in server.text()
    assert "ERROR" not in server.text()


@pytest.mark.regression
def test_forwarded_headers_from_loopback_are_not_believed(server: Server) -> None:
    """gunicorn believes X-Forwarded-Proto and SCRIPT_NAME from 127.0.0.1 by default."""
    forged = {"X-Forwarded-Proto": "https", "SCRIPT_NAME": "/forged"}
    answer = server.remote.request("GET", "/", headers=forged)
    assert answer.json()["endpoints"] == {"url_echo": f"{server.remote.base_url}/echo"}


def test_a_body_in_chunks_is_measured_too(server: Server) -> None:
    """It declares no length, so it has to be read up to the limit."""
    small = server.remote.request("POST", "/echo/x", body=iter([b"x" * 1000] * 3))
    large = server.remote.request("POST", "/echo/x", body=iter([b"x" * 1000] * 70))
    assert small.status == 200
    assert large.status == 413
    assert large.json()["error"] == "true"


@pytest.mark.parametrize("body", [b"zz\r\nab\r\n0\r\n\r\n", b"-1\r\nab\r\n", b"2\r\nabcdef\r\n0\r\n\r\n"])
@pytest.mark.regression
def test_chunks_that_are_none_are_the_client_s_fault(server: Server, body: bytes) -> None:
    """gunicorn raises while the application reads them, which was answered with a 500."""
    url = urlsplit(server.remote.base_url)
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(head + body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert "ERROR" not in server.text()


@pytest.mark.regression
def test_a_client_that_stalls_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn would wait for it in a thread that serves nobody meanwhile; an end of reading frees the thread."""
    worker_class = _configuration(monkeypatch)["worker_class"]
    seconds, reading = [0.0], threading.Event()

    def handle(_worker: object, conn: Any) -> Any:
        reading.set()
        return conn.recv(10)

    monkeypatch.setitem(worker_class.handle.__globals__, "time", SimpleNamespace(monotonic=lambda: seconds[-1]))
    monkeypatch.setattr(worker_class.__base__, "__init__", lambda self: None)
    monkeypatch.setattr(worker_class.__base__, "notify", lambda self: None)
    monkeypatch.setattr(worker_class.__base__, "handle", handle)
    worker = worker_class()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"GET")
        assert worker.handle(Connection(ours)) == b"GET"
        reading.clear()
        thread = threading.Thread(target=worker.handle, args=(Connection(ours),), daemon=True)
        thread.start()
        assert reading.wait(60)

        def is_cut_off() -> bool:
            worker.notify()
            return not thread.is_alive()

        seconds.append(worker.PATIENCE_SECONDS - 0.1)
        assert not is_cut_off()
        seconds.append(worker.PATIENCE_SECONDS)
        _until(is_cut_off)


@dataclass(frozen=True)
class Connection:
    """A connection as gunicorn's worker has it."""

    sock: socket.socket

    def recv(self, size: int) -> bytes:
        """From the client."""
        return self.sock.recv(size)


def test_the_log_s_writer_hears_of_each_request_and_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else lines would wait for nothing, or for ever."""
    worker_class = _configuration(monkeypatch)["worker_class"]
    waits: list[float] = []
    record = logging.makeLogRecord({"msg": "said", "levelno": logging.INFO})
    for name, stub in {
        "__init__": lambda self: None,
        "enqueue_req": lambda self, conn: None,
        "handle": lambda self, conn: logs.writer().emit(record),
        "wait_for_and_dispatch_events": lambda self, timeout: waits.append(timeout),
    }.items():
        monkeypatch.setattr(worker_class.__base__, name, stub)
    with (Path(os.devnull)).open("w", encoding="ascii") as nowhere:
        writer = LogWriter(nowhere)
        monkeypatch.setattr(logging.getLogger("service"), "handlers", [writer])
        worker = worker_class()
        worker.enqueue_req("first")
        worker.enqueue_req("second")
        worker.wait_for_and_dispatch_events(1.0)
        worker.handle("first")
        worker.wait_for_and_dispatch_events(1.0)
        worker.handle("second")
        worker.wait_for_and_dispatch_events(1.0)
    assert waits[0] == waits[2] == 1.0
    assert waits[1] < 0.05


def test_no_line_is_lost_at_a_stop(tmp_path: Path) -> None:
    """Requests come all at once, so that their lines wait for each other, and the stop comes with the last answer."""
    with Server(tmp_path) as server:
        remote = server.remote

        def ask(name: int) -> None:
            for number in range(10):
                headers = {"X-Request-ID": f"{name}-{number}"}
                assert remote.request("POST", "/echo/x", headers=headers).status == 200

        with ThreadPoolExecutor(8) as clients:
            list(clients.map(ask, range(8)))
        server.terminate()
        assert server.wait() == 0
        said = [line["request_id"] for line in server.lines() if line["logger"] == "service.request"]
    assert sorted(said) == sorted(f"{name}-{number}" for name in range(8) for number in range(10))


def test_the_largest_limits_lie_below_those_of_the_server(tmp_path: Path) -> None:
    """With both at their highest, and each byte percent-encoded, the server still lets through."""
    largest = {"MAX_ITEM_BYTES": settings.LARGEST_ITEM, "MAX_LANG_BYTES": settings.LARGEST_LANG}
    environment = {name: str(value) for name, value in largest.items()}
    with Server(tmp_path, WEB_CONCURRENCY="1", **environment) as server:
        path = f"/echo/{'%61' * settings.LARGEST_ITEM}?lang={'%61' * settings.LARGEST_LANG}"
        assert server.remote.post(path).status == 200
        refused = server.remote.post(path + "%61")
        assert refused.status == 414
        assert refused.json()["error"] == "true"


def test_a_stop_drains_first(tmp_path: Path) -> None:
    """Not ready, yet working for old and new connections; a second SIGTERM ends the wait."""
    with Server(tmp_path, DRAIN_SECONDS="60") as server:
        remote = server.remote
        assert remote.get("/readyz").status == 200
        kept = remote.connect()
        kept.request("GET", "/healthz")
        assert read(kept.getresponse()).status == 200
        server.terminate()
        _until(lambda: remote.get("/readyz").status == 503)
        kept.request("POST", "/echo/kept")
        assert read(kept.getresponse()).status == 200
        assert remote.post("/echo/new").status == 200
        kept.close()
        server.terminate()
        assert server.wait() == 0
        with pytest.raises(OSError):
            remote.get("/healthz")


def test_a_request_in_flight_outlives_the_drain(tmp_path: Path) -> None:
    """It began before the stop; its client is slow, and still gets its answer."""
    with Server(tmp_path, DRAIN_SECONDS="0.5") as server:
        slow = server.remote.connect()
        slow.putrequest("POST", "/echo/slow")
        slow.putheader("Content-Length", "4")
        slow.putheader("Expect", "100-continue")
        slow.endheaders(b"ab")
        # The interim answer, which is left for the client: the server is at work on the request.
        assert slow.sock.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 100"
        server.terminate()
        _until(lambda: "Handling signal: term" in server.text())
        slow.send(b"cd")
        answer = read(slow.getresponse())
        slow.close()
        assert answer.json()["namespace_params"]["content_received"] == "slow"
        assert server.wait() == 0


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("KEY_PROD", None, "set KEY_PROD"),
        ("MODE_CONFIG", "prod", "development, testing, production"),
    ],
)
def test_it_refuses_to_start_with_one_clear_sentence(tmp_path: Path, name: str, value: str | None, said: str) -> None:
    """No traceback, no worker that boots again and again."""
    with Server(tmp_path, **{name: value}) as server:
        assert server.wait() == 1
        assert said in server.text()
        assert "Traceback" not in server.text()


def test_the_configuration_is_what_a_hardened_container_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And the access log, which would tell paths, is not made."""
    monkeypatch.setenv("PORT", "5001")
    names = _configuration(monkeypatch)
    assert names["logger_class"].access(None, None, None, None, None) is None
    assert names["bind"] == ":5001"
    assert names["worker_class"].__base__.__name__ == "ThreadWorker"
    assert names["worker_tmp_dir"] == os.path.join("/", "dev", "shm")
    assert names["control_socket_disable"]
    assert names["forwarded_allow_ips"] == ""
    delays = []
    monkeypatch.setattr(drain, "delay_stop", lambda *given: delays.append(given))
    names["when_ready"](SimpleNamespace(signal="its handler"))
    assert delays == [("its handler", settings.Production.DEFAULT_DRAIN)]


def test_the_configuration_does_not_load_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends before it listens."""
    monkeypatch.setenv("MODE_CONFIG", "nonsense")
    settings.current.cache_clear()
    with pytest.raises(SystemExit, match="nonsense"):
        runpy.run_path(str(CONFIGURATION))


def _configuration(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Read in this process, as gunicorn reads it."""
    for name, value in {"MODE_CONFIG": "Production", "KEY_PROD": secrets.token_urlsafe(24)}.items():
        monkeypatch.setenv(name, value)
    settings.current.cache_clear()
    try:
        return runpy.run_path(str(CONFIGURATION))
    finally:
        settings.current.cache_clear()


def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
