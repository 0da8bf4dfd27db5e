"""A line for each stage at work, at the foot of a terminal, that says what is going on and is rewritten in place.

Not rich's Live, because that hides the cursor while it is up: a run that is killed would leave a terminal without one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

ERASE = "\r\x1b[2K"
_UP = "\x1b[1A"
# Without automatic wrapping (DECAWM, in xterm's control sequences) the line stays one, even where a terminal finds a
# character wider than we do: a second one would not be erased.
_UNWRAPPED, _WRAPPED = "\x1b[?7l", "\x1b[?7h"
TICK_S = 0.5


class LiveLines:
    """Draws the lines that ``shown`` returns (at least one), now and then and when asked.

    ``write`` puts characters on the terminal; ``guard`` is held meanwhile, so that no other line comes between.
    """

    def __init__(self, shown: Callable[[], list[str]], write: Callable[[str], None], guard: threading.RLock) -> None:
        self._shown = shown
        self._write = write
        self._guard = guard
        self._drawn = 0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._ending: threading.Thread | None = None

    def start(self) -> None:
        """From now on draw them by itself."""
        if self._thread is None:
            self._stopped.clear()
            self._thread = threading.Thread(target=self._tick, args=(self._stopped,), name="live line", daemon=True)
            self._thread.start()

    def draw(self) -> None:
        """Draw them now."""
        with self._guard:
            lines = self._shown()
            self._write(f"{self._erasing()}{_UNWRAPPED}{chr(10).join(lines)}{_WRAPPED}")
            self._drawn = len(lines)

    def erase(self) -> None:
        """Make room for a line that stays."""
        with self._guard:
            if self._drawn:
                self._write(self._erasing())
                self._drawn = 0

    def _erasing(self) -> str:
        """From the last line that was drawn up to the first, each is emptied."""
        return ERASE + f"{_UP}{ERASE}" * (self._drawn - 1)

    def stop(self) -> None:
        """Erase them and draw no more."""
        with self._guard:
            self._stopped.set()
            self._stopped, self._ending, self._thread = threading.Event(), self._thread or self._ending, None
            self.erase()

    def join(self) -> None:
        """Wait until the thread that drew has gone, after :meth:`stop`."""
        if self._ending is not None:
            self._ending.join()

    def _tick(self, stopped: threading.Event) -> None:
        while not stopped.wait(TICK_S):
            with self._guard:
                # It may have been stopped between the waiting and the guard.
                if not stopped.is_set():
                    self.draw()
