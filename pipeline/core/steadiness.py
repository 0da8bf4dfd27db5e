"""Whether a service under load keeps its memory and its file handles: the readings, and the rule.

The rule: so many requests are sent to warm it up, then as many again; what all its processes together hold after the
second half may lie above what they held after the first by no more than a bound. So a leak is seen from a size of the
bound divided by the number of requests upwards, and no smaller one; caches that fill up once do no harm.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

PROGRAM = """
import json, os
own, memory, files, seen = os.getpid(), 0, 0, []
for name in os.listdir("/proc"):
    if not name.isdigit() or int(name) == own:
        continue
    try:
        with open(f"/proc/{name}/status") as status:
            kept = dict(line.split(":", 1) for line in status)
        memory += sum(int(kept.get(key, "0 kB").split()[0]) for key in ("RssAnon", "RssShmem"))
        files += len(os.listdir(f"/proc/{name}/fd"))
        seen.append(int(name))
    except (FileNotFoundError, ProcessLookupError):
        pass
print(json.dumps({"memory_kb": memory, "files": files, "processes": sorted(seen)}))
"""
"""Run by the image's own Python inside the container: what the kernel tells of its other processes (proc(5)).

Anonymous and shared memory is what a program holds by itself; the files that it has mapped can be dropped at any time.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The memory of all processes together in kibibytes, their file handles, and the processes by number."""

    memory_kb: int
    files: int
    processes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One half of the load: how many requests were sent, and how many were answered without a failure."""

    sent: int
    answered: int


def parse_reading(output: str) -> Reading:
    """What :data:`PROGRAM` printed. Raises ValueError for anything else, and when it saw no process."""
    try:
        told = json.loads(output)
        reading = Reading(
            memory_kb=int(told["memory_kb"]), files=int(told["files"]), processes=tuple(map(int, told["processes"]))
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"no reading, but: {output.strip()[-200:]}") from error
    if not reading.processes or reading.memory_kb <= 0:
        raise ValueError("it saw no process of the service")
    return reading


def growth_mb(before: Reading, after: Reading) -> float:
    """By how many mebibytes memory has grown; negative when it has shrunk."""
    return (after.memory_kb - before.memory_kb) / 1024


def growth_files(before: Reading, after: Reading) -> int:
    """How many file handles there are more."""
    return after.files - before.files
