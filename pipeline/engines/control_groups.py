"""What a container has used, by the kernel's own account of its control group, where that is within reach.

The engine gives the same numbers, and takes up to a second for it: it reads them once a second (seen with Docker
20.10). Sources: the kernel's documentation, admin-guide/cgroup-v1 (cpuacct.txt, memory.txt) and cgroup-v2.rst.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.core.containers import Usage

_PROCESSES, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
_UNIFIED = ""


def used_by(container: str, pid: int, *, processes: Path = _PROCESSES, groups: Path = _GROUPS) -> Usage | None:
    """What the ``container`` (by its id) whose first process is ``pid`` has used until now, as the engine counts it.

    None where that can't be read here: the engine is on another machine or behind another list of processes (then
    ``pid`` is somebody else, and no group of his has the container's name), or the groups are not mounted.
    """
    try:
        text = (processes / str(pid) / "cgroup").read_text(encoding="utf-8")
        places = _places(text, container)
        if "cpuacct" in places:
            memory, cpu = groups / "memory" / places["memory"], groups / "cpuacct" / places["cpuacct"]
            seconds = int((cpu / "cpuacct.usage").read_text(encoding="ascii")) / 1e9
            return _usage(seconds, memory, "memory.usage_in_bytes", "total_inactive_file")
        group = groups / places[_UNIFIED]
        return _usage(_numbers(group / "cpu.stat")["usage_usec"] / 1e6, group, "memory.current", "inactive_file")
    except (OSError, ValueError, KeyError):
        return None


def _usage(cpu_s: float, memory: Path, size: str, can_be_given_back: str) -> Usage:
    held = int((memory / size).read_text(encoding="ascii"))
    return Usage(cpu_s=cpu_s, memory_bytes=max(0, held - _numbers(memory / "memory.stat")[can_be_given_back]))


def _places(text: str, container: str) -> dict[str, str]:
    """The container's own group, by controller (the empty name is that of version 2), as a path without a beginning.

    A process may have made groups of its own below it, so what follows the container's name is left out.
    """
    places = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        head, name, rest = path.partition(container)
        if container and name and ".." not in head:
            place = (head + name + rest.partition("/")[0]).lstrip("/")
            places.update(dict.fromkeys(controllers.split(","), place))
    return places


def _numbers(file: Path) -> dict[str, int]:
    pairs = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return {name: int(number) for name, number in pairs}
