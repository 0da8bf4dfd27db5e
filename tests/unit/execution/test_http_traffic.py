"""Traffic over real connections to a scripted server."""

from __future__ import annotations

import statistics
import time

import pytest

from pipeline.core.traffic import Load, TrafficPlan, interleaved, parse_endpoint
from pipeline.execution.traffic import CONNECTIONS, HttpTraffic
from tests.scripted_http import Asked, Reply, scripted_http


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
    # Spread out, so that each is answered before the next is sent.
    replies = iter([Reply(status=500), Reply(status=404), Reply(status=302), Reply(body=b"half", promised=99), Reply()])
    with scripted_http(lambda asked: next(replies)) as server:
        samples = HttpTraffic().send(
            plan("/", each=5, rate=5), {"candidate": f"http://{server.host}"}, each_s=5, all_s=20
        )
    assert [sample.status for sample in samples] == [500, 404, 302, 0, 200]
    assert [sample.failed for sample in samples] == [True, True, False, True, False]
    assert samples[3].error == "IncompleteRead"
    gone = HttpTraffic().send(plan("/"), {"candidate": f"http://{server.host}"}, each_s=5, all_s=20)
    assert {sample.error for sample in gone} == {"ConnectionRefusedError"}


def test_a_silent_server_costs_a_bounded_time() -> None:
    def slow(_: Asked) -> Reply:
        time.sleep(0.3)
        return Reply()

    with scripted_http(slow) as server:
        started = time.monotonic()
        samples = HttpTraffic().send(plan("/", each=50), {"candidate": f"http://{server.host}"}, each_s=0.1, all_s=0.5)
        assert time.monotonic() - started < 2
    assert 1 < len(samples) < 10 * CONNECTIONS
    assert {sample.error for sample in samples} == {"timeout"}


def test_the_stated_rate_is_kept() -> None:
    with scripted_http(lambda asked: Reply()) as server:
        samples = HttpTraffic().send(
            plan("/", each=41, rate=100), {"candidate": f"http://{server.host}"}, each_s=5, all_s=20
        )
    assert samples[-1].at_s == pytest.approx(0.4, abs=0.15)


def test_a_slow_side_delays_neither_the_other_nor_its_own_clock() -> None:
    def slow(_: Asked) -> Reply:
        time.sleep(0.2)
        return Reply()

    with scripted_http(slow) as one, scripted_http(lambda asked: Reply(body=b"ok")) as two:
        targets = {"one": f"http://{one.host}", "two": f"http://{two.host}"}
        samples = HttpTraffic().send(plan("/", each=12, rate=60, sides=("one", "two")), targets, each_s=5, all_s=20)
    waited = [sample for sample in samples if sample.request.side == "one" and sample.queued]
    quick = [sample for sample in samples if sample.request.side == "two"]
    # Four connections and five answers a second each: what was due while all were busy counts its wait.
    assert max(sample.latency_ms for sample in waited) > 300
    assert statistics.median(sample.latency_ms for sample in quick) < 150
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
        HttpTraffic().send(plan("/"), {"candidate": "http://127.0.0.1:9"}, each_s=1, all_s=1)
