"""Waiting for a container."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.core.containers import ContainerEnded
from pipeline.errors import EngineTrouble
from pipeline.stages.readiness import Readiness, wait_until_ready
from pipeline.testing import RUNNING, FakeContainer, FixedClock, SilentProgress


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
