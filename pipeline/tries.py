"""A stage is tried again after trouble with engine, registry or network, some times; never after what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipeline.core.ports import Clock, Progress
from pipeline.core.stage import StageResult, Status
from pipeline.settings_run import Running


class Tries:
    """As many as ``settings`` allow."""

    def __init__(self, settings: Running, clock: Clock, progress: Progress) -> None:
        self._settings = settings
        self._clock = clock
        self._progress = progress

    def last(self, name: str, attempt: Callable[[], tuple[StageResult, bool]]) -> StageResult:
        """The result of the last try; it says of the others why they could not tell.

        ``attempt`` also says whether another may help. A pass that came late is never told like one that came at once.
        """
        begun = self._clock.monotonic()
        failed: list[str] = []
        result, again = attempt()
        started = result.started
        while again and len(failed) < self._settings.retries:
            failed.append(" ".join(result.reasons))
            self._progress.say(f"{name} is tried again: {failed[-1]}")
            self._clock.sleep(self._settings.retry_wait_s)
            result, again = attempt()
        if not failed:
            return result
        taken = self._clock.monotonic() - begun
        return replace(told(result, failed), started=started, duration_s=taken)


def told(result: StageResult, failed: list[str]) -> StageResult:
    """The result with a sentence about the tries before it, in words that no reader of a report can miss."""
    count = f"{len(failed) + 1} tries"
    if result.status is Status.PASS:
        sentence = f"It passed only on the last of {count}, which is no steady pass; before: {' '.join(failed)}"
    else:
        sentence = f"This came of the last of {count}."
    return replace(result, retries=tuple(failed), reasons=(*result.reasons, sentence), notes=(*result.notes, sentence))
