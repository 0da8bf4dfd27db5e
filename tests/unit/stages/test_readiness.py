"""Waiting for a container."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.core.containers import ContainerEnded
from pipeline.errors import EngineTrouble
from pipeline.stages.readiness import Readiness, get, wait_until_ready
from pipeline.testing import RUNNING, FakeContainer, FixedClock, SilentProgress
from tests.scripted_http import Reply, scripted_http


def waited_for(container: FakeContainer) -> Readiness:
    """What comes of waiting a second, without the passing of time."""
    return wait_until_ready(container, "/readyz", 1.0, FixedClock(), SilentProgress())


def test_a_port_that_is_out_of_reach_is_not_the_targets_fault() -> None:
    with pytest.raises(EngineTrouble, match="healthy by its own check"):
        waited_for(FakeContainer(now=replace(RUNNING, health="healthy")))


def test_no_answer_is_said() -> None:
    found = waited_for(FakeContainer(now=replace(RUNNING, health="unhealthy"))).found
    assert found == "no answer from /readyz within 1 s"


def test_one_that_ends_while_it_is_asked_for_its_port_is_not_ready() -> None:
    class Ending(FakeContainer):
        """It has no port any more."""

        def __getattribute__(self, name: str) -> object:
            if name == "base_url":
                raise ContainerEnded("It ended.")
            return super().__getattribute__(name)

    assert waited_for(Ending()).found == "It ended."


def test_the_status_is_asked_for_without_following_a_redirect_and_none_is_0() -> None:
    with scripted_http(lambda _: Reply(status=302, headers={"Location": "/elsewhere"})) as server:
        assert get(f"http://{server.host}/ready?deep=1") == 302
    assert [asked.path for asked in server.asked] == ["/ready?deep=1"]
    assert get(f"http://{server.host}/ready") == 0
