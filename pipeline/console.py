"""What a person at a terminal, or the log of a CI job, gets to read while a run goes on.

On a terminal one line shows what is being done, for how long and how far it is, and is rewritten in place; elsewhere
each step is a plain line. Whatever is shown goes through :mod:`pipeline.console_layout`, which masks secrets and makes
text from outside safe.
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
from pipeline.console_live import LiveLine
from pipeline.console_terminal import Terminal
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult

if TYPE_CHECKING:
    from pipeline.console_layout import Layout

BEAT_S = 10.0
"""How often a log is told of progress within a step; a terminal shows it at once."""
_WORTH_SAYING_S = 1.0


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
        self._step = ""
        self._doing = ""
        self._usual_s = 0.0
        self._since = self._written = time.monotonic()
        self._line: LiveLine | None = None
        if self._terminal.drawable and self._groups is None:
            self._line = LiveLine(self._live_text, self._put, self._guard)

    def plan(self, names: Sequence[str]) -> None:
        """These stages will be carried out."""
        self._planned = tuple(names)

    def say(self, text: str) -> None:
        """What is being done now."""
        with self._guard:
            self._doing = text
            if self._line is not None and self._step:
                self._line.draw()
            else:
                self._write(f"  {self._layout().safe(text)}")

    def update(self, text: str) -> None:
        """How far it has come; where lines stay, this is said now and then."""
        with self._guard:
            self._doing = text
            if self._line is not None and self._step:
                return
            now = time.monotonic()
            if now - self._written >= BEAT_S:
                self._write(f"  {self._layout().safe(text)} ({now - self._since:.0f} s)")

    def line(self, text: str) -> None:
        """A text that stays, with its own indent."""
        layout = self._layout()
        said = text.lstrip(" ")
        indent = len(text) - len(said)
        self._write(*layout.paragraph(layout.text(said), indent, indent + 4))

    def begin(self, name: str, usual_s: float = 0.0) -> None:
        """A stage begins, which the last time took ``usual_s`` seconds (0: that is not known)."""
        with self._guard:
            self._leave()
            self._step, self._doing, self._usual_s = name, "", usual_s
            self._since = time.monotonic()
            title = self._layout().safe(name)
            if self._line is not None:
                self._line.start()
                self._line.draw()
            elif self._groups is not None:
                self._write(self._groups.opened(name, title))
            else:
                self._write(f"{title}: started{self._position(', {} of {}')}")

    def end(self, result: StageResult) -> None:
        """A stage has ended, or could not begin."""
        from pipeline.console_stage import stage_details, stage_lines

        with self._guard:
            layout = self._layout()
            if self._groups is not None and self._step:
                self._write(*stage_details(result, layout))
            self._leave()
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
            self._leave()
            self._write(*summary_lines(report, self._planned, places, self._layout()))

    def close(self) -> None:
        """Nothing is going on any more."""
        with self._guard:
            self._leave()

    def _leave(self) -> None:
        """The step has ended: its line goes, its group is closed."""
        if self._line is not None:
            self._line.stop()
        elif self._groups is not None and self._step:
            self._write(self._groups.closed(self._step))
        self._step = ""

    def _live_text(self) -> str:
        """Which stage, how long, how far."""
        from rich.text import Text

        from pipeline.console_stage import duration

        layout = self._layout()
        text = Text().append(self._position("[{}/{}] "), "dim").append(layout.text(self._step, "bold"))
        text.append(f" {duration(time.monotonic() - self._since)}")
        if self._usual_s >= _WORTH_SAYING_S:
            text.append(f" (last time {duration(self._usual_s)})", "dim")
        if self._doing:
            text.append(": ").append(layout.text(self._doing))
        return layout.line(text)

    def _position(self, form: str) -> str:
        if self._step not in self._planned:
            return ""
        # Nox runs them in the order in which they were asked for.
        return form.format(len(self._ended.intersection(self._planned) - {self._step}) + 1, len(self._planned))

    def _layout(self) -> Layout:
        """For the width as of now."""
        from pipeline.console_layout import Layout

        terminal = self._terminal
        return Layout(self._redact, width=terminal.width, colour=terminal.coloured, encoding=terminal.encoding)

    def _write(self, *lines: str) -> None:
        with self._guard:
            if self._line is not None:
                self._line.erase()
            self._put("".join(f"{line}\n" for line in lines))
            self._written = time.monotonic()

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
