"""The names of images, and images without: listed, and taken away without force."""

from __future__ import annotations

import json
import time

import pytest

from pipeline.engines.docker_engine import DockerEngine
from pipeline.errors import EngineTrouble
from tests.fake_dockerd import FakeDockerd, Refusal
from tests.unit.engines.docker_kit import query

NAME = "echo:1"


def test_every_name_of_an_image_is_told(fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers["GET /images/echo:1/json"] = {"RepoTags": [NAME, "other:1"], "RepoDigests": ["host/echo@sha256:1"]}
    assert engine.names(NAME) == (NAME, "other:1", "host/echo@sha256:1")
    fake.answers["GET /images/echo:1/json"] = {"RepoTags": None}
    assert engine.names(NAME) == ()
    fake.answers["GET /images/echo:1/json"] = Refusal(404, "no such image")
    assert engine.names(NAME) == ()


def test_a_name_is_taken_away_and_never_by_force(fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers["DELETE /images/echo:1"] = [{"Untagged": NAME}]
    assert engine.untag(NAME)
    assert query(fake.asked("DELETE .*")[0]).get("force", ["0"]) in (["0"], ["False"], ["false"])


@pytest.mark.parametrize("status", [404, 409])
def test_an_image_that_is_gone_or_in_use_is_left(fake: FakeDockerd, engine: DockerEngine, status: int) -> None:
    fake.answers["DELETE /images/echo:1"] = Refusal(status, "a container uses it")
    assert not engine.untag(NAME)


def test_any_other_refusal_is_trouble(fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers["DELETE /images/echo:1"] = Refusal(500, "broken")
    with pytest.raises(EngineTrouble, match="could not take a name from an image"):
        engine.untag(NAME)


def test_nameless_images_go_when_they_are_old_enough_and_in_nobodys_use(
    fake: FakeDockerd, engine: DockerEngine
) -> None:
    ages = {"old": 100.0, "used": 100.0, "young": 10.0}
    fake.answers["GET /images/json"] = [{"Id": name, "Created": time.time() - age} for name, age in ages.items()]
    fake.answers["DELETE /images/old"] = [{"Deleted": "old"}]
    fake.answers["DELETE /images/used"] = Refusal(409, "a container uses it")
    assert engine.remove_nameless("a.label", 50.0) == 1
    (asked,) = fake.asked("GET /images/json")
    assert json.loads(query(asked)["filters"][0]) == {"dangling": ["true"], "label": ["a.label"]}
    assert [call.what for call in fake.asked("DELETE .*")] == ["DELETE /images/old", "DELETE /images/used"]
