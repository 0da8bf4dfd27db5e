"""Every failure says what happened, why and what to do, and knows its exit code."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from pipeline import errors
from pipeline.errors import ConfigurationError, CouldNotTell, PipelineError, TargetFault, ToolTrouble
from pipeline.interrupts import as_keyboard_interrupt


def test_an_error_reads_as_its_parts() -> None:
    error = ToolTrouble("ruff crashed.", why="It says: boom.", advice="Report it.")
    assert str(error) == "ruff crashed. It says: boom. Report it."
    assert (error.what, error.why, error.advice) == ("ruff crashed.", "It says: boom.", "Report it.")
    assert str(PipelineError("Only this.")) == "Only this."


def _kinds() -> list[type[PipelineError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PipelineError)]


@pytest.mark.parametrize("kind", _kinds())
def test_every_kind_has_the_exit_code_of_the_contract(kind: type[PipelineError]) -> None:
    expected = 2 if issubclass(kind, ConfigurationError) else 1 if issubclass(kind, TargetFault) else 3
    assert kind("It happened.").exit_code == expected
    assert kind.__doc__


def test_what_is_not_certain_is_not_the_targets_fault() -> None:
    doubtful = [kind for kind in _kinds() if kind.exit_code == 3 and kind is not PipelineError]
    assert all(issubclass(kind, CouldNotTell) for kind in doubtful)
    assert len(doubtful) >= 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_stop_is_like_an_interrupt(number: signal.Signals) -> None:
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        as_keyboard_interrupt()
        with pytest.raises(KeyboardInterrupt, match=number.name):
            os.kill(os.getpid(), number)
            signal.pause()
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def test_outside_of_the_main_thread_nothing_is_changed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=as_keyboard_interrupt)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
