"""Earlier revisions, with the real git: which commit a name means, and its content as a checkout would write it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.core.snapshot import Kind
from pipeline.errors import StorageTrouble, ToolTrouble
from pipeline.execution.checkout import Checkout
from pipeline.execution.processes import LocalProcesses
from pipeline.execution.revisions import Revision, Revisions
from tests.projects import git, make_project


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    """Two commits; the first has a link, a program, a name that is not ASCII, and a file that archives leave out."""
    project = tmp_path / "a project"
    make_project(
        project, files={"größe/naïve.py": "x = 1\n", "left out.txt": "x\n", ".gitattributes": "*.txt export-ignore\n"}
    )
    (project / "run").write_text("#!/bin/sh\n", encoding="utf-8")
    (project / "run").chmod(0o755)
    os.symlink("run", project / "link")
    git(project, "add", "-A")
    git(project, "commit", "-q", "--amend", "-m", "first")
    (project / "service/app.py").write_text('"""Changed."""\n', encoding="utf-8")
    git(project, "rm", "-q", "link")
    git(project, "commit", "-q", "-a", "-m", "second")
    return project


def revisions(folder: Path) -> Revisions:
    """The revisions of a checkout."""
    return Revisions(Checkout(folder, LocalProcesses(os.environ)))


def found(folder: Path, name: str) -> Revision:
    """One that is there."""
    revision = revisions(folder).find(name)
    assert revision is not None
    return revision


def test_a_name_means_a_commit(project: Path) -> None:
    head = git(project, "rev-parse", "HEAD").strip()
    assert found(project, "main").commit == found(project, head[:10]).commit == head
    assert found(project, "HEAD~1").content != found(project, "HEAD").content
    for name in ("nowhere", "--help", "-q", "HEAD:service/app.py", ""):
        assert revisions(project).find(name) is None


def test_the_content_is_laid_out_as_it_was(project: Path, tmp_path: Path) -> None:
    before = git(project, "status", "--porcelain")
    snapshot, tree = revisions(project).lay_out(found(project, "HEAD~1"), tmp_path / "there")
    kinds = {entry.path: entry.kind for entry in snapshot.entries}
    assert kinds["run"] is Kind.EXECUTABLE
    assert kinds["link"] is Kind.LINK
    assert {"größe/naïve.py", "left out.txt"} <= kinds.keys()
    assert (tree / "service/app.py").read_text(encoding="utf-8") == '"""A service."""\n'
    assert snapshot.commit == found(project, "HEAD~1").commit
    assert not snapshot.dirty
    assert git(project, "status", "--porcelain") == before, "the checkout's own index is left alone"


def test_the_same_content_has_the_same_snapshot_as_a_checkout(project: Path, tmp_path: Path) -> None:
    snapshot, _ = revisions(project).lay_out(found(project, "HEAD"), tmp_path / "there")
    assert snapshot.digest == Checkout(project, LocalProcesses(os.environ)).snapshot().digest


def test_a_project_in_a_folder_of_its_repository(tmp_path: Path) -> None:
    project = make_project(tmp_path / "whole", files={"part/pyproject.toml": "", "part/a.py": "a = 1\n"}) / "part"
    snapshot, tree = revisions(project).lay_out(found(project, "HEAD"), tmp_path / "there")
    assert [entry.path for entry in snapshot.entries] == ["a.py", "pyproject.toml"]
    assert (tree / "a.py").exists()
    assert revisions(project).text(found(project, "HEAD"), "a.py") == "a = 1\n"


def test_a_submodule_is_its_commit(project: Path, tmp_path: Path) -> None:
    commit = git(project, "rev-parse", "HEAD").strip()
    git(project, "update-index", "--add", "--cacheinfo", f"160000,{commit},vendored")
    git(project, "commit", "-q", "-m", "third")
    snapshot, _ = revisions(project).lay_out(found(project, "HEAD"), tmp_path / "there")
    assert snapshot.by_path["vendored"].kind is Kind.SUBMODULE
    assert snapshot.by_path["vendored"].digest == commit


def test_files_and_their_texts(project: Path) -> None:
    first = found(project, "HEAD~1")
    assert "service/app.py" in revisions(project).files(first)
    assert revisions(project).text(first, "service/app.py") == '"""A service."""\n'
    with pytest.raises(ToolTrouble, match="git cat-file failed"):
        revisions(project).text(first, "nowhere.py")


def test_history(project: Path) -> None:
    git(project, "checkout", "-q", "-b", "side", "HEAD~1")
    git(project, "commit", "-q", "--allow-empty", "-m", "aside")
    one = revisions(project)
    assert one.merge_base("HEAD", "main") == found(project, "main~1").commit
    assert one.holds("main", "main~1")
    assert not one.holds("main", "side")
    assert one.merge_base("HEAD", "nowhere") == ""


def test_a_shallow_clone_says_so_and_lacks_what_was_left_behind(project: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{project}", "clone")
    clone = revisions(tmp_path / "clone")
    assert clone.is_shallow
    assert not revisions(project).is_shallow
    assert clone.find("HEAD") is not None
    assert clone.find(found(project, "HEAD~1").commit) is None


def test_what_git_can_t_write_is_trouble(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolTrouble, match="git read-tree failed"):
        revisions(project).lay_out(Revision(commit="HEAD", content="0" * 40), tmp_path / "one")

    def _denied(root: Path, path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("pipeline.execution.revisions.entry_at", _denied)
    with pytest.raises(StorageTrouble, match="Permission denied"):
        revisions(project).lay_out(found(project, "HEAD"), tmp_path / "two")
