"""The drain: after SIGTERM the service says that it is not ready, for a while, and only then stops.

gunicorn stops accepting the moment it handles SIGTERM, so a load balancer would learn of the stop
from refused connections. Delaying the signal gives it the time to read a 503 from /readyz.
"""

import mmap
import signal
from collections.abc import Callable
from types import FrameType

# One byte that the server's master and its forked workers share; needs no file, so it works
# under a read-only root.
FLAG = mmap.mmap(-1, 1)


Handler = Callable[[int, FrameType | None], None]


def begin() -> None:
    """From now on the service is not ready; there is no way back, a stop follows."""
    FLAG[0] = 1


def active() -> bool:
    """Whether the stop has begun."""
    return FLAG[0] == 1


def delay_stop(stop: Handler, seconds: float) -> None:
    """Put the drain before the server's own handler of SIGTERM; a second SIGTERM ends it early.

    A timer signal and not a thread, because gunicorn's master forks. The handlers do not log:
    gunicorn and the logging module both warn against it.
    """
    if seconds <= 0:
        return  # a timer of zero seconds would never fire

    def stop_now(_signum: int, frame: FrameType | None) -> None:
        stop(signal.SIGTERM, frame)

    def drain(_signum: int, _frame: FrameType | None) -> None:
        begin()
        signal.signal(signal.SIGTERM, stop_now)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    signal.signal(signal.SIGALRM, stop_now)
    signal.signal(signal.SIGTERM, drain)
