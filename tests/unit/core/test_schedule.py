"""The schedule: what begins when, whatever the stages need and however long they take."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.schedule import Start, Task, next_starts


def names(starts: list[Start]) -> list[str]:
    return [start.name for start in starts]


def timed(name: str, usual_s: float) -> Task:
    return Task(name=name, usual_s=usual_s, spreads=name == "test")


def carried_out(tasks: list[Task], seconds: dict[str, float], jobs: int) -> dict[str, tuple[float, float]]:
    """When each began and ended, if it takes so many seconds."""
    now, running, ended, times = 0.0, dict[str, int](), set[str](), dict[str, tuple[float, float]]()
    while len(ended) < len(tasks):
        for start in next_starts(tasks, ended, running, jobs):
            assert 1 <= start.cores <= jobs
            running[start.name] = start.cores
            times[start.name] = (now, now + seconds[start.name])
        assert running, "nothing is at work and nothing begins"
        first = min(running, key=lambda name: times[name][1])
        now = times[first][1]
        del running[first]
        ended.add(first)
    return times


def test_what_needs_nothing_begins_at_once_and_the_rest_when_its_needs_have_ended() -> None:
    tasks = [Task(name="lint"), Task(name="build"), Task(name="smoke", after=("build",))]
    assert names(next_starts(tasks, (), {}, 4)) == ["build", "lint"], "as long as no times are known, by what is behind"
    assert names(next_starts(tasks, {"build"}, {"lint": 1}, 4)) == ["smoke"]
    assert not next_starts(tasks, {"lint"}, {"build": 1}, 4)


def test_no_more_begin_than_there_are_jobs() -> None:
    tasks = [Task(name=name) for name in "abcd"]
    assert names(next_starts(tasks, (), {}, 2)) == ["a", "b"]
    assert not next_starts(tasks, (), {"a": 1, "b": 1}, 2)
    assert names(next_starts(tasks, {"a"}, {"b": 1}, 2)) == ["c"]


def test_the_one_behind_which_the_most_work_waits_is_first() -> None:
    tasks = [
        Task(name="short", usual_s=1), Task(name="first", usual_s=2), Task(name="long", usual_s=5),
        Task(name="second", after=("first",), usual_s=9),
    ]  # fmt: skip
    assert names(next_starts(tasks, (), {}, 2)) == ["first", "long"]


def test_a_tool_for_all_cores_that_would_outlast_the_others_has_them_first_and_alone() -> None:
    tasks = [timed("lint", 80), timed("test", 500), timed("build", 70)]
    assert next_starts(tasks, (), {}, 2) == [Start(name="test", cores=2)]
    assert not next_starts(tasks, (), {"test": 2}, 2), "nothing goes around the budget"
    assert names(next_starts(tasks, {"test"}, {}, 2)) == ["lint", "build"]
    assert [start.cores for start in next_starts(tasks, (), {}, 8)] == [6, 1, 1], "where its share is most of them"
    assert names(next_starts(tasks, (), {}, 1)) == ["lint"], "one after the other it gains nothing"


def test_a_tool_for_all_cores_that_ends_before_the_others_has_its_share_beside_them() -> None:
    tasks = [timed("lint", 80), timed("test", 60), timed("build", 70)]
    assert next_starts(tasks, (), {}, 2) == [Start(name="lint"), Start(name="build")]
    assert next_starts(tasks, {"build"}, {"lint": 1}, 2) == [Start(name="test")]
    assert [start.cores for start in next_starts(tasks, (), {}, 8)] == [1, 1, 6]


def test_a_tool_for_all_cores_whose_time_is_not_known_is_first_where_it_would_have_one() -> None:
    tasks = [Task(name="lint"), Task(name="test", spreads=True)]
    assert next_starts(tasks, (), {}, 2) == [Start(name="test", cores=2)]
    assert next_starts(tasks, (), {}, 4) == [Start(name="lint"), Start(name="test", cores=3)]


def test_one_after_the_other_keeps_the_pipeline_s_order() -> None:
    tasks = [Task(name="short", usual_s=1), Task(name="long", usual_s=5)]
    assert names(next_starts(tasks, (), {}, 1)) == ["short"]


def test_who_must_be_alone_waits_for_all_that_is_ready_and_is_left_alone() -> None:
    tasks = [Task(name="canary", alone=True), Task(name="test"), Task(name="push", after=("canary",))]
    assert names(next_starts(tasks, (), {}, 4)) == ["test"]
    assert not next_starts(tasks, (), {"test": 1}, 4)
    assert next_starts(tasks, {"test"}, {}, 4) == [Start(name="canary", cores=4)]
    assert not next_starts([*tasks, Task(name="late")], {"test"}, {"canary": 4}, 4)


def test_cores_that_are_left_over_go_to_the_tools_that_can_use_them() -> None:
    tasks = [Task(name="test", spreads=True), Task(name="lint", spreads=True), Task(name="scan")]
    assert [start.cores for start in next_starts(tasks, (), {}, 8)] == [3, 3, 1]
    known = [replace(task, usual_s=1) for task in tasks]
    assert [start.cores for start in next_starts(known, (), {}, 3)] == [1, 1, 1]
    assert next_starts(tasks, (), {"scan": 1}, 2) == [Start(name="test")]
    assert next_starts(tasks[:1], (), {}, 4) == [Start(name="test", cores=4)]


def test_another_has_the_core_of_one_that_mostly_waits() -> None:
    tasks = [timed("lint", 1), Task(name="smoke", waits=True), timed("test", 1), timed("scan", 1)]
    assert sorted(names(next_starts(tasks, (), {}, 2))) == ["lint", "smoke", "test"]
    assert names(next_starts(tasks, (), {"lint": 1, "smoke": 1}, 2)) == ["test"]
    assert names(next_starts(tasks, (), {"lint": 1, "test": 1}, 2)) == ["smoke"]
    assert not next_starts(tasks, (), {"lint": 1, "test": 1, "smoke": 1}, 2)
    assert next_starts(tasks, {"lint", "scan"}, {"smoke": 1}, 4) == [Start(name="test", cores=4)]


def test_one_after_the_other_holds_for_those_that_wait_too() -> None:
    tasks = [Task(name="lint"), Task(name="smoke", waits=True)]
    assert names(next_starts(tasks, (), {}, 1)) == ["lint"]
    assert not next_starts(tasks, (), {"smoke": 1}, 1)


def test_what_is_no_part_of_the_run_is_not_waited_for() -> None:
    assert names(next_starts([Task(name="push", after=("canary",))], (), {}, 2)) == ["push"]


@st.composite
def plans(draw: st.DrawFn) -> list[Task]:
    count = draw(st.integers(1, 9))
    return [
        Task(
            name=str(number),
            after=tuple(str(one) for one in draw(st.sets(st.integers(0, number - 1), max_size=3))) if number else (),
            alone=draw(st.booleans()),
            spreads=draw(st.booleans()),
            waits=draw(st.booleans()),
            usual_s=draw(st.integers(0, 9)),
        )
        for number in range(count)
    ]


@given(plans(), st.integers(1, 5), st.lists(st.integers(1, 9), min_size=9, max_size=9))
def test_every_stage_runs_once_after_its_needs_within_the_jobs_and_alone_where_it_must(
    tasks: list[Task], jobs: int, lengths: list[int]
) -> None:
    times = carried_out(tasks, {task.name: float(lengths[int(task.name)]) for task in tasks}, jobs)
    for task in tasks:
        begun, ended = times[task.name]
        assert all(times[need][1] <= begun for need in task.after)
        beside = [name for name, (b, e) in times.items() if name != task.name and b < ended and e > begun]
        assert not (task.alone and beside)
        working = [one.name for one in tasks if jobs == 1 or not one.waits]
        assert sum(times[name][0] <= begun < times[name][1] for name in working) <= jobs
