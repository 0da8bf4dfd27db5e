"""From texts to finished lines: masked, made safe, wrapped or cut to a width in cells, with colours or without.

The one gate to the terminal: a line that comes out of here steers neither a terminal nor a CI system, whatever stood in
the texts. rich knows how wide a character is and breaks lines; none of its markup is ever read. It takes a while to
load, so this module is imported by functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO

from rich.color import ColorSystem
from rich.console import Console as RichConsole
from rich.table import Table
from rich.text import Text

from pipeline.core.safe_text import cut, for_log

ELLIPSIS = "…"
_WIDE = 10_000
_LEAST = 10
# What rich writes for a colour (ECMA-48, SGR); all other escapes come from the text.
_SGR = re.compile(r"\x1b\[[0-9;]*m")


class Layout:
    """Makes lines of less than ``width`` columns, or as long as they are where there is no width.

    Less, since a terminal that has just filled its last column is in a state of its own, and since making a line safe
    may lengthen it by one.
    """

    def __init__(
        self,
        redact: Callable[[str], str],
        *,
        width: int | None = None,
        colour: bool = False,
        encoding: str = "utf-8",
    ) -> None:
        self._redact = redact
        self.width = None if width is None else width - 1
        self._encoding = encoding
        self._colours = ColorSystem.STANDARD if colour else None
        # Everything is said, so that nothing is taken from this process's environment.
        self._console = RichConsole(
            file=StringIO(), width=_WIDE, height=25, force_terminal=False, force_jupyter=False, force_interactive=False,
            color_system=None, no_color=True, legacy_windows=False, markup=False, emoji=False, highlight=False,
        )  # fmt: skip
        self._ellipsis = ELLIPSIS if self._takes(ELLIPSIS) else "~"

    def text(self, outside: str, style: str = "", *, longest: int = 0) -> Text:
        """Text from outside, on one line, as it may be shown; a style is words like "bold red".

        It is cut to ``longest`` characters (0: it is not) once it has been masked: half a secret would be none.
        """
        shown = self.safe(outside)
        return Text().append(cut(shown, longest) if longest else shown, style)

    def safe(self, outside: str) -> str:
        """The text masked, on one line, without anything that can't be seen or that the stream can't take."""
        shown = for_log(self._redact(outside))
        return shown.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def line(self, text: Text) -> str:
        """The text on one line, cut with an ellipsis when it is too long."""
        shown = text.copy()
        if self.width is not None:
            shown.truncate(self.width, overflow="ellipsis")
        return self._finished(self._ansi(shown))

    def whole(self, text: Text) -> str:
        """The text on one line, however long: for what is to be copied, which a line break would spoil."""
        return self._finished(self._ansi(text))

    def paragraph(self, text: Text, indent: int = 0, hanging: int = 0) -> list[str]:
        """The text in lines, broken between words, or within one that is too long; the first has its own indent."""
        if self.width is None:
            return [self._finished(" " * indent + self._ansi(text))]
        room = max(self.width - max(indent, hanging), _LEAST)
        broken = [line for line in text.wrap(self._console, room, overflow="fold") if line.plain.strip()]
        indents = [indent, *[hanging] * len(broken)]
        return [self._finished(" " * before + self._ansi(line)) for before, line in zip(indents, broken, strict=False)]

    def table(self, table: Table) -> list[str]:
        """The table in lines; its columns shrink to the width."""
        options = self._console.options.update(width=_WIDE if self.width is None else self.width)
        rendered = self._console.render_lines(table, options, pad=False)
        texts = [Text.assemble(*((part.text, part.style or "") for part in line)) for line in rendered]
        return [self._finished(self._ansi(text)) for text in texts]

    def _ansi(self, text: Text) -> str:
        shown = text.copy()
        shown.rstrip()
        parts = shown.render(self._console, end="")
        return "".join(p.style.render(p.text, color_system=self._colours) if p.style else p.text for p in parts)

    def _finished(self, line: str) -> str:
        """The last look at a line, since wrapping may have put a command at its beginning.

        Such a line loses its colours; a further escape that is not a colour, had one come through, becomes visible.
        """
        plain = _SGR.sub("", line)
        guarded = for_log(plain)
        chosen = line if guarded == plain else guarded
        return chosen if self._ellipsis == ELLIPSIS else chosen.replace(ELLIPSIS, self._ellipsis)

    def _takes(self, character: str) -> bool:
        return character.encode(self._encoding, "ignore") != b""
