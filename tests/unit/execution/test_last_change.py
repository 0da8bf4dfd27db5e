"""When the last commit that touched a path was made: by git's history, and unknown where that is cut off."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.execution.checkout import Checkout
from tests.support import real_processes, write_files


@pytest.fixture(name="commit")
def _commit(tmp_path: Path) -> Callable[..., None]:
    """Commits files at a second of 2026-01-01."""
    (tmp_path / "repo").mkdir()

    def git(*words: str, seconds: int = 0) -> None:
        date = f"2026-01-01T00:00:{seconds:02d}Z"
        identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a"}
        env = {
            **os.environ,
            **identity,
            "GIT_COMMITTER_EMAIL": "a@b",
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
        }
        subprocess.run(("git", *words), cwd=tmp_path / "repo", env=env, check=True, capture_output=True)

    def commit(seconds: int, **files: str) -> None:
        write_files(tmp_path / "repo", files)
        git("add", ".")
        git("commit", "-qm", "x", seconds=seconds)

    git("init", "-q", "-b", "main")
    return commit


def test_only_a_commit_that_touched_one_of_the_paths_counts(tmp_path: Path, commit: Callable[..., None]) -> None:
    commit(1, app="1", lib="1", readme="1")
    commit(2, lib="2")
    commit(3, readme="2")
    checkout = Checkout(tmp_path / "repo", real_processes())
    assert checkout.last_change(["app"]) == "2026-01-01T00:00:01Z"
    assert checkout.last_change(["app", "lib"]) == "2026-01-01T00:00:02Z"
    assert checkout.last_change(["*"]) == "", "a path is no pattern"
    assert checkout.last_change(["new"]) == ""
    assert checkout.last_change([]) == ""


def test_more_paths_than_a_command_line_holds_are_asked_in_parts(
    tmp_path: Path, commit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.execution.checkout._PATHS_AT_ONCE", 1)
    commit(1, app="1", lib="1")
    commit(2, lib="2")
    assert Checkout(tmp_path / "repo", real_processes()).last_change(["lib", "app"]) == "2026-01-01T00:00:02Z"


def test_where_a_history_is_cut_off_nothing_is_known(tmp_path: Path, commit: Callable[..., None]) -> None:
    commit(1, app="1")
    commit(2, readme="1")
    commit(3, lib="1")
    whole, shallow = (tmp_path / "repo").as_uri(), tmp_path / "shallow"
    subprocess.run(("git", "clone", "-q", "--depth", "2", whole, str(shallow)), check=True, capture_output=True)
    checkout = Checkout(shallow, real_processes())
    assert checkout.last_change(["lib"]) == "2026-01-01T00:00:03Z"
    assert checkout.last_change(["app"]) == ""
    assert checkout.last_change(["lib", "app"]) == "2026-01-01T00:00:03Z", "whatever came before, this was later"
