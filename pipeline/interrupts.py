"""A polite request to stop, or a closed terminal, ends a run like Ctrl-C: all is stopped, the report says so."""

from __future__ import annotations

import signal
import threading
from types import FrameType


def as_keyboard_interrupt() -> None:
    """From now on SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, in the main thread (Python allows no other)."""
    if threading.current_thread() is threading.main_thread():
        # SIGINT too: whoever was started in the background, as CI systems do, has inherited that it is ignored.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    raise KeyboardInterrupt(signal.Signals(number).name)
