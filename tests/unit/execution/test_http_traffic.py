"""Traffic over real connections to a scripted server."""

from __future__ import annotations

import time

import pytest

from pipeline.core.traffic import Load, TrafficPlan, interleaved, parse_endpoint
from pipeline.execution.traffic import HttpTraffic
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
        assert (one.connections, two.connections) == (1, 1)
        assert all(sample.latency_ms > 0 for sample in samples)


def test_errors_are_values() -> None:
    replies = iter([Reply(status=500), Reply(status=404), Reply(status=302), Reply(body=b"half", promised=99), Reply()])
    with scripted_http(lambda asked: next(replies)) as server:
        samples = HttpTraffic().send(plan("/", each=5), {"candidate": f"http://{server.host}"}, each_s=5, all_s=20)
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
    assert 1 < len(samples) < 10
    assert {sample.error for sample in samples} == {"timeout"}


def test_the_stated_rate_is_kept() -> None:
    with scripted_http(lambda asked: Reply()) as server:
        samples = HttpTraffic().send(
            plan("/", each=41, rate=100), {"candidate": f"http://{server.host}"}, each_s=5, all_s=20
        )
    assert samples[-1].at_s == pytest.approx(0.4, abs=0.15)
