"""What a run is compared with: who may choose it, what it means, and what is said when a clone does not have it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.against import Choice, Resolved, chosen, resolved, taken
from pipeline.errors import ConfigurationError
from pipeline.execution.checkout import Checkout
from pipeline.execution.processes import LocalProcesses
from pipeline.execution.revisions import Revisions
from pipeline.settings_loading import load
from tests.projects import git, make_project


def choice(folder: Path, table: str = "", option: str | None = None, **environ: str) -> Choice | None:
    """What is chosen under these settings."""
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(f"[tool.pipeline]\n{table}\n", encoding="utf-8")
    return chosen(option, load(folder, environ), environ)


def test_nothing_is_compared_unless_somebody_asks(tmp_path: Path) -> None:
    assert choice(tmp_path) is None
    assert choice(tmp_path, PIPELINE_AGAINST="") is None


def test_the_option_comes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    table = 'against = "file"'
    assert choice(tmp_path, table, "option", PIPELINE_AGAINST="env") == Choice(revision="option", source="--against")
    assert choice(tmp_path, table, PIPELINE_AGAINST="env") == Choice(revision="env", source="PIPELINE_AGAINST")
    assert choice(tmp_path, table) == Choice(revision="file", source="pyproject.toml")
    assert choice(tmp_path, table, PIPELINE_AGAINST="") is None


def test_in_a_pull_request_it_is_the_merge_base_whatever_the_change_s_own_file_says(tmp_path: Path) -> None:
    merge_base = Choice(revision="", source="GITHUB_BASE_REF", base="main")
    assert choice(tmp_path, GITHUB_BASE_REF="main") == merge_base
    assert choice(tmp_path, 'against = "HEAD"', GITHUB_BASE_REF="main") == merge_base
    asked = choice(tmp_path, GITHUB_BASE_REF="main", PIPELINE_AGAINST="v1")
    assert asked == Choice(revision="v1", source="PIPELINE_AGAINST", base="main")


@pytest.mark.parametrize(
    ("arguments", "revision", "others"),
    [
        ((), None, ()),
        (("--against", "main"), "main", ()),
        (("--mood", "good", "--against=v1", "-k"), "v1", ("--mood", "good", "-k")),
    ],
)
def test_the_option_is_taken_out_of_the_arguments(
    arguments: tuple[str, ...], revision: str | None, others: tuple[str, ...]
) -> None:
    assert taken(arguments) == (revision, others)


@pytest.mark.parametrize("arguments", [("--against",), ("--against=",), ("--against", "a", "--against", "b")])
def test_an_option_without_one_value_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="names one revision"):
        taken(arguments)


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    """A branch of two commits off main, which has gone on; ``origin`` has main."""
    project = make_project(tmp_path / "project")
    git(project, "checkout", "-q", "-b", "change")
    for name in ("one", "two"):
        git(project, "commit", "-q", "--allow-empty", "-m", name)
    git(project, "checkout", "-q", "main")
    git(project, "commit", "-q", "--allow-empty", "-m", "gone on")
    git(project, "checkout", "-q", "change")
    git(project, "update-ref", "refs/remotes/origin/main", "main")
    return project


def outcome(folder: Path, **facts: str) -> Resolved:
    """What becomes of a choice."""
    wanted = Choice(**{"revision": "", "source": "test", **facts})
    return resolved(wanted, Revisions(Checkout(folder, LocalProcesses(os.environ))))


def commit(folder: Path, name: str) -> str:
    """What a name means."""
    return git(folder, "rev-parse", name).strip()


def test_a_revision_is_its_commit(project: Path) -> None:
    found = outcome(project, revision="main~1")
    assert found.against.commit == commit(project, "main~1")
    assert found.revision is not None
    assert not found.trouble
    assert found.trusted is None


def test_the_merge_base_and_the_branch_that_is_trusted(project: Path) -> None:
    found = outcome(project, base="main")
    assert found.against.revision == "the merge base with origin/main"
    assert found.against.commit == commit(project, "main~1")
    assert found.trusted is not None
    assert found.trusted.commit == commit(project, "main")


def test_a_change_is_not_compared_with_what_it_brings_itself(project: Path) -> None:
    for name in ("HEAD", "change~1"):
        found = outcome(project, revision=name, base="main")
        assert found.revision is None
        assert "is not a revision of origin/main" in found.trouble
    assert outcome(project, revision="main~1", base="main").revision is not None


def test_an_unknown_revision_of_a_whole_clone_is_a_usage_error(project: Path) -> None:
    with pytest.raises(ConfigurationError, match="no revision 'nowhere'"):
        outcome(project, revision="nowhere")


def test_a_branch_that_was_not_fetched_can_t_be_told(project: Path) -> None:
    found = outcome(project, base="develop")
    assert found.revision is None
    assert "no origin/develop" in found.trouble
    assert "git fetch" in found.trouble


def test_a_shallow_clone_gets_the_advice_to_fetch_more(project: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", "--branch=change", f"file://{project}", "clone")
    clone = tmp_path / "clone"
    for facts in ({"revision": commit(project, "main")}, {"base": "main"}):
        found = outcome(clone, **facts)
        assert found.revision is None
        assert "git fetch --unshallow" in found.trouble
        assert "fetch-depth: 0" in found.trouble
    git(clone, "fetch", "-q", "--depth=1", "origin", "main:refs/remotes/origin/main")
    assert "This shallow clone does not have the merge base" in outcome(clone, base="main").trouble
