"""Which stages of a run begin now, and how many of the machine's cores each may use: functions of values.

List scheduling by the longest path that still lies ahead (R. L. Graham, "Bounds on multiprocessing timing anomalies",
1969; T. C. Hu, 1961, for the order by level): as long as a core is free, the ready stage begins behind which the most
work waits. How long a stage takes is what it took the last time, so this decides when results come and never which.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A stage as the schedule sees it: its name, and the names of those that must have ended before.

    ``alone`` means that nothing else may be at work beside it. ``spreads`` means that its tool can use several cores,
    ``waits`` that it mostly waits for others (a container, a network), so that another may have its core meanwhile.
    ``usual_s`` is how long it took the last time, in seconds (0: that is not known).
    """

    name: str
    after: tuple[str, ...] = ()
    alone: bool = False
    spreads: bool = False
    waits: bool = False
    usual_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A stage that begins now, and its share of the cores."""

    name: str
    cores: int = 1


def next_starts(tasks: Sequence[Task], ended: Collection[str], running: Mapping[str, int], jobs: int) -> list[Start]:
    """What begins now of ``tasks`` (all of the run's), with ``running`` at work on so many cores each.

    A stage that must be alone waits until nothing is at work and nothing else is ready, and nothing begins beside it.
    One that mostly waits for others is no job of the ``jobs``, unless there is one: then it is one after the other.
    A task may come after one that is no part of the run; such a one has ended.
    """
    by_name = {task.name: task for task in tasks}
    if any(by_name[name].alone for name in running):
        return []
    left = [task for task in tasks if task.name not in ended and task.name not in running]
    pending = {task.name for task in left} | set(running)
    ready = [task for task in left if not pending.intersection(task.after)]
    together = [task for task in ready if not task.alone]
    if jobs > 1:
        # One after the other they all take the same time, whichever is first, and people know the pipeline's order.
        together = _ranked(together, tasks)
    # Whoever wants one after the other gets that.
    busy = {name: cores for name, cores in running.items() if jobs == 1 or not by_name[name].waits}
    waiting = [task for task in together if task.waits and jobs > 1]
    working = [task for task in together if task not in waiting][: max(jobs - len(busy), 0)]
    if waiting or working:
        shared = _shared(working, max(jobs - sum(busy.values()), 0))
        return [*(Start(name=task.name) for task in waiting), *shared]
    return [Start(name=task.name, cores=jobs) for task in ready[:1]] if not running and ready else []


def _shared(begun: Sequence[Task], free: int) -> list[Start]:
    """Each has a core; what is free beyond that goes to those that can use several, the same to each."""
    spreading = sum(task.spreads for task in begun)
    more = max(free - len(begun), 0) // spreading if spreading else 0
    return [Start(name=task.name, cores=1 + (more if task.spreads else 0)) for task in begun]


def _ranked(ready: Sequence[Task], tasks: Sequence[Task]) -> list[Task]:
    """The ready ones, first those behind which the most work waits; else in the pipeline's order."""
    by_name = {task.name: task for task in tasks}

    @cache
    def ahead(name: str) -> float:
        # Where nothing is known, a longer way ahead counts for more work, and so does a tool for several cores.
        behind = (ahead(task.name) for task in tasks if name in task.after)
        return (by_name[name].usual_s or 1.0 + by_name[name].spreads) + max(behind, default=0.0)

    return sorted(ready, key=lambda task: -ahead(task.name))
