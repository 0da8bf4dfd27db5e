"""A real pseudo-terminal, and pyte, a terminal emulator of others' making, that reads what was written to it."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import termios
import threading
from types import TracebackType
from typing import Self

import pyte

ROWS = 200
SGR = re.compile(r"\x1b\[[0-9;]*m")


class PseudoTerminal:
    """``stream`` is the end that a program writes to; what came out at the other end is there once it is closed."""

    def __init__(self, columns: int, encoding: str = "utf-8") -> None:
        self._master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w", encoding=encoding)
        self.columns = columns
        self.resize(columns)
        self._parts: list[bytes] = []
        self._hung_up = False
        self._told, self._tell = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def resize(self, columns: int) -> None:
        """The window gets another width."""
        self.columns = columns
        fcntl.ioctl(self.stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))

    def close(self) -> None:
        """Nobody writes any more; waits until all has been read."""
        if not self.stream.closed and not self._hung_up:
            self.stream.close()
            self._end()

    def hang_up(self) -> None:
        """The terminal goes away while programs still use it: the kernel sends them SIGHUP (pty(7), setsid(2))."""
        self._hung_up = True
        os.write(self._tell, b".")
        self._end()
        self.stream.close()

    @property
    def written(self) -> str:
        """All that was written, as bytes arrive at a terminal (with "\\r\\n" for a new line).

        While somebody is at it, without the beginning of a character whose end has not come yet.
        """
        return codecs.getincrementaldecoder("utf-8")().decode(b"".join(self._parts), final=self.stream.closed)

    @property
    def lines(self) -> list[str]:
        """What was written, by lines, without colours."""
        return [SGR.sub("", line) for line in self.written.replace("\r\n", "\n").split("\n")]

    def screen(self) -> pyte.Screen:
        """The terminal as a person sees it in the end."""
        return shown(self.written, self.columns)

    def seen(self) -> list[str]:
        """The rows of the screen down to the last that is not empty."""
        return "\n".join(row.rstrip() for row in self.screen().display).rstrip("\n").split("\n")

    def _end(self) -> None:
        """The reader goes first: a file that another thread reads stays open in the kernel, its number does not."""
        self._reader.join()
        for end in (self._master, self._told, self._tell):
            os.close(end)

    def _read(self) -> None:
        poll = select.poll()
        for end in (self._master, self._told):
            poll.register(end, select.POLLIN)
        while self._told not in dict(poll.poll()):
            try:
                part = os.read(self._master, 65536)
            except OSError:
                # Linux says EIO when the last writer has gone (pty(7)).
                return
            if not part:
                return
            self._parts.append(part)


def shown(text: str, columns: int) -> pyte.Screen:
    """The screen of that width after ``text``."""
    screen = pyte.Screen(columns, ROWS)
    pyte.Stream(screen).feed(text)
    return screen


def too_long(text: str, columns: int) -> list[str]:
    """The lines of ``text`` that a terminal of that width breaks by itself."""
    lines = text.replace("\r\n", "\n").split("\n")
    return [line for line in lines if shown(line, columns).cursor.y or shown(line, columns).cursor.x >= columns]
