"""``pipeline run``: stages and what they need, as many at once as there are cores, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline import interrupts
from pipeline.core.verdict import EXIT_CODES, worst
from pipeline.errors import ConfigurationError
from pipeline.execution.cores import usable_cores
from pipeline.live import is_live, live_stages
from pipeline.run import Run
from pipeline.scheduling import Scheduler
from pipeline.settings_values import nearest
from pipeline.stages import registry
from pipeline.stages.context import Stage
from pipeline.workplace import Workplace


def carry_out(
    place: Workplace, run_id: str, extra: Sequence[Stage], selected: Sequence[str], arguments: tuple[str, ...]
) -> int:
    """Run the ``selected`` stages (none: all of them) and return the exit code that they decide.

    Raises:
        ConfigurationError: there is no such stage, or something makes the run impossible.
        KeyboardInterrupt: the report says so.
    """
    required = place.settings.project.required
    stages = registry.pipeline_stages(required, extra)
    if is_live(arguments):
        stages = live_stages(stages)
    names = tuple(stage.name for stage in stages)
    for name in selected:
        if name not in names:
            raise ConfigurationError(f"There is no stage {name!r}{nearest(name, names)}.")
    asked = tuple(selected) or names
    interrupts.as_keyboard_interrupt()
    run = Run(place, stages, run_id)
    with interrupts.noted(to_the_end=True) as requests:
        with requests.raised():
            planned = run.begin(asked)
        try:
            jobs = place.settings.run.jobs or usable_cores()
            Scheduler(run, place, requests, arguments).carry_out(planned, frozenset(asked), jobs)
        finally:
            run.close()
    statuses = {result.name: result.status for result in run.report().results}
    return EXIT_CODES[worst(statuses[name] for name in (*run.always, *(selected or required)))]


def each(run: Run, planned: tuple[str, ...], asked: frozenset[str], arguments: tuple[str, ...]) -> None:
    """Run the planned stages one after the other in this process.

    A needed stage that nobody asked for is reused where it can be.

    Raises:
        KeyboardInterrupt: after the report has said so of every stage that was left.
    """
    try:
        for name in planned:
            run.stage(name, reuse=name not in asked, arguments=arguments)
    except KeyboardInterrupt:
        run.interrupt(planned)
        raise
