"""How many of the machine's cores this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota: Path = _QUOTA) -> int:
    """At least 1: those that the scheduler gives us, or fewer where a container's quota is less.

    ``quota`` holds a time and the period that it is for, in microseconds, or the word ``max`` (Linux, cgroup v2).
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        time, period = quota.read_text(encoding="ascii").split()
        return max(min(cores, math.ceil(int(time) / int(period))), 1)
    except (OSError, ValueError, ZeroDivisionError):
        # No such system, or no limit.
        return cores
