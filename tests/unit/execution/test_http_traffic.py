"""Traffic over real connections to a scripted server."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from pipeline.core.traffic import Load, TrafficPlan, interleaved, parse_endpoint
from pipeline.execution.traffic import CONNECTIONS, HttpTraffic
from pipeline.execution.wire import SocketWire
from tests.scripted_http import Asked, Reply, scripted_http

LONGEST_S = 60.0
"""Whatever is waited for takes far less, in seconds, however busy the machine is."""


def plan(*texts: str, each: int = 6, rate: float = 1000.0, sides: tuple[str, ...] = ("candidate",)) -> TrafficPlan:
    endpoints = [parse_endpoint(text) for text in texts]
    return interleaved(sides, endpoints, Load(each=each, warm_up=0, rate=rate, seed="s"))


def test_every_request_is_sent_once_over_a_connection_that_is_kept() -> None:
    with scripted_http(lambda asked: Reply(body=b"x" * 100_000)) as one, scripted_http(lambda asked: Reply()) as two:
        wanted = plan("GET /a?b=c", "POST /d", sides=("one", "two"))
        targets = {"one": f"http://{one.host}/prefix/", "two": f"http://{two.host}"}
        samples = HttpTraffic().send(wanted, targets, each_s=5, all_s=20)
        assert [sample.request for sample in samples] == list(wanted.requests)
        assert not any(sample.failed for sample in samples)
        assert {(asked.method, asked.path) for asked in one.asked} == {("GET", "/prefix/a?b=c"), ("POST", "/prefix/d")}
        assert max(one.connections, two.connections) <= CONNECTIONS
        bodies = {sample.request.side: sample.answer.body for sample in samples if sample.answer is not None}
        assert bodies["one"].startswith(b"100000 bytes, sha256 ") and bodies["two"] == b""
        assert all(sample.latency_ms > 0 for sample in samples)


def test_errors_are_values() -> None:
    replies = {
        "/broken": Reply(status=500), "/none": Reply(status=404), "/moved": Reply(status=302),
        "/half": Reply(body=b"half", promised=99), "/": Reply(),
    }  # fmt: skip
    with scripted_http(lambda asked: replies[asked.path]) as server:
        samples = HttpTraffic().send(
            plan(*replies, each=2 * len(replies)), {"candidate": f"http://{server.host}"}, each_s=LONGEST_S, all_s=20
        )
    assert len(samples) == 2 * len(replies)
    assert {(sample.request.endpoint.path, sample.status, sample.failed, sample.error) for sample in samples} == {
        ("/broken", 500, True, ""), ("/none", 404, True, ""), ("/moved", 302, False, ""),
        ("/half", 0, True, "IncompleteRead"), ("/", 200, False, ""),
    }  # fmt: skip
    with SocketWire().silence() as address:
        gone = HttpTraffic().send(plan("/"), {"candidate": address}, each_s=5, all_s=20)
    assert {sample.error for sample in gone} == {"ConnectionRefusedError"}


def test_a_silent_server_costs_a_bounded_time() -> None:
    over = threading.Event()

    def silent(_: Asked) -> Reply:
        over.wait(2 * LONGEST_S)
        return Reply()

    with scripted_http(silent) as server:
        started = time.monotonic()
        try:
            samples = HttpTraffic().send(
                plan("/", each=50), {"candidate": f"http://{server.host}"}, each_s=0.2, all_s=1
            )
        finally:
            over.set()
        assert time.monotonic() - started < LONGEST_S
    # Without the bound of all of them there would be one for each that was planned.
    assert 1 < len(samples) < 10 * CONNECTIONS
    assert {sample.error for sample in samples} == {"timeout"}


def test_the_stated_rate_is_kept() -> None:
    with scripted_http(lambda asked: Reply()) as server:
        samples = HttpTraffic().send(
            plan("/", each=41, rate=100), {"candidate": f"http://{server.host}"}, each_s=5, all_s=20
        )
    assert samples[-1].at_s == pytest.approx(0.4, abs=0.15)


def test_a_slow_side_delays_neither_the_other_nor_its_own_clock() -> None:
    each, count, all_quick = 12, itertools.count(1), threading.Event()

    def slow(_: Asked) -> Reply:
        # Not before the other side has had all of its requests.
        assert all_quick.wait(LONGEST_S)
        time.sleep(0.2)
        return Reply()

    def quick_one(_: Asked) -> Reply:
        if next(count) == each:
            all_quick.set()
        return Reply(body=b"ok")

    with scripted_http(slow) as one, scripted_http(quick_one) as two:
        targets = {"one": f"http://{one.host}", "two": f"http://{two.host}"}
        wanted = plan("/", each=each, rate=60, sides=("one", "two"))
        samples = HttpTraffic().send(wanted, targets, each_s=2 * LONGEST_S, all_s=LONGEST_S)
    assert not any(sample.failed for sample in samples)
    waited = [sample for sample in samples if sample.request.side == "one" and sample.queued]
    quick = [sample for sample in samples if sample.request.side == "two"]
    # What was due while all four connections were busy counts its wait.
    assert max(sample.latency_ms for sample in waited) > 300
    assert [sample.at_s for sample in samples] == pytest.approx([index / 60 for index in range(24)])
    assert quick[0].answer is not None and quick[0].answer.body == b"ok"


def test_a_connection_that_the_server_closed_meanwhile_is_no_error() -> None:
    with scripted_http(lambda asked: Reply(), keep_alive_s=0.2) as server:
        targets = {"candidate": f"http://{server.host}"}
        samples = HttpTraffic().send(plan("/", each=8, rate=8), targets, each_s=5, all_s=9)
    assert [sample.status for sample in samples] == [200] * 8
    assert server.connections > CONNECTIONS


def test_trouble_of_our_own_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr("http.client.HTTPConnection.request", broken)
    with pytest.raises(RuntimeError, match="ours"):
        HttpTraffic().send(plan("/"), {"candidate": "http://127.0.0.1:9"}, each_s=1, all_s=LONGEST_S)
