"""Every trap is tried for real: the naive command looks green, and ours does not. The honest projects are green.

A few traps need a container engine (marker ``container``); those that are much like another one are in the long dose.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.against import POLICY
from pipeline.base_images import LockedBases
from pipeline.core.bases import RUNTIME_ARGUMENT
from pipeline.core.stage import Status
from pipeline.engine_opening import open_engine
from pipeline.settings import STAGE_NAMES, Engine
from pipeline.testing import SilentProgress
from tests.support import real_processes
from tests.traps.collection import Honest, Project, Trap, honest_projects, traps
from tests.traps.scenarios import ROOT, SCENARIOS
from tests.traps.table import PLACE, render
from tests.traps.workshop import Workshop

TRAPS, HONEST = traps(), honest_projects()
CACHE = Path(os.environ.get("TEST_PACKAGE_CACHE", ROOT / ".pipeline" / "cache"))


def parameter(project: Project) -> object:
    """The project as a parameter, with its marks."""
    marks = [pytest.mark.full] * project.full + [pytest.mark.container] * project.container
    return pytest.param(project, id=project.name, marks=marks)


@pytest.fixture(name="workshop", scope="module")
def workshop_fixture(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """One for all, so that the tools' environments are made once."""
    return Workshop(tmp_path_factory.mktemp("traps"))


@pytest.fixture(name="runtime", scope="module")
def runtime_fixture() -> Iterator[str]:
    """The runtime base in the engine; the images that traps built are removed in the end."""
    engine = open_engine(Engine(), os.environ, real_processes(), SilentProgress())
    yield LockedBases(CACHE, mirror="").ensure(engine, SilentProgress()).arguments[RUNTIME_ARGUMENT]
    engine.close()
    for found in ("label=pipeline.test=traps", "reference=pipeline-trap"):
        listing = ("docker", "images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", "--filter", found)
        for line in subprocess.run(listing, check=True, capture_output=True, text=True).stdout.splitlines():
            name, identity = line.split()
            # By its name, where it has one: the runtime base is only tagged by a trap, and others use it.
            subprocess.run(("docker", "rmi", identity if "<none>" in name else name), check=False, capture_output=True)


@pytest.fixture(name="placeholders")
def placeholders_fixture(request: pytest.FixtureRequest, workshop: Workshop) -> dict[str, str]:
    """What only traps about containers need."""
    if request.node.get_closest_marker("container") is None:
        return {}
    runtime: str = request.getfixturevalue("runtime")
    cache = workshop.project / ".pipeline" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for kept in CACHE.iterdir():
        # What is kept of earlier revisions is the trap's own: one of them spoils it.
        if kept.name != "against" and not (cache / kept.name).exists():
            (cache / kept.name).symlink_to(kept)
    return {"runtime": runtime, "python": sys.executable}


def answers(host: str) -> bool:
    """Whether a server can be reached there."""
    try:
        with socket.create_connection((host, 443), timeout=5):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("trap", [parameter(trap) for trap in TRAPS])
def test_the_naive_command_looks_green_and_ours_does_not(
    workshop: Workshop, trap: Trap, placeholders: dict[str, str], tmp_path: Path
) -> None:
    if trap.needs and not answers(trap.needs):
        pytest.skip(f"{trap.needs} does not answer here, and the trap is about what it says.")
    workshop.put(trap)
    assert workshop.try_naive(trap, tmp_path, placeholders) == trap.naive_exit
    status, reasons = SCENARIOS[trap.scenario](workshop, trap, tmp_path)
    assert status != "pass"
    assert (status, trap.reason in reasons) == (trap.status, True), reasons


@pytest.mark.parametrize("project", [parameter(project) for project in HONEST])
def test_an_honest_project_is_green(workshop: Workshop, project: Honest) -> None:
    workshop.put(project)
    results = workshop.try_ours(project, *project.stages)
    assert {name: result.reasons for name, result in results.items() if result.status is not Status.PASS} == {}
    assert set(results) == set(project.stages)


def test_the_collection_is_as_large_as_it_must_be_and_every_stage_with_a_tool_has_traps() -> None:
    assert len(TRAPS) >= 45
    assert len(HONEST) >= 15
    assert {trap.stage for trap in TRAPS} == {*STAGE_NAMES, POLICY}
    assert {trap.name.partition("-")[0] for trap in TRAPS} == {trap.stage for trap in TRAPS}
    assert all(trap.name.startswith(f"{trap.stage}-") for trap in TRAPS)


def test_the_table_in_the_documentation_is_what_the_collection_says() -> None:
    assert PLACE.read_text(encoding="utf-8") == render(TRAPS, HONEST), "run: python -m tests.traps.table"
