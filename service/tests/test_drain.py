"""The drain's two halves: what /readyz says, and when the server hears of the stop."""

import signal
import time
from collections.abc import Iterator

import pytest
from flask import Flask

from service import drain
from service.tests.target import InProcess

pytestmark = pytest.mark.unit


def _into(received: list[int]) -> drain.Handler:
    """A server's handler of SIGTERM that only takes note."""
    return lambda number, _frame: received.append(number)


@pytest.fixture(name="received")
def _received(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Where to collect signals; the flag and this process's handlers are put back."""
    monkeypatch.setattr(drain, "FLAG", bytearray(1))
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
    yield []
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_stop_is_passed_on_after_the_delay(received: list[int], app: Flask) -> None:
    """Meanwhile the service is alive but not ready."""
    target = InProcess(app.test_client())
    drain.delay_stop(_into(received), 60)
    assert target.get("/readyz").status == 200
    signal.raise_signal(signal.SIGTERM)
    assert target.get("/readyz").status == 503
    assert target.get("/readyz").json()["error"] == "true"
    assert target.get("/healthz").status == 200
    assert target.post("/echo/x").status == 200
    assert not received
    left, interval = signal.getitimer(signal.ITIMER_REAL)
    assert 0 < left <= 60
    assert interval == 0
    # The rest of the delay would take a minute.
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    deadline = time.monotonic() + 60
    while not received and time.monotonic() < deadline:
        time.sleep(0.01)
    assert received == [signal.SIGTERM]


def test_a_second_stop_ends_the_delay(received: list[int]) -> None:
    """For whoever can't wait."""
    drain.delay_stop(_into(received), 60)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert received == [signal.SIGTERM]
    assert drain.active()


def test_without_a_delay_the_server_keeps_its_own_handling(received: list[int]) -> None:
    """A timer of zero would never go off."""
    before = signal.getsignal(signal.SIGTERM)
    drain.delay_stop(_into(received), 0)
    assert signal.getsignal(signal.SIGTERM) is before
