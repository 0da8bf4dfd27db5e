"""The names of images, and images without: listed, and taken away without force."""

from __future__ import annotations

import json
from datetime import UTC, datetime

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


NONE = {"RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"]}
LONG_AGO, NEVER = "2020-02-02T02:02:02.123456789Z", "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("listed", "made", "tagged"),
    [
        (NONE, LONG_AGO, NEVER),
        ({"RepoTags": None, "RepoDigests": []}, LONG_AGO, LONG_AGO),
        ({}, LONG_AGO, None),
    ],
)
def test_a_nameless_image_of_long_ago_goes(
    fake: FakeDockerd, engine: DockerEngine, listed: dict[str, list[str]], made: str, tagged: str | None
) -> None:
    fake.answers["GET /images/json"] = [{"Id": "sha256:1", **listed}]
    fake.answers["GET /images/sha256:1/json"] = {"Created": made, "Metadata": tagged and {"LastTagTime": tagged}}
    fake.answers["DELETE /images/sha256:1"] = [{"Deleted": "sha256:1"}]
    assert engine.remove_nameless("a.label", 1e6) == 1
    (asked,) = fake.asked("GET /images/json")
    assert json.loads(query(asked)["filters"][0]) == {"dangling": ["true"], "label": ["a.label"]}
    fake.answers["DELETE /images/sha256:1"] = Refusal(409, "a container uses it")
    assert engine.remove_nameless("a.label", 1e6) == 0


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ({"RepoTags": [], "RepoDigests": ["host/echo@sha256:9"]}, {"Created": LONG_AGO}),
        ({"RepoTags": ["<none>:<none>"], "RepoDigests": ["host/echo@sha256:9"]}, {"Created": LONG_AGO}),
        (NONE, {"Created": datetime.now(UTC).isoformat(), "Metadata": {"LastTagTime": NEVER}}),
        # Made of sources of long ago, in the engine since just now.
        (NONE, {"Created": LONG_AGO, "Metadata": {"LastTagTime": datetime.now(UTC).isoformat()}}),
        (NONE, Refusal(404, "another has removed it")),
    ],
)
def test_an_image_that_has_a_digest_for_a_name_or_was_wanted_lately_stays(
    fake: FakeDockerd, engine: DockerEngine, listed: dict[str, list[str]], told: object
) -> None:
    fake.answers["GET /images/json"] = [{"Id": "sha256:1", **listed}]
    fake.answers["GET /images/sha256:1/json"] = told
    assert engine.remove_nameless("a.label", 1e6) == 0
    assert not fake.asked("DELETE .*")
