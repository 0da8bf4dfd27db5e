"""What a measurement was made on, without naming the machine; and running a command as a whole process, timed."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A process that ended: wall and processor seconds, and the most memory of it or of a child in MiB."""

    wall: float
    busy: float
    mib: float
    exit_code: int
    said: str


def about() -> dict[str, Any]:
    """Cores, processor, kernel, Python, and how many processes wanted to run in the minute before (load)."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": model[1].strip() if model else platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def timed(command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Timed:
    """Run a command to its end; what it says is kept, in case it fails."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read().decode("utf-8", "replace")
        # The operating system's own account of this child and of those that it waited for.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    busy = usage.ru_utime + usage.ru_stime
    return Timed(wall=wall, busy=busy, mib=usage.ru_maxrss / 1024, exit_code=process.returncode, said=said)


def paired(runs: int, sides: Mapping[str, Callable[[], Timed]]) -> dict[str, list[Timed]]:
    """Each side in turn, so often, so that a machine whose speed drifts does so for all of them."""
    found: dict[str, list[Timed]] = {name: [] for name in sides}
    for _ in range(runs):
        for name, run in sides.items():
            found[name].append(run())
    return found


def median(values: Sequence[float]) -> float:
    """The middle one, to the millisecond."""
    return round(statistics.median(values), 3)
