"""Requests to stop: raised where something can be left, noted where it is looked for them."""

from __future__ import annotations

import os
import selectors
import signal
import threading
from collections.abc import Iterator

import pytest

from pipeline.interrupts import REQUESTS, as_keyboard_interrupt, noted, over


@pytest.fixture(autouse=True)
def handlers_fixture() -> Iterator[None]:
    """Every signal's handling is put back."""
    before = {number: signal.getsignal(number) for number in REQUESTS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", REQUESTS)
def test_a_request_interrupts(number: signal.Signals) -> None:
    as_keyboard_interrupt()
    with pytest.raises(KeyboardInterrupt, match=number.name):
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", REQUESTS)
def test_noted_requests_interrupt_nothing_and_can_be_waited_for(number: signal.Signals) -> None:
    as_keyboard_interrupt()
    with noted() as requests, selectors.PollSelector() as selector:
        selector.register(requests.fileno(), selectors.EVENT_READ)
        assert not selector.select(0)
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        assert selector.select(10)
        requests.heard()
        assert not selector.select(0)
        assert requests.count == 2
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", REQUESTS)
def test_after_the_last_work_of_a_process_requests_change_nothing(number: signal.Signals) -> None:
    as_keyboard_interrupt()
    with noted(to_the_end=True):
        pass
    os.kill(os.getpid(), number)
    over()
    os.kill(os.getpid(), number)
    assert signal.getsignal(number) is signal.SIG_IGN


def test_what_can_be_left_is_left_at_once_and_once() -> None:
    with noted() as requests:
        with pytest.raises(KeyboardInterrupt), requests.raised():
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert requests.count == 2
        with pytest.raises(KeyboardInterrupt), requests.raised():
            pytest.fail("a request that has come before is not forgotten")


def test_in_another_thread_nothing_is_changed() -> None:
    seen: list[object] = []

    def work() -> None:
        before = signal.getsignal(signal.SIGTERM)
        as_keyboard_interrupt()
        with noted() as requests:
            seen.extend([signal.getsignal(signal.SIGTERM) is before, requests.count])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True, 0]
