"""Something that goes on while a run is shown: a stage, or a step outside of one; and the line that tells of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rich.text import Text

from pipeline.console_layout import Layout
from pipeline.console_stage import duration

_WORTH_SAYING_S = 1.0


@dataclass(slots=True, kw_only=True)
class Step:
    """Since when it goes on, how long it took the last time (0: not known), and what it is doing.

    It is number ``position`` of ``planned`` (0: it is not planned). ``beside`` says that others may go on at the same
    time. ``held`` are the lines that wait for its end, since the groups of a CI system's log can't be mixed.
    """

    name: str
    usual_s: float
    position: int
    planned: int
    beside: bool
    since: float = 0.0
    written: float = 0.0
    doing: str = ""
    held: list[str] = field(default_factory=list)

    def placed(self, form: str) -> str:
        """Which of how many it is, in that form; empty where it is not planned."""
        return form.format(self.position, self.planned) if self.planned else ""


def live_text(step: Step, layout: Layout) -> str:
    """Which step, how long, how far."""
    text = Text().append(step.placed("[{}/{}] "), "dim").append(layout.text(step.name, "bold"))
    text.append(f" {duration(time.monotonic() - step.since)}")
    if step.usual_s >= _WORTH_SAYING_S:
        text.append(f" (last time {duration(step.usual_s)})", "dim")
    if step.doing:
        text.append(": ").append(layout.text(step.doing))
    return layout.line(text)
