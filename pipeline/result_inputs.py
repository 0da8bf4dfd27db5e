"""The inputs of a stage as they are now, of every kind, as one manifest: what its kept result is looked up by."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import packaging

from pipeline.core.cache_inputs import Inputs, LeadsOut, files_of
from pipeline.core.input_manifest import (
    CODE,
    ENGINE,
    FACTS,
    FILES,
    JUDGED,
    LOCKS,
    OUTSIDE,
    PYTHON,
    SETTINGS,
    UPSTREAM,
    VARIABLES,
    Manifest,
)
from pipeline.core.run_record import RunRecord
from pipeline.core.stage import StageResult
from pipeline.core.waiver import WARNING_DAYS
from pipeline.execution.files import sha256_of
from pipeline.execution.identities import distributions, machine, package_digest, pythons
from pipeline.reporters import json_report
from pipeline.settings import Settings
from pipeline.settings_loading import policy
from pipeline.stages.context import Context, Stage, packaged_lock
from pipeline.stages.inputs import Declaring

PACKAGE = Path(__file__).parent
_OF_ENGINE = ("DOCKER_HOST", "DOCKER_CONTEXT")


def manifest_of(
    stage: Declaring, context: Context, record: RunRecord, environ: Mapping[str, str]
) -> tuple[Manifest | None, str]:
    """The manifest; or none and, as a full sentence, why the stage's result can't be used again."""
    return declared_by(stage, context, record, environ)[1:]


def declared_by(
    stage: Declaring, context: Context, record: RunRecord, environ: Mapping[str, str]
) -> tuple[Inputs | None, Manifest | None, str]:
    """What the stage declares, which may have asked git, and the manifest of it; or why there is none.

    The files are those of the snapshot, whose digests were taken before anything ran.
    """
    inputs = None
    try:
        inputs = stage.inputs(context)
        if inputs.why_not:
            return inputs, None, inputs.why_not
        parts = {
            FILES: files_of(context.snapshot, inputs, lambda path: os.readlink(context.tree / path)),
            SETTINGS: _settings(context.settings, inputs.settings),
            VARIABLES: {name: environ.get(name, "") for name in inputs.variables},
            LOCKS: {name: sha256_of(packaged_lock(name)) for name in inputs.locks},
            PYTHON: _python(context, inputs, environ),
            OUTSIDE: {name: sha256_of(Path(path)) for name, path in inputs.outside.items()},
            UPSTREAM: _upstream(context.results, inputs),
            JUDGED: _waivers(record, stage.name) if inputs.judged else {},
            FACTS: _facts(record, inputs),
            ENGINE: _engine(context, environ) if inputs.engine else {},
            CODE: _code(stage),
        }
    except LeadsOut as error:
        return inputs, None, str(error)
    except OSError as error:
        return inputs, None, f"{error.filename} can't be read: {error.strerror or error}."
    return inputs, Manifest(stage=stage.name, parts=parts), ""


def _engine(context: Context, environ: Mapping[str, str]) -> dict[str, str]:
    """Which engine is meant; what it is, is asked where a result is found."""
    return {"engine.host": context.settings.engine.host, **{name: environ.get(name, "") for name in _OF_ENGINE}}


def _settings(settings: Settings, wanted: Iterable[str]) -> dict[str, str]:
    """The values of the wanted sections and keys, each as JSON writes it."""
    values = policy(settings)
    names = [n for n in values if any(n == name or n.startswith(f"{name}.") for name in wanted)]
    return {name: json.dumps(values[name], sort_keys=True) for name in sorted(names)}


def _python(context: Context, inputs: Inputs, environ: Mapping[str, str]) -> dict[str, str]:
    known = {
        "running": f"{sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}",
        "machine": machine(),
    }
    return {**known, "programs": pythons(context.settings.project.python, environ)} if inputs.python else known


def _upstream(results: Mapping[str, StageResult], inputs: Inputs) -> dict[str, str]:
    found = {}
    for name in inputs.results:
        result = results.get(name)
        # What a cached result has of its own says nothing of what was found.
        same = replace(result, snapshot="", policy="", command="", cached=False, reused="") if result else None
        found[f"the result of {name}"] = json_report.digest(json_report.render_stage(same)) if same else "none"
    for wanted in inputs.metrics:
        name, _, metric = wanted.partition(".")
        found[wanted] = str(results[name].metrics.get(metric)) if name in results else "none"
    return found


def _waivers(record: RunRecord, stage: str) -> dict[str, str]:
    """The waivers that may meet the stage's findings, and how they stand today."""
    found = {}
    for waiver in record.waivers:
        if not waiver.stages or stage in waiver.stages:
            left = waiver.days_left(record.day)
            standing = "expired" if left < 0 else "ends soon" if left <= WARNING_DAYS else "in force"
            found[f"{waiver.title} ({waiver.place})"] = f"{standing} {waiver.demand()}"
    return found


def _facts(record: RunRecord, inputs: Inputs) -> dict[str, str]:
    against = record.against
    if not inputs.compared or against is None:
        return dict(inputs.facts)
    return {**inputs.facts, "the revision that the run is compared with": f"{against.revision} {against.commit}"}


def _code(stage: Stage) -> dict[str, str]:
    found = {
        "the code of the pipeline": package_digest(PACKAGE),
        "the packages that the pipeline runs with": distributions(Path(packaging.__file__)),
    }
    module = type(stage).__module__
    if not module.startswith(f"{__package__}."):
        file = getattr(sys.modules.get(module), "__file__", None)
        found["the code of the stage"] = sha256_of(Path(file)) if file else "unknown"
    return found
