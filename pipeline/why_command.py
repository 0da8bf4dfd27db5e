"""``pipeline why``: what a run would do with a stage's kept result, and for which reason. It runs nothing.

A container engine or a registry is asked where a run would ask it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.against import resolved
from pipeline.cached_results import CachedResults, Lookup, why_fresh
from pipeline.console_plain import tell
from pipeline.core.plan import Step, ordered
from pipeline.core.stage import StageResult
from pipeline.errors import ConfigurationError
from pipeline.execution.revisions import Revisions
from pipeline.settings_values import nearest
from pipeline.stages.context import Context, Stage
from pipeline.stages.registry import pipeline_stages
from pipeline.workplace import Workplace

ANSWERED, RESTS_ON_NOTHING = 0, 3


def carry_out(place: Workplace, extra: Sequence[Stage], name: str, *, hit: bool) -> int:
    """Print why the stage ``name`` would or would not run; with ``hit`` what its kept result rests on.

    Returns 0 when the question is answered, and 3 when there is no result to tell more of.

    Raises:
        ConfigurationError: there is no such stage, or no run would be possible.
    """
    stages = {stage.name: stage for stage in pipeline_stages(place.settings.project.required, extra)}
    if name not in stages:
        raise ConfigurationError(f"There is no stage {name!r}{nearest(name, tuple(stages))}.")
    try:
        found, missing = _looked_up(place, stages, name)
        lines = _hit(name, found) if hit else [_answer(name, found, missing, why_fresh(place))]
    finally:
        place.close()
    for line in lines:
        tell(sys.stdout, place.redact(line))
    return RESTS_ON_NOTHING if hit and found.result is None else ANSWERED


def _looked_up(place: Workplace, stages: dict[str, Stage], name: str) -> tuple[Lookup, str]:
    """What a run would find for the stage, and what of its needs would run, as a sentence (empty: nothing)."""
    snapshot = place.checkout.snapshot()
    against = resolved(place.choice, Revisions(place.checkout)).against if place.choice is not None else None
    record = place.record("why", snapshot, tuple(stages), against)
    kept = CachedResults(place)
    results: dict[str, StageResult] = {}
    missing = ""
    steps = [Step(name=stage.name, needs=stage.needs) for stage in stages.values()]
    found = Lookup()
    for wanted in ordered(steps, (name,)):
        stage = stages[wanted]
        stage.check_settings(place.settings, snapshot)
        # The files as they lie in the checkout are those of the snapshot, which was taken just now.
        context: Context = place.context(
            wanted, snapshot, place.root, scratch=place.scratch, results=dict(results), arguments=()
        )
        found = kept.look_up(stage, context, record)
        if found.result is not None:
            results[wanted] = found.result
        elif wanted != name and not missing:
            missing = f"It needs {wanted}, which would run. {found.reason}"
    return found, missing


def _answer(name: str, found: Lookup, missing: str, fresh: str) -> str:
    if fresh:
        return f"{name} would run: {fresh}"
    if missing:
        return f"What {name} would do is not known yet. {missing}"
    if found.result is None:
        return f"{name} would run. {found.reason}"
    return f"{name} would not run: its result of {found.result.started} stands, since nothing that it rests on changed."


def _hit(name: str, found: Lookup) -> list[str]:
    result, kept, manifest = found.result, found.kept, found.manifest
    if result is None or kept is None or manifest is None:
        return [f"{name} has no kept result to rest on. {found.reason}"]
    return [
        f"{name}: {result.status} of {result.started}, after {result.duration_s:.1f} s, kept by run {kept.run}.",
        f"It rests on {manifest.summary}: {kept.key}.",
    ]
