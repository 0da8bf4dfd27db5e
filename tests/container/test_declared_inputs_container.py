"""What the stages with an image read and do not declare: each is traced on a real run with a real engine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pipeline.core.containers import ContainerEngine, Ownership
from pipeline.core.stage import StageResult, not_run
from pipeline.execution.advisories import read_debian_export
from pipeline.execution.osv_server import served
from pipeline.images.versions import debian_order
from pipeline.settings import Smoke
from pipeline.stages.build import BuildStage
from pipeline.stages.canary import CanaryStage
from pipeline.stages.context import Context
from pipeline.stages.push import PushStage
from pipeline.stages.smoke import SmokeStage
from tests.advisory_exports import jinja_records, write_export
from tests.container.places import SETTINGS, only, real_context
from tests.container.registry_kit import Bench, build_service, real_engine
from tests.traced import Looked, looked_at

pytestmark = pytest.mark.container

# Files that a tool might look for, and one that none does.
MORE = {
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-q'\n",
    "conftest.py": "",
    "docs/notes.md": "Nothing that a tool reads.\n",
    "service/openapi.json": '{"openapi": "3.0.0", "info": {"title": "t", "version": "1"}, "paths": {"/": {"get": '
    '{"responses": {"200": {"description": "It answers."}}}}}}',
}


@pytest.fixture(name="engine", scope="module")
def engine_fixture() -> Iterator[ContainerEngine]:
    with real_engine() as engine:
        yield engine


def own_context(folder: Path, engine: ContainerEngine, results: Mapping[str, StageResult]) -> Context:
    """A context whose containers no other run of the tests takes for what it left behind."""
    context = real_context(folder, engine, MORE, results)
    ownership = Ownership(checkout=f"declared-inputs-{os.getpid()}", run="1")
    return replace(context, ports=replace(context.ports, ownership=ownership))


def built(folder: Path, engine: ContainerEngine) -> Mapping[str, StageResult]:
    """The image, as its stage left it."""
    made = BuildStage().run(real_context(folder / "built", engine, MORE))
    return {"build": replace(not_run("build", "A sample."), metrics=made.metrics)}


def nothing_undeclared(seen: Looked, about: str) -> None:
    assert not seen.undeclared_files
    assert not seen.undeclared_settings
    # That the trace sees anything at all.
    assert about in {*seen.files, *seen.settings}


def test_build_looks_at_nothing_that_it_does_not_declare(engine: ContainerEngine, tmp_path: Path) -> None:
    debian = write_export(tmp_path / "debian.zip", *jinja_records("2024-01-01T00:00:00Z"))
    context = real_context(tmp_path / "build", engine, MORE)
    build = replace(SETTINGS.build, debian_advisories=str(debian), licences=("MIT",))
    audit = replace(SETTINGS.audit, advisories=str(debian), max_age_days=36500)
    read = partial(read_debian_export, order=debian_order)
    ports = replace(context.ports, advisories=served, debian_advisories=read)
    context = replace(context, settings=replace(SETTINGS, build=build, audit=audit), ports=ports)
    nothing_undeclared(looked_at(BuildStage(), context, tmp_path / "trace"), "service/app.py")


@pytest.mark.parametrize("told", [SETTINGS.smoke, only("operations", openapi="service/openapi.json").smoke])
def test_smoke_looks_at_nothing_that_it_does_not_declare(engine: ContainerEngine, tmp_path: Path, told: Smoke) -> None:
    context = own_context(tmp_path / "smoke", engine, built(tmp_path, engine))
    context = replace(context, settings=replace(SETTINGS, smoke=told))
    nothing_undeclared(looked_at(SmokeStage(), context, tmp_path / "trace"), "service/tests/test_live.py")


def test_push_and_canary_look_at_nothing_that_they_do_not_declare(engine: ContainerEngine, tmp_path: Path) -> None:
    bench = Bench(engine=engine, folder=tmp_path)
    try:
        image = build_service(engine, tmp_path, "declared")
        context = bench.context(image)
        nothing_undeclared(looked_at(PushStage(needs=("build",)), context, tmp_path / "pushed"), "push.repository")
        context = without(bench.context(image), "canary")
        nothing_undeclared(looked_at(CanaryStage(), context, tmp_path / "compared"), "canary.requests")
    finally:
        bench.close()


def without(context: Context, name: str) -> Context:
    """The context of a run that has not come to the stage yet."""
    return replace(context, results={stage: result for stage, result in context.results.items() if stage != name})
