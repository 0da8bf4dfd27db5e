"""What the pipeline's own list says of its schedule: who waits for whom, who is alone, who can use several cores."""

from __future__ import annotations

import pytest

from pipeline.core.schedule import Task, next_starts
from pipeline.errors import ConfigurationError
from pipeline.settings import STAGE_NAMES, Settings, Test
from pipeline.stages.context import traits
from pipeline.stages.registry import pipeline_stages
from tests.projects import SampleStage

STAGES = {stage.name: stage for stage in pipeline_stages(STAGE_NAMES)}
PARALLEL = Settings(test=Test(parallel=True))
TASKS = tuple(Task(name=stage.name, after=stage.needs, **traits(stage, PARALLEL)) for stage in STAGES.values())


def test_build_needs_no_test_s_result_and_push_needs_all_others() -> None:
    assert STAGES["build"].needs == ()
    assert set(STAGES["push"].needs) == set(STAGE_NAMES) - {"push"}


def test_with_cores_enough_all_that_look_at_files_begin_at_once_and_build_with_them() -> None:
    begun = {start.name for start in next_starts(TASKS, (), {}, 16)}
    assert begun == {"lint", "scan", "secrets", "audit", "test", "build"}


def test_the_canary_measures_time_and_is_alone() -> None:
    assert [task.name for task in TASKS if task.alone] == ["canary"]
    ended = set(STAGE_NAMES) - {"lint", "canary", "push"}
    assert next_starts(TASKS, ended, {"lint": 1}, 16) == []
    assert [start.name for start in next_starts(TASKS, ended | {"lint"}, {}, 16)] == ["canary"]
    assert next_starts(TASKS, ended, {"canary": 16}, 16) == []


def test_smoke_mostly_waits_for_its_containers() -> None:
    assert [task.name for task in TASKS if task.waits] == ["smoke"]


def test_the_tests_can_use_several_cores() -> None:
    assert [task.name for task in TASKS if task.spreads] == ["test"]
    told = [traits(stage, Settings())["spreads"] for stage in STAGES.values()]
    assert not any(told), "where the project does not say so"
    shares = {start.name: start.cores for start in next_starts(TASKS, (), {}, 8)}
    assert shares == {"lint": 1, "scan": 1, "secrets": 1, "audit": 1, "test": 3, "build": 1}


@pytest.mark.parametrize("spreads", [True, False])
def test_a_stage_of_ones_own_may_say_it_by_an_attribute(spreads: bool) -> None:
    stage = type("Own", (SampleStage,), {"spreads": spreads})("own")
    assert traits(stage, Settings()) == {"alone": False, "waits": False, "spreads": spreads}


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        (SampleStage("lint"), "There are two stages called 'lint'"),
        (SampleStage("own", needs=("lnt",)), "The stage 'own' needs 'lnt', and there is no such stage"),
    ],
)
def test_a_stage_that_fits_nowhere_is_refused(stage: SampleStage, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        pipeline_stages(STAGE_NAMES, (stage,))
