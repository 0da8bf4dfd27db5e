"""What a stage reads and does not declare would be a wrong hit one day: each stage is traced on a real run."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.core.advisories import AdvisorySource
from pipeline.core.cache_inputs import Inputs
from pipeline.core.ports import Environments
from pipeline.execution.checkout import Checkout
from pipeline.execution.laid_out import lay_out
from pipeline.execution.osv_server import served
from pipeline.settings import Build, Settings
from pipeline.settings_loading import load
from pipeline.stages.audit import AuditStage
from pipeline.stages.build import BuildStage
from pipeline.stages.context import Context
from pipeline.stages.inputs import Declaring
from pipeline.stages.lint import LintStage
from pipeline.stages.scan import ScanStage
from pipeline.stages.secrets import SecretsStage
from pipeline.stages.test import TestStage
from pipeline.testing import FakeEngine
from tests.advisory_exports import jinja_records, write_export
from tests.projects import copy_adopter, git
from tests.support import make_context, real_processes
from tests.traced import looked_at
from tests.unit.stages.build_kit import FakeBases, Trial

STAGES = (LintStage(), ScanStage(), SecretsStage(), AuditStage(), TestStage(), BuildStage())


@dataclass(frozen=True)
class Forgetful(ScanStage):
    """A stage whose declaration lacks what it reads."""

    def inputs(self, context: Context) -> Inputs:
        """All but the Python files, and none of its own settings."""
        return replace(ScanStage().inputs(context), files=("/pyproject.toml",), scripts=False, settings=())


@pytest.fixture(name="context")
def context_fixture(tmp_path: Path, tool_environments: Environments) -> Context:
    """The other project, with files that a tool might look for, and all that its stages need but an engine."""
    project = copy_adopter(tmp_path / "project")
    (project / "tool").write_text("#!/usr/bin/env python3\n'''A script.'''\n", encoding="utf-8")
    (project / "setup.cfg").write_text("[metadata]\n", encoding="utf-8")
    (project / "docs").mkdir()
    (project / "docs/notes.md").write_text("Nothing that a tool reads.\n", encoding="utf-8")
    git(project, "add", "-A")
    trees = tmp_path / "trees"
    trees.mkdir()
    snapshot = Checkout(project, real_processes()).snapshot()
    tree = lay_out(snapshot, project, trees)
    made = make_context(
        tmp_path / "run", tree, _settings(project, tmp_path), processes=real_processes(),
        environments=tool_environments, snapshot=snapshot,
    )  # fmt: skip
    engine = Trial(tmp_path / "image", FakeEngine(built="sha256:" + "1" * 64)).holding().engine

    def advisories(export: Path) -> AbstractContextManager[AdvisorySource]:
        return served(export)

    ports = replace(
        made.ports, engine=lambda: engine, advisories=advisories, bases=FakeBases(), cache=tmp_path / "cache"
    )
    return replace(made, ports=ports)


def _settings(project: Path, folder: Path) -> Settings:
    environ = {
        "PIPELINE_AUDIT_ADVISORIES": str(write_export(folder / "all.zip", *jinja_records("2024-01-01T00:00:00Z")))
    }
    return replace(settings := load(project, environ), build=replace(settings.build, base=Build().base))


# The two that take longest, and are much like others.
LONG = ("audit", "test")


@pytest.mark.parametrize(
    "stage",
    [pytest.param(stage, marks=[pytest.mark.full] if stage.name in LONG else [], id=stage.name) for stage in STAGES],
)
def test_a_stage_looks_at_nothing_that_it_does_not_declare(context: Context, stage: Declaring, tmp_path: Path) -> None:
    seen = looked_at(stage, context, tmp_path / "trace")
    assert not seen.undeclared_files
    assert not seen.undeclared_settings
    # That the trace sees anything at all: what it is about is among it.
    assert seen.files & {"src/units/app.py", "requirements.txt"}


def test_a_missing_declaration_is_noticed(context: Context, tmp_path: Path) -> None:
    seen = looked_at(Forgetful(), context, tmp_path / "trace")
    assert "src/units/app.py" in seen.undeclared_files
    assert "scan.paths" in seen.undeclared_settings
