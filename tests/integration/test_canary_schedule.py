"""The template of a scheduled canary, in the hands of the tools that would read it as a workflow."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.integration.test_workflow_tools import program

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "docs" / "canary-schedule.yml"


@pytest.fixture(name="installed")
def installed_fixture(tmp_path: Path) -> Path:
    """The template where it is to be copied to."""
    workflow = tmp_path / ".github" / "workflows" / "canary.yml"
    workflow.parent.mkdir(parents=True)
    shutil.copy(TEMPLATE, workflow)
    return workflow


def test_zizmor_finds_nothing_even_when_pedantic(installed: Path) -> None:
    command = [program("zizmor"), "--offline", "--persona=pedantic", "--format=json", str(installed)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and json.loads(ran.stdout) == [], ran.stdout + ran.stderr


def test_it_is_valid_to_the_published_schema(installed: Path) -> None:
    command = [program("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", str(installed)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_runs_on_a_schedule_with_the_command_that_a_person_would_type_and_the_same_actions() -> None:
    document = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    # YAML 1.1 takes the key "on" for a truth value.
    assert "schedule" in document[True]
    steps = document["jobs"]["canary"]["steps"]
    assert any(step.get("run") == './noxw run canary -- --url "$CANARY_URL"' for step in steps)
    ours = (ROOT / ".github" / "workflows" / "pipeline.yml").read_text(encoding="utf-8")
    pinned = re.findall(r"uses: (\S+@[0-9a-f]{40})", TEMPLATE.read_text(encoding="utf-8"))
    assert {name for name in pinned if not name.startswith("actions/cache/")} <= set(re.findall(r"uses: (\S+)", ours))


def test_it_does_not_run_by_itself_here() -> None:
    assert not list((ROOT / ".github").rglob("canary*"))
