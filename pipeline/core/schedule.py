"""Which stages of a run begin now, and how many of the machine's cores each may use: functions of values.

List scheduling by the longest path that still lies ahead (R. L. Graham, "Bounds on multiprocessing timing anomalies",
1969; T. C. Hu, 1961, for the order by level): as long as a core is free, the ready stage begins behind which the most
work waits. How long a stage takes is what it took the last time, so this decides when results come and never which.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A stage as the schedule sees it: its name, and the names of those that must have ended before.

    ``alone`` means that nothing else may be at work beside it. ``spreads`` means that its tool uses as many cores as it
    is given, ``waits`` that it mostly waits for others (a container, a network), so that another may have its core.
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
    waiting = [Start(name=task.name) for task in together if task.waits and jobs > 1]
    working = [task for task in together if not task.waits or jobs == 1]
    free = max(jobs - sum(cores for name, cores in running.items() if jobs == 1 or not by_name[name].waits), 0)
    if free == jobs and (first := _before_all(working, left, jobs)):
        return [*waiting, Start(name=first, cores=jobs)]
    if begun := [*waiting, *_shared(working[:free], free)]:
        return begun
    return [Start(name=task.name, cores=jobs) for task in ready[:1]] if not running and ready else []


def _before_all(ready: Sequence[Task], left: Sequence[Task], jobs: int) -> str:
    """The stage that gets all cores before anything else begins, if the run ends sooner by that; else nothing.

    Beside others it keeps its share from its beginning to its end, while the rest lies idle once they have ended. The
    two ends are estimated by their lower bounds, the work for each core and the longest path. One that would have a
    single core, and whose time is not known, is taken to be the longest: where a project spreads its tests, they are.
    """
    share = max(jobs - len(ready) + 1, 1)
    for task in ready if share < jobs else ():
        if task.spreads:
            others = [other for other in left if other is not task]
            work, path = sum(other.usual_s for other in others), max(map(_ahead_in(others), others), default=0.0)
            before = task.usual_s / jobs + max(work / jobs, path)
            beside = max(task.usual_s / share, path, (task.usual_s + work) / jobs)
            if before < beside or (share == 1 and not task.usual_s):
                return task.name
    return ""


def _shared(begun: Sequence[Task], free: int) -> list[Start]:
    """Each has a core; what is free beyond that goes to those that can use several, the same to each."""
    spreading = sum(task.spreads for task in begun)
    more = max(free - len(begun), 0) // spreading if spreading else 0
    return [Start(name=task.name, cores=1 + (more if task.spreads else 0)) for task in begun]


def _ranked(ready: Sequence[Task], tasks: Sequence[Task]) -> list[Task]:
    """The ready ones, first those behind which the most work waits; else in the pipeline's order."""
    ahead = _ahead_in(tasks, unknown_s=1.0)
    return sorted(ready, key=lambda task: -ahead(task))


def _ahead_in(tasks: Sequence[Task], unknown_s: float = 0.0) -> Callable[[Task], float]:
    """How long the longest path from the beginning of a task to the end of all is, in seconds.

    Where nothing is known, with ``unknown_s`` for each, a longer path counts for more work.
    """

    @cache
    def ahead(task: Task) -> float:
        behind = (ahead(other) for other in tasks if task.name in other.after)
        return (task.usual_s or unknown_s) + max(behind, default=0.0)

    return ahead
