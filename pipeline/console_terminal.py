"""What the stream that people read can show: whether it can be drawn on, how wide it is, whether colours are wanted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

from pipeline.errors import ConfigurationError

COLOUR_VARIABLE = "PIPELINE_COLOR"
COLOURS = ("auto", "always", "never")
NARROWEST = 20
"""Columns; on a terminal that says it has fewer, lines are laid out for so many."""
_ROWS = 24


class Terminal:
    """A stream as ``environ`` and the stream itself describe it.

    ``drawable``: a line on it can be rewritten in place. ``coloured``: colours are wanted. ``encoding`` is its own.
    """

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        """Look at both, once; only the width may change later.

        Raises:
            ConfigurationError: the colour that the variable asks for is none of the three.
        """
        self._stream = stream
        self._columns = environ.get("COLUMNS", "")
        self._is_terminal = stream.isatty()
        self.drawable = self._is_terminal and environ.get("TERM") != "dumb"
        self.coloured = _coloured(environ, self.drawable)
        self.encoding = stream.encoding or "utf-8"

    @property
    def width(self) -> int | None:
        """Columns as of now; nothing where lines may be as long as they are (a file, a pipe, the log of a CI job).

        ``COLUMNS`` comes first, as POSIX has it (XBD 8.3) and as :func:`shutil.get_terminal_size` reads it; but the
        terminal that is asked is the one that is written to, which need not be standard output.
        """
        if self._columns.isascii() and self._columns.isdigit() and int(self._columns):
            return max(int(self._columns), NARROWEST)
        if not self._is_terminal:
            return None
        try:
            found = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            # It has gone, or is none that knows its size.
            found = 0
        return max(found or 80, NARROWEST)

    @property
    def height(self) -> int:
        """Rows as of now; few where nobody knows."""
        try:
            return os.get_terminal_size(self._stream.fileno()).lines or _ROWS
        except (OSError, ValueError):
            return _ROWS


def _coloured(environ: Mapping[str, str], drawable: bool) -> bool:
    """What was asked of us comes first, then what is asked of every program.

    Sources: https://no-color.org (present and not empty; a program's own option overrides it) and
    https://force-color.org (the same).
    """
    asked = environ.get(COLOUR_VARIABLE) or "auto"
    if asked not in COLOURS:
        raise ConfigurationError(f"{COLOUR_VARIABLE} must be one of {', '.join(COLOURS)}, and is {asked!r}.")
    if asked != "auto":
        return asked == "always"
    if environ.get("NO_COLOR"):
        return False
    return drawable or bool(environ.get("FORCE_COLOR"))
