"""The push stage's decisions about addresses and names; the rest is tested with a real registry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings import Project, Settings
from pipeline.settings_push import Push
from pipeline.stages.push import PushStage, release_tags
from tests.support import snapshot_of, write_files

STAGE = PushStage(needs=("test",))


@pytest.mark.parametrize(
    ("push", "sentence"),
    [
        (Push(registry="https://registry.example.org", repository="a"), "Leave out https://"),
        (Push(registry="registry.example.org/team", repository="a"), "not host or host:port"),
        (Push(registry="user:password@registry.example.org", repository="a"), "not host or host:port"),
        (Push(repository="Team/Echo"), "which no registry accepts"),
        (Push(repository=""), "which no registry accepts"),
        (Push(repository="../echo"), "which no registry accepts"),
        (Push(repository="echo", ca_file="/no/such/file.pem"), "there is no such file"),
    ],
)
def test_an_address_that_can_not_be_is_refused_before_anything_runs(tmp_path: Path, push: Push, sentence: str) -> None:
    snapshot = snapshot_of(write_files(tmp_path, {"a": ""}))
    with pytest.raises(ConfigurationError, match=sentence):
        STAGE.check_settings(Settings(push=push), snapshot)


@pytest.mark.parametrize("registry", ["", "registry.example.org", "localhost:5000", "[::1]:5000", "10.0.0.1:443"])
def test_an_address_that_can_be_is_not(tmp_path: Path, registry: str) -> None:
    snapshot = snapshot_of(write_files(tmp_path, {"a": ""}))
    STAGE.check_settings(Settings(push=Push(registry=registry, repository="team/echo-service")), snapshot)


def test_a_dirty_tree_may_be_rehearsed_and_not_pushed(tmp_path: Path) -> None:
    dirty = replace(snapshot_of(write_files(tmp_path, {"a": ""})), dirty=True)
    STAGE.check_settings(Settings(push=Push(repository="echo")), dirty)
    with pytest.raises(ConfigurationError, match="Commit the changes"):
        STAGE.check_settings(Settings(push=Push(registry="registry.example.org", repository="echo")), dirty)


def test_the_tags_are_the_version_and_the_commit(tmp_path: Path) -> None:
    snapshot = snapshot_of(write_files(tmp_path, {"a": ""}))
    settings = Settings(project=Project(version="2.0+local.1"))
    assert release_tags(settings, snapshot) == ("2.0_local.1", "c" * 12)
    assert release_tags(settings, replace(snapshot, dirty=True))[1] == "c" * 12 + "-dirty"
    assert release_tags(Settings(), snapshot) == ("c" * 12,)
