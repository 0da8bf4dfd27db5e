"""What a start loads: the libraries that take long are loaded by what needs them, and not by every command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.settings import STAGE_NAMES
from pipeline.stages.declared import whole
from pipeline.stages.registry import pipeline_stages
from pipeline.stages.secrets_declared import DeclaredSecrets

ROOT = Path(__file__).parents[2]
# For the container engine, registries, signatures, terminals, bills of materials and Nox.
HEAVY = frozenset(
    {
        "asyncio", "charset_normalizer", "cryptography", "cyclonedx", "docker", "jinja2", "multiprocessing", "nox",
        "requests", "rich", "urllib3", "uv", "xml.etree",
    }
)  # fmt: skip
OF_REPORTS = frozenset({"lxml", "msgspec", "packaging", "cvss", "email"})


def loaded(code: str) -> set[str]:
    """The modules that are there after ``code``, in an interpreter of its own."""
    command = (sys.executable, "-c", f"import sys; {code}; print(*sys.modules)")
    return set(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split())


def heavy(code: str, names: frozenset[str]) -> set[str]:
    return loaded(code) & names


def test_the_package_itself_loads_nothing_of_ours_and_nothing_heavy() -> None:
    found = loaded("import pipeline")
    assert {name for name in found if name.startswith("pipeline.")} == set()
    assert not found & (HEAVY | OF_REPORTS)


def test_the_command_line_loads_neither_stages_nor_settings_before_a_command_is_known() -> None:
    found = loaded("import pipeline.cli")
    assert not found & (HEAVY | OF_REPORTS)
    assert not {name for name in found if name.startswith(("pipeline.stages", "pipeline.run", "pipeline.workplace"))}


@pytest.mark.parametrize("module", ["workplace", "stages.registry", "run", "run_command", "reporters"])
def test_what_every_run_loads_is_free_of_what_only_some_stages_need(module: str) -> None:
    assert heavy(f"import pipeline.{module}", HEAVY) == set()


OF_WORK = frozenset(
    {
        *(f"pipeline.stages.{name}" for name in ("build", "smoke", "canary", "push", "image_checks", "hardening")),
        *(f"pipeline.stages.{name}" for name in ("lint", "scan", "secrets", "audit", "test", "restraints")),
        *(f"pipeline.stages.{name}" for name in ("canary_comparison", "smoke_stories", "push_signing")),
        *(f"pipeline.tools.{name}" for name in ("pylint", "ruff", "bandit", "secret_scanner", "pip_audit", "pytest")),
        "pipeline.core.lock", "pipeline.core.advisories", "packaging.utils", "packaging.markers",
        "pipeline.attestation.signing", "pipeline.engines.docker_engine", "pipeline.reporters.cyclonedx_bill",
    }
)  # fmt: skip


@pytest.mark.parametrize("module", ["run_command", "why_command", "nox_sessions", "engine_opening"])
def test_no_start_loads_the_work_of_the_stages_that_declare_themselves_apart(module: str) -> None:
    assert heavy(f"import pipeline.{module}, pipeline.stages.registry", OF_WORK) == set()


MOST = 185
"""Modules of ours that a run needs before it knows that nothing has changed; each is a third to a whole millisecond."""


def test_a_run_loads_no_more_of_ours_than_it_did() -> None:
    found = {name for name in loaded("import pipeline.run_command, pipeline.cli") if name.startswith("pipeline")}
    assert len(found) <= MOST, "load by importlib.import_module, or under TYPE_CHECKING, what not every run uses"


@pytest.mark.parametrize("place", [f"{name}:{name.title()}Stage" for name in STAGE_NAMES])
def test_the_work_of_such_a_stage_is_found_and_has_what_was_declared(place: str) -> None:
    (declared,) = (stage for stage in pipeline_stages(("lint", "test")) if place.startswith(f"{stage.name}:"))
    stage = whole(declared, f"pipeline.stages.{place}")
    assert f"{type(stage).__module__}:{type(stage).__name__}" == f"pipeline.stages.{place}"
    assert (stage.name, stage.needs, stage.tags, stage.summary) == (
        declared.name, declared.needs, declared.tags, declared.summary,
    )  # fmt: skip
    assert "run" in vars(type(stage)) and isinstance(stage, type(declared))


def test_a_planted_import_is_seen() -> None:
    assert heavy("import requests", HEAVY) >= {"requests", "urllib3"}


def test_what_secrets_has_searched_once_is_shared_with_its_work() -> None:
    (declared,) = (stage for stage in pipeline_stages() if isinstance(stage, DeclaredSecrets))
    work = whole(declared, "pipeline.stages.secrets:SecretsStage")
    assert isinstance(work, DeclaredSecrets) and work.searched is declared.searched
