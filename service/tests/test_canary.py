"""Safe against production at any time: few requests, nothing stored, nothing provoked."""

import statistics
import time
import uuid

import pytest

from service.tests.target import Target

pytestmark = pytest.mark.canary

SAMPLES = 10
MEDIAN_SECONDS = 1.0


def test_it_is_alive_and_ready(target: Target) -> None:
    """What a load balancer would ask."""
    assert target.get("/healthz").json() == {"status": "ok"}
    assert target.get("/readyz").json() == {"status": "ready"}


def test_it_does_its_work(target: Target) -> None:
    """With a text nobody else has sent, so that no cache can answer."""
    text = uuid.uuid4().hex
    answer = target.post(f"/echo/{text}?lang=en")
    assert answer.status == 200
    assert answer.json()["namespace_params"] == {"content_received": text, "language": "en"}


def test_its_index_leads_to_its_echo(target: Target) -> None:
    """By an absolute address, whatever it looks like from where this runs."""
    body = target.get("/").json()
    assert body["msg"] == "this is index endpoint"
    assert body["endpoints"]["url_echo"].startswith(("http://", "https://"))
    assert body["endpoints"]["url_echo"].endswith("/echo")


def test_it_describes_an_interface_we_know(target: Target) -> None:
    """A later version may be live, but not another major one."""
    document = target.get("/openapi.json").json()
    assert document["info"]["version"].split(".")[0] == "1"


def test_it_answers_in_time(target: Target) -> None:
    """The median of a few, because one slow answer says nothing."""
    durations = []
    for _ in range(SAMPLES):
        started = time.perf_counter()
        assert target.get("/healthz").status == 200
        durations.append(time.perf_counter() - started)
    assert statistics.median(durations) < MEDIAN_SECONDS
