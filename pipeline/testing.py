"""Fakes that ship with the library, for tests of stages of your own and for faults that the real thing can't be made to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from pipeline.core.ports import Outcome, Request


class ScriptedRunner:
    """A ProcessRunner that answers from a script and remembers what it was asked.

    Each step is an Outcome, or a function from the request to one (which may write the files that a tool would).
    """

    def __init__(self, steps: Sequence[Outcome | Callable[[Request], Outcome]]) -> None:
        self._steps = list(steps)
        self.requests: list[Request] = []

    def run(self, request: Request) -> Outcome:
        """The next step's outcome. Raises AssertionError when the script is at its end."""
        self.requests.append(request)
        if not self._steps:
            raise AssertionError(f"no step is left for {request.argv}")
        step = self._steps.pop(0)
        return step if isinstance(step, Outcome) else step(request)


def outcome(exit_code: int = 0, stdout: str = "", stderr: str = "", *, timed_out: bool = False) -> Outcome:
    """An Outcome with the rest filled in."""
    return Outcome(exit_code=exit_code, stdout=stdout, stderr=stderr, duration_s=0.0, timed_out=timed_out)


class FixedClock:
    """A Clock that stands still until it is told to sleep."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:  # noqa: B008 - immutable
        self._now = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        """The start plus all that was slept."""
        return self._now + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds slept so far."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Pass the time at once."""
        self._elapsed += seconds


class SilentProgress:
    """A Progress that keeps what it was told in ``said``."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        """Remember it."""
        self.said.append(text)
