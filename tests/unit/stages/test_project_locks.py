"""The project's environment is made from its own locks as the snapshot has them, and a lock that is missing is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.ports import Request, ToolEnvironment
from pipeline.errors import ConfigurationError, ToolTrouble
from pipeline.settings import Settings
from pipeline.settings import Test as TestSettings
from pipeline.stages.context import Context, packaged_lock
from pipeline.stages.project_locks import project_environment
from pipeline.testing import ScriptedRunner, outcome
from tests.support import FakeEnvironments, make_context, write_files

LOCKS = ("service/requirements.txt", "service/requirements-test.txt")


class _Recording(FakeEnvironments):
    """Environments on paper that remember their locks."""

    def ensure(self, title: str, locks: Sequence[Path]) -> ToolEnvironment:
        """Remember them among what was wanted."""
        self.wanted.extend(map(str, locks))
        return FakeEnvironments.ensure(self, title, locks)


def _context(
    folder: Path, *files: str, explicit: bool = False, locks: tuple[str, ...] = LOCKS
) -> tuple[Context, list[str]]:
    tree = write_files(folder / "tree", {name: "" for name in ("service/app.py", *files)})
    settings = replace(
        Settings(),
        test=TestSettings(requirements=locks),
        sources={"test.requirements": "pyproject.toml" if explicit else "default"},
    )
    environments = _Recording()
    return make_context(folder, tree, settings, environments=environments), environments.wanted


def test_both_locks_are_taken_from_the_snapshots_tree(tmp_path: Path) -> None:
    context, wanted = _context(tmp_path, *LOCKS)
    assert project_environment(context).root.name == "project"
    assert wanted == [*(str(context.tree / name) for name in LOCKS), "project"]


def test_without_a_lock_for_tests_the_packages_own_is_added(tmp_path: Path) -> None:
    context, wanted = _context(tmp_path, LOCKS[0])
    project_environment(context)
    assert wanted[:2] == [str(context.tree / LOCKS[0]), str(packaged_lock("test"))]
    assert packaged_lock("test").exists()


def test_a_missing_lock_is_said_with_the_command_that_makes_it(tmp_path: Path) -> None:
    context, _ = _context(tmp_path, LOCKS[1])
    with pytest.raises(ConfigurationError, match=r"service/requirements\.txt does not exist") as caught:
        project_environment(context)
    assert "uv pip compile --generate-hashes" in caught.value.advice


def test_a_lock_that_is_configured_must_be_there(tmp_path: Path) -> None:
    context, _ = _context(tmp_path, LOCKS[0], explicit=True)
    with pytest.raises(ConfigurationError, match=r"test\.requirements names 'service/requirements-test\.txt'"):
        project_environment(context)


def test_a_lock_that_is_ignored_by_git_does_not_count(tmp_path: Path) -> None:
    context, _ = _context(tmp_path, LOCKS[1])
    (context.tree / LOCKS[0]).touch()
    with pytest.raises(ConfigurationError, match="does not exist"):
        project_environment(context)


def test_what_a_stage_keeps_is_redacted_and_its_folders_are_made(tmp_path: Path) -> None:
    context, _ = _context(tmp_path)
    context.ports.redact.also("very-" + "hidden")
    path = context.keep("deep/er/x.json", "a very-hidden \ud800 text")
    assert path.read_text(encoding="utf-8") == "a [secret] \\ud800 text"


def test_a_process_that_exceeds_its_time_is_trouble_with_a_remedy(tmp_path: Path) -> None:
    context, _ = _context(tmp_path)
    ports = replace(context.ports, processes=ScriptedRunner([outcome(0, timed_out=True), outcome(1)]))
    context = replace(context, ports=ports)
    request = Request(argv=("/somewhere/pylint",), cwd=tmp_path, timeout_s=5)
    with pytest.raises(ToolTrouble, match="pylint was stopped after 5 seconds") as caught:
        context.run(request)
    assert "timeout_s" in caught.value.advice
    assert context.run(request).exit_code == 1
