"""What a person at a terminal, or the log of a CI job, gets to read while a run goes on.

On a terminal a line for each stage at work shows what is being done, for how long and how far it is, and is rewritten
in place; elsewhere each step is a plain line. Whatever is shown goes through :mod:`pipeline.console_layout`, which
masks secrets and makes text from outside safe.
"""

# pylint: disable=import-outside-toplevel  # rich takes a while to load, and most commands show nothing with it

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from pipeline.console_ci import groups_of, is_annotation
from pipeline.console_live import LiveLines
from pipeline.console_terminal import Terminal
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult

if TYPE_CHECKING:
    from pipeline.console_layout import Layout
    from pipeline.console_step import Step

BEAT_S = 10.0
"""How often a log is told of progress within a step; a terminal shows it at once."""


class Console:
    """A Progress that writes to ``stream``, in the way that the stream and ``environ`` ask for.

    When whoever read the stream has gone, nothing more is written, and the run goes on: its result does not depend on
    who looks.
    """

    def __init__(self, stream: TextIO, redact: Callable[[str], str], environ: Mapping[str, str]) -> None:
        """Look at the stream once; only its width may change later.

        Raises:
            ConfigurationError: ``PIPELINE_COLOR`` is none of the colours there are.
        """
        self._stream = stream
        self._redact = redact
        self._terminal = Terminal(stream, environ)
        self._groups = groups_of(environ)
        self._guard = threading.RLock()
        self._gone = False
        self._planned: tuple[str, ...] = ()
        self._ended: set[str] = set()
        self._steps: dict[str, Step] = {}
        self._of = ""
        self._relay: Callable[[str, str], None] | None = None
        self._live: LiveLines | None = None
        if self._terminal.drawable and self._groups is None:
            self._live = LiveLines(self._live_texts, self._put, self._guard)

    def plan(self, names: Sequence[str]) -> None:
        """These stages will be carried out."""
        self._planned = tuple(names)

    def relay(self, tell: Callable[[str, str], None]) -> None:
        """From now on show nothing, and tell another process's console instead, how and what (masked)."""
        self._guard = threading.RLock()
        self._relay = tell

    def hear(self, name: str, how: str, text: str) -> None:
        """Show what a stage at work in another process has told."""
        with self._guard:
            self._of = name
            {"say": self.say, "update": self.update, "line": self.line}[how](text)
            self._of = ""

    def say(self, text: str) -> None:
        """What is being done now."""
        if self._relay is not None:
            self._relay("say", self._redact(text))
            return
        with self._guard:
            step = self._current
            if step is not None:
                step.doing = text
            if self._live is not None and step is not None:
                self._live.draw()
            else:
                self._write_of(step, f"{self._indent(step)}{self._layout().safe(text)}")

    def update(self, text: str) -> None:
        """How far it has come; where lines stay, this is said now and then."""
        if self._relay is not None:
            self._relay("update", self._redact(text))
            return
        with self._guard:
            step = self._current
            if step is None:
                return
            step.doing = text
            now = time.monotonic()
            if self._live is None and now - step.written >= BEAT_S:
                self._write_of(step, f"{self._indent(step)}{self._layout().safe(text)} ({now - step.since:.0f} s)")

    def line(self, text: str) -> None:
        """A text that stays, with its own indent."""
        if self._relay is not None:
            self._relay("line", self._redact(text))
            return
        layout = self._layout()
        said = text.lstrip(" ")
        indent = len(text) - len(said)
        self._write_of(self._current, *layout.paragraph(layout.text(said), indent, indent + 4))

    def begin(self, name: str, usual_s: float = 0.0, *, beside: bool = False) -> None:
        """A stage begins, which the last time took ``usual_s`` seconds (0: that is not known).

        ``beside`` others; then whoever calls this also calls :meth:`draw` now and then.
        """
        with self._guard:
            if not beside:
                self._leave(*self._steps)
            step = self._steps[name] = self._made(name, usual_s, beside)
            title = self._layout().safe(name)
            if self._live is not None:
                if not beside:
                    self._live.start()
                self._live.draw()
            elif self._groups is not None and not beside:
                self._write(self._groups.opened(name, title))
            else:
                self._write(f"{title}: started{step.placed(', {} of {}')}")

    @property
    def draws(self) -> bool:
        """Whether what goes on is drawn in place, which somebody must do now and then."""
        return self._live is not None

    def draw(self) -> None:
        """What goes on is shown as of now."""
        if self._live is not None and self._steps:
            self._live.draw()

    def end(self, result: StageResult) -> None:
        """A stage has ended, or could not begin."""
        from pipeline.console_stage import stage_details, stage_lines

        if self._relay is not None:
            return
        with self._guard:
            layout = self._layout()
            if self._groups is not None and (step := self._steps.get(result.name)) is not None:
                self._write_of(step, *stage_details(result, layout))
            self._leave(*([result.name] if result.name in self._steps else self._alone()))
            self._ended.add(result.name)
            self._write(*stage_lines(result, layout))

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Something that is shown like a stage while it goes on, and is none."""
        self.begin(name)
        try:
            yield
        finally:
            self.close()

    def annotate(self, commands: Iterable[str]) -> None:
        """Print workflow commands that annotate (``::error …::…``, made from safe text); only in GitHub Actions.

        Raises:
            ValueError: a line is no such command, or is more than that. Nothing has been printed then.
        """
        encoding = self._terminal.encoding
        masked = [self._redact(command) for command in commands]
        for command in masked:
            if not is_annotation(command):
                raise ValueError(f"this is not an annotation and nothing else: {command!r}")
        if self._groups is not None and self._groups.annotates:
            self._write(*(command.encode(encoding, "backslashreplace").decode(encoding) for command in masked))

    def verdict(self, report: Report, places: Iterable[str]) -> None:
        """The last lines of a run: all stages, the verdict, what holds it back, and the files to read on in."""
        from pipeline.console_summary import summary_lines

        with self._guard:
            self._leave(*self._steps)
            self._write(*summary_lines(report, self._planned, places, self._layout()))

    def close(self) -> None:
        """Nothing is going on any more, and nothing of the console's own."""
        with self._guard:
            self._leave(*self._steps)

    @property
    def _current(self) -> Step | None:
        """Whose what is said now is: the one that is being heard, else the only one there can be."""
        return self._steps.get(self._of) if self._of else next(iter(self._steps.values()), None)

    def _alone(self) -> list[str]:
        """The step that goes on and has none beside it."""
        return [step.name for step in self._steps.values() if not step.beside]

    def _leave(self, *names: str) -> None:
        """The steps have ended: their lines go, their groups are closed."""
        left = [self._steps.pop(name) for name in names]
        if self._live is not None:
            if self._steps:
                self._live.erase()
            else:
                self._live.stop()
        elif self._groups is not None:
            for step in left:
                opened = [self._groups.opened(step.name, self._layout().safe(step.name))] if step.beside else []
                self._write(*opened, *step.held, self._groups.closed(step.name))

    def _live_texts(self) -> list[str]:
        """A line for each step, as many as there is room for."""
        from pipeline.console_step import live_text

        layout, room = self._layout(), max(self._terminal.height - 1, 1)
        return [live_text(step, layout) for step in self._steps.values()][:room] or [""]

    def _made(self, name: str, usual_s: float, beside: bool) -> Step:
        """A step that begins now, with its number in the order in which they do."""
        from pipeline.console_step import Step

        position = len({*self._ended, *self._steps}.intersection(self._planned) - {name}) + 1
        planned, now = len(self._planned) if name in self._planned else 0, time.monotonic()
        return Step(
            name=name, usual_s=usual_s, position=position, planned=planned, beside=beside, since=now, written=now
        )

    def _indent(self, step: Step | None) -> str:
        """Where several go on in a log without groups, each line says whose it is."""
        named = step is not None and step.beside and self._groups is None
        return f"  {self._layout().safe(step.name)}: " if step is not None and named else "  "

    def _layout(self) -> Layout:
        """For the width as of now."""
        from pipeline.console_layout import Layout

        terminal = self._terminal
        return Layout(self._redact, width=terminal.width, colour=terminal.coloured, encoding=terminal.encoding)

    def _write_of(self, step: Step | None, *lines: str) -> None:
        """Lines of a step; where groups can't be mixed they wait for its end."""
        if step is not None:
            step.written = time.monotonic()
        if step is not None and step.beside and self._groups is not None:
            step.held.extend(lines)
        else:
            self._write(*lines)

    def _write(self, *lines: str) -> None:
        if self._relay is not None:
            return
        with self._guard:
            if self._live is not None:
                self._live.erase()
            self._put("".join(f"{line}\n" for line in lines))

    def _put(self, text: str) -> None:
        if self._gone:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # A closed terminal, pipe or stream; the reports tell what can't be told here.
            self._gone = True


def standard(redact: Callable[[str], str], environ: Mapping[str, str]) -> Console:
    """The console on standard error, where progress belongs."""
    return Console(sys.stderr, redact, environ)
