"""The names that ``pipeline`` promises: these and no others, each loaded only when it is used."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline
from pipeline.errors import PipelineError

ROOT = Path(__file__).resolve().parents[2]

# Written out once more on purpose: a name goes or comes only when somebody decides so here as well.
CONTRACT = {"Context", "Examination", "Settings", "Snapshot", "Stage", "StageResult", "Status", "Tool"}
EVIDENCE = {"Control", "Evidence", "NotChecked"}
GATES = {"Gate", "ceiling_gate", "check_gate", "count_gate", "findings_gate", "floor_gate"}
FINDINGS = {"Confidence", "Finding", "Severity", "weighed"}
PROCESSES = {"Outcome", "Request"}
ERRORS = {
    *("ConfigurationError", "CouldNotTell", "EngineTrouble", "EnvironmentTrouble", "FetchTrouble", "PipelineError"),
    *("RegistryTrouble", "StorageTrouble", "TargetFault", "ToolTrouble"),
}
PUBLIC = CONTRACT | EVIDENCE | GATES | FINDINGS | PROCESSES | ERRORS

COLD = "import sys; before = set(sys.modules); import pipeline; print(*sorted(set(sys.modules) - before))"


@pytest.fixture
def unloaded() -> Iterator[None]:
    """The package as it is before anybody has used a name of it."""
    kept = {name: vars(pipeline).pop(name) for name in PUBLIC if name in vars(pipeline)}
    yield
    vars(pipeline).update(kept)


def test_the_public_names_are_these_and_no_others() -> None:
    assert set(pipeline.__all__) == PUBLIC
    assert len(pipeline.__all__) == len(PUBLIC)


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_name_is_the_object_that_its_home_defines(name: str) -> None:
    value = getattr(pipeline, name)
    assert value.__name__ == name
    assert getattr(importlib.import_module(value.__module__), name) is value
    assert vars(pipeline)[name] is value


def test_every_error_of_the_tree_is_public() -> None:
    defined = {
        name
        for name, value in vars(importlib.import_module(PipelineError.__module__)).items()
        if isinstance(value, type) and issubclass(value, PipelineError)
    }
    assert defined == ERRORS


def test_an_unknown_name_is_an_attribute_error_and_tells_no_other_story() -> None:
    with pytest.raises(AttributeError, match="module 'pipeline' has no attribute 'Stag'"):
        _ = pipeline.Stag
    assert not hasattr(pipeline, "__path_of_nothing__")


def test_dir_lists_the_public_names() -> None:
    assert set(dir(pipeline)) >= PUBLIC
    assert "__doc__" in dir(pipeline)


def test_importing_the_package_loads_nothing_but_the_machinery_of_importing() -> None:
    ran = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {COLD}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(ran.stdout.split())
    assert "pipeline" in loaded
    assert not {name for name in loaded if name.startswith("pipeline.")}
    assert not loaded & {"nox", "docker", "requests", "lxml", "msgspec", "uv", "asyncio", "dataclasses"}
