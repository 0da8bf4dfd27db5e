"""The snapshot of real git repositories: every file that counts, by whatever name, and none that does not."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from pipeline.core.ports import Request
from pipeline.core.snapshot import Kind, Snapshot
from pipeline.errors import ConfigurationError, StorageTrouble, ToolTrouble
from pipeline.execution.checkout import Checkout
from pipeline.execution.processes import LocalProcesses
from pipeline.testing import ScriptedRunner, outcome
from tests.projects import git


@pytest.fixture(name="repository")
def _repository_fixture(tmp_path: Path) -> Path:
    root = tmp_path / "a repository"
    (root / "service").mkdir(parents=True)
    (root / "service" / "app.py").write_text("x = 1\n", encoding="utf-8")
    (root / "run").write_text("#!/bin/sh\n", encoding="utf-8")
    (root / "run").chmod(0o755)
    (root / ".gitignore").write_text("ignored/\n*.log\n", encoding="utf-8")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first", "--date", "2026-01-02T03:04:05Z")
    return root


def _take(root: Path) -> Snapshot:
    return Checkout(root, LocalProcesses(os.environ)).snapshot()


def _paths(root: Path) -> list[str]:
    return [entry.path for entry in _take(root).entries]


def test_it_holds_what_is_tracked_with_kinds_and_digests(repository: Path) -> None:
    snapshot = _take(repository)
    assert {e.path: e.kind.value for e in snapshot.entries} == {
        ".gitignore": "file",
        "run": "executable",
        "service/app.py": "file",
    }
    entry = snapshot.by_path["service/app.py"]
    assert (entry.digest, entry.size) == (hashlib.sha256(b"x = 1\n").hexdigest(), 6)
    assert (snapshot.branch, snapshot.dirty) == ("main", False)
    assert snapshot.commit == git(repository, "rev-parse", "HEAD").strip()
    assert snapshot.committed.endswith("Z") and "T" in snapshot.committed
    assert snapshot.digest == _take(repository).digest


def test_new_files_count_and_ignored_ones_do_not(repository: Path) -> None:
    before = _take(repository).digest
    (repository / "ignored").mkdir()
    (repository / "ignored" / "x.py").write_text("", encoding="utf-8")
    (repository / "a.log").write_text("", encoding="utf-8")
    assert (_take(repository).digest, _take(repository).dirty) == (before, False)
    (repository / "new.py").write_text("", encoding="utf-8")
    assert "new.py" in _paths(repository)
    assert _take(repository).dirty


def test_a_deleted_file_is_gone_and_an_edited_one_is_as_it_is(repository: Path) -> None:
    (repository / "run").unlink()
    (repository / "service" / "app.py").write_text("x = 2\n", encoding="utf-8")
    snapshot = _take(repository)
    assert "run" not in snapshot.by_path
    assert snapshot.by_path["service/app.py"].digest == hashlib.sha256(b"x = 2\n").hexdigest()
    assert snapshot.dirty


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_what_git_was_told_to_overlook_counts_and_is_labelled(flag: str, repository: Path) -> None:
    git(repository, "update-index", flag, "service/app.py")
    (repository / "service" / "app.py").write_text("x = 3\n", encoding="utf-8")
    snapshot = _take(repository)
    assert snapshot.by_path["service/app.py"].digest == hashlib.sha256(b"x = 3\n").hexdigest()
    assert snapshot.dirty


@pytest.mark.parametrize(
    "name", [b"with space.py", b"new\nline.py", b'quo"te.py', b"caf\xc3\xa9.py", b"caf\xe9.py", b"-x", b"a\\b"]
)
@pytest.mark.parametrize("tracked", [True, False])
def test_names_of_every_kind_are_whole(name: bytes, tracked: bool, repository: Path) -> None:
    (repository / os.fsdecode(name)).write_text("secret = 1\n", encoding="utf-8")
    if tracked:
        git(repository, "add", "-A")
    entry = _take(repository).by_path[os.fsdecode(name)]
    assert entry.digest == hashlib.sha256(b"secret = 1\n").hexdigest()


def test_links_are_entries_of_their_own_and_are_not_followed(repository: Path) -> None:
    (repository / "good").symlink_to("service/app.py")
    (repository / "broken").symlink_to("nowhere")
    (repository / "folder").symlink_to("service")
    (repository / "outside").symlink_to(repository.parent)
    entries = _take(repository).by_path
    assert all(entries[name].kind is Kind.LINK for name in ("good", "broken", "folder", "outside"))
    assert entries["broken"].digest == hashlib.sha256(b"nowhere").hexdigest()
    assert not [path for path in entries if path.startswith(("folder/", "outside/"))]


def test_a_folder_that_became_a_link_does_not_lead_outside(repository: Path) -> None:
    shutil.rmtree(repository / "service")
    outside = repository.parent / "outside"
    outside.mkdir()
    (outside / "app.py").write_text("of somebody else\n", encoding="utf-8")
    (repository / "service").symlink_to(outside)
    assert _paths(repository) == [".gitignore", "run", "service"]


def test_a_file_that_became_a_folder_and_a_folder_that_became_a_file(repository: Path) -> None:
    (repository / "run").unlink()
    (repository / "run").mkdir()
    (repository / "run" / "it.py").write_text("", encoding="utf-8")
    shutil.rmtree(repository / "service")
    (repository / "service").write_text("", encoding="utf-8")
    assert _paths(repository) == [".gitignore", "run/it.py", "service"]


def test_the_executable_bit_counts(repository: Path) -> None:
    before = _take(repository)
    (repository / "run").chmod(0o644)
    after = _take(repository)
    assert (before.by_path["run"].kind, after.by_path["run"].kind) == (Kind.EXECUTABLE, Kind.FILE)
    assert before.digest != after.digest


def test_a_pipe_is_no_file(repository: Path) -> None:
    os.mkfifo(repository / "pipe")
    assert "pipe" not in _paths(repository)


def test_a_submodule_is_the_commit_that_git_records(repository: Path) -> None:
    other = repository.parent / "other"
    other.mkdir()
    (other / "x").write_text("", encoding="utf-8")
    git(other, "init", "-q")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "other")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "sub module")
    entry = _take(repository).by_path["sub module"]
    assert (entry.kind, entry.digest) == (Kind.SUBMODULE, git(other, "rev-parse", "HEAD").strip())
    assert "sub module/x" not in _take(repository).by_path


def test_a_repository_inside_is_not_part_of_this_one(repository: Path) -> None:
    (repository / "inner").mkdir()
    (repository / "inner" / "x").write_text("", encoding="utf-8")
    git(repository / "inner", "init", "-q")
    assert not [path for path in _paths(repository) if path.startswith("inner")]


def test_a_file_in_conflict_is_listed_once(repository: Path) -> None:
    git(repository, "checkout", "-q", "-b", "other")
    (repository / "run").write_text("other\n", encoding="utf-8")
    git(repository, "commit", "-q", "-a", "-m", "other")
    git(repository, "checkout", "-q", "main")
    (repository / "run").write_text("main\n", encoding="utf-8")
    git(repository, "commit", "-q", "-a", "-m", "main")
    merged = LocalProcesses(os.environ).run(Request(argv=("git", "merge", "-q", "other"), cwd=repository, timeout_s=30))
    assert merged.exit_code != 0
    assert _paths(repository).count("run") == 1


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    snapshot = _take(repository)
    assert (snapshot.branch, snapshot.dirty) == ("", False)


@pytest.mark.parametrize("ref", ["refs/tags/HEAD", "refs/heads/HEAD"])
def test_another_ref_that_is_called_head_does_not_hide_the_branch(repository: Path, ref: str) -> None:
    before = _take(repository).branch
    git(repository, "update-ref", ref, "HEAD")
    assert _take(repository).branch == before != ""
    git(repository, "checkout", "-q", "--detach")
    assert _take(repository).branch == ""


def test_a_folder_of_a_repository_can_be_the_root(repository: Path) -> None:
    (repository / "run").write_text("changed elsewhere\n", encoding="utf-8")
    snapshot = _take(repository / "service")
    assert [entry.path for entry in snapshot.entries] == ["app.py"]
    assert not snapshot.dirty


def test_gits_own_variables_do_not_point_elsewhere(repository: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    git(elsewhere, "init", "-q")
    environ = {
        **os.environ,
        "GIT_DIR": str(elsewhere / ".git"),
        "GIT_WORK_TREE": str(elsewhere),
        "GIT_INDEX_FILE": "none",
    }
    assert "run" in Checkout(repository, LocalProcesses(environ)).snapshot().by_path


def test_no_repository_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a git repository") as caught:
        _take(tmp_path)
    assert "git init" in caught.value.advice


def test_a_bare_repository_is_none_to_work_in(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    with pytest.raises(ConfigurationError, match="is not a git repository"):
        _take(tmp_path / "bare.git")


def test_a_repository_without_a_commit_is_said(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(ConfigurationError, match="no commit yet"):
        _take(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_checkout_of_another_user_gets_gits_own_remedy(repository: Path) -> None:
    for path in (repository, repository / ".git"):
        os.chown(path, 54321, 54321)
    with pytest.raises(ConfigurationError, match=r"safe\.directory") as caught:
        _take(repository)
    assert "git init" not in str(caught.value)


def test_a_machine_without_git_is_said(repository: Path) -> None:
    with pytest.raises(ConfigurationError, match="Install git"):
        Checkout(repository, LocalProcesses({"PATH": str(repository)})).snapshot()


def test_git_that_hangs_or_fails_is_trouble(repository: Path) -> None:
    with pytest.raises(ToolTrouble, match="git rev-parse was stopped"):
        Checkout(repository, ScriptedRunner([outcome(-15, timed_out=True)])).snapshot()
    with pytest.raises(ToolTrouble, match=r"git rev-parse was ended by signal 9\."):
        Checkout(repository, ScriptedRunner([outcome(-9)])).snapshot()
    script = [
        outcome(stdout="/a/place\nmain\n"),
        outcome(stdout="c 0"),
        outcome(128, stderr="fatal: index file corrupt"),
    ]
    with pytest.raises(ConfigurationError, match=r"git ls-files failed\. It says: fatal: index file corrupt"):
        Checkout(repository, ScriptedRunner(script)).snapshot()


def test_a_file_that_can_not_be_read_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _denied(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pipeline.execution.checkout.sha256_of", _denied)
    with pytest.raises(StorageTrouble, match=r"can't be read: Permission denied"):
        _take(repository)


@pytest.mark.parametrize("name", [".pipeline/cache/results/lint/x/entry.json", ".Pipeline/venv/bin/python"])
def test_a_commit_that_brings_results_or_tools_along_is_refused(repository: Path, name: str) -> None:
    (repository / name).parent.mkdir(parents=True)
    (repository / name).write_text("{}", encoding="utf-8")
    git(repository, "add", "-f", name)
    with pytest.raises(ConfigurationError, match=f"git tracks {name}") as told:
        _take(repository)
    assert "git rm -r --cached .pipeline" in str(told.value)
    git(repository, "rm", "-q", "-r", "--cached", name.partition("/")[0])
    (repository / ".gitignore").write_text("/.[pP]ipeline/\n", encoding="utf-8")
    assert _take(repository).entries


def test_a_link_in_the_place_of_our_own_folder_is_refused(repository: Path) -> None:
    (repository / ".pipeline").symlink_to("service")
    git(repository, "add", "-f", ".pipeline")
    with pytest.raises(ConfigurationError, match=r"git tracks \.pipeline, and"):
        _take(repository)
