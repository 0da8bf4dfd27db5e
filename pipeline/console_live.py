"""One line at the foot of a terminal that says what is going on, and is rewritten in place.

Not rich's Live, because that hides the cursor while it is up: a run that is killed would leave a terminal without one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

ERASE = "\r\x1b[2K"
# Without automatic wrapping (DECAWM, in xterm's control sequences) the line stays one, even where a terminal finds a
# character wider than we do: a second one would not be erased.
_UNWRAPPED, _WRAPPED = "\x1b[?7l", "\x1b[?7h"
TICK_S = 0.5


class LiveLine:
    """Draws what ``shown`` returns, now and then and when asked.

    ``write`` puts characters on the terminal; ``guard`` is held meanwhile, so that no other line comes between.
    """

    def __init__(self, shown: Callable[[], str], write: Callable[[str], None], guard: threading.RLock) -> None:
        self._shown = shown
        self._write = write
        self._guard = guard
        self._drawn = False
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """From now on draw it by itself."""
        if self._thread is None:
            self._stopped.clear()
            self._thread = threading.Thread(target=self._tick, args=(self._stopped,), name="live line", daemon=True)
            self._thread.start()

    def draw(self) -> None:
        """Draw it now."""
        with self._guard:
            self._drawn = True
            self._write(f"{ERASE}{_UNWRAPPED}{self._shown()}{_WRAPPED}")

    def erase(self) -> None:
        """Make room for a line that stays."""
        with self._guard:
            if self._drawn:
                self._drawn = False
                self._write(ERASE)

    def stop(self) -> None:
        """Erase it and draw no more."""
        with self._guard:
            self._stopped.set()
            self._stopped, self._thread = threading.Event(), None
            self.erase()

    def _tick(self, stopped: threading.Event) -> None:
        while not stopped.wait(TICK_S):
            with self._guard:
                # It may have been stopped between the waiting and the guard.
                if not stopped.is_set():
                    self.draw()
