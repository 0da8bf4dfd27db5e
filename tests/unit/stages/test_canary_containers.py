"""The containers of a comparison: beside one another, none left behind, and whose fault a start is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline.core.canary_judge import CANDIDATE, RELEASE, SIDES, TWIN
from pipeline.core.containers import Container, ContainerRequest, Ownership, Usage
from pipeline.errors import CouldNotTell, EngineTrouble, TargetFault
from pipeline.stages.canary_containers import role_of, serving_all, usage_of
from pipeline.stages.context import Context
from pipeline.stages.service_container import container_request
from pipeline.testing import ENDED_WELL, FakeContainer, FakeEngine
from tests.scripted_http import Reply, scripted_http
from tests.unit.stages.test_canary import ImaginedTraffic, context_with

LONGEST_S = 20.0
OWNER = Ownership(checkout="0123456789abcdef", run="run")


@dataclass(kw_only=True)
class Engine(FakeEngine):
    """An engine that starts nothing before all are asked for, and then what ``begin`` gives for each."""

    url: str
    begin: Callable[[ContainerRequest, FakeContainer], FakeContainer] = field(
        default=lambda request, container: container
    )
    together: threading.Barrier = field(default_factory=lambda: threading.Barrier(len(SIDES)))
    started: list[FakeContainer] = field(default_factory=list)

    def start(self, request: ContainerRequest) -> Container:
        self.together.wait(LONGEST_S)
        container = self.begin(request, FakeContainer(base_url=self.url))
        self.started.append(container)
        return container


def side_of(request: ContainerRequest) -> str:
    """The side that a container's name tells."""
    return max((side for side in SIDES if f"-{role_of(side)}-" in request.name), key=len)


class Meeting(FakeContainer):
    """A container whose use is read, and which is removed, when that of the others is."""

    def __init__(self, together: threading.Barrier, number: int) -> None:
        super().__init__(used=Usage(cpu_s=float(number), memory_bytes=number))
        self._together = together

    def usage(self) -> Usage:
        self._together.wait(LONGEST_S)
        return super().usage()

    def remove(self) -> None:
        self._together.wait(LONGEST_S)
        super().remove()


def within(folder: Path, engine: Engine) -> tuple[Context, dict[str, ContainerRequest]]:
    context = context_with(folder, ImaginedTraffic())
    context = replace(context, ports=replace(context.ports, engine=lambda: engine, ownership=OWNER))
    return context, {side: container_request(context, "sha256:x", role_of(side)) for side in SIDES}


def test_all_are_started_read_and_removed_at_the_same_time(tmp_path: Path) -> None:
    together = threading.Barrier(len(SIDES))

    def meeting(request: ContainerRequest, container: FakeContainer) -> FakeContainer:
        made = Meeting(together, SIDES.index(side_of(request)))
        made.base_url = container.base_url
        return made

    with scripted_http(lambda asked: Reply()) as server:
        engine = Engine(url=f"http://{server.host}", begin=meeting)
        context, requests = within(tmp_path, engine)
        with serving_all(context, requests) as containers:
            assert tuple(containers) == SIDES
            assert {side: used.memory_bytes for side, used in usage_of(containers).items()} == {
                side: number for number, side in enumerate(SIDES)
            }
            assert not any(container.removed for container in engine.started)
    assert [container.removed for container in engine.started] == [1, 1, 1]


@pytest.mark.parametrize(("side", "trouble"), [(RELEASE, CouldNotTell), (TWIN, CouldNotTell), (CANDIDATE, TargetFault)])
@pytest.mark.parametrize("how", ["ends", "can not be started"])
def test_one_that_does_not_start_leaves_none_behind_and_is_told_apart(
    tmp_path: Path, side: str, trouble: type[Exception], how: str
) -> None:
    def spoilt(request: ContainerRequest, container: FakeContainer) -> FakeContainer:
        if side_of(request) == side:
            if how == "can not be started":
                raise TargetFault("The image could not be started.")
            container.now = ENDED_WELL
        return container

    with scripted_http(lambda asked: Reply()) as server:
        engine = Engine(url=f"http://{server.host}", begin=spoilt)
        context, requests = within(tmp_path, engine)
        with pytest.raises(trouble), serving_all(context, requests):
            pytest.fail("They are not all ready.")
    assert [container.removed for container in engine.started] == [1] * (3 if how == "ends" else 2)


def test_trouble_while_they_serve_or_with_the_removal_of_one_leaves_none_behind(tmp_path: Path) -> None:
    class Stuck(FakeContainer):
        """One that the engine does not remove."""

        def remove(self) -> None:
            super().remove()
            raise EngineTrouble("The engine does not answer.")

    def stuck(request: ContainerRequest, container: FakeContainer) -> FakeContainer:
        return Stuck(base_url=container.base_url) if "candidate" in request.name else container

    with scripted_http(lambda asked: Reply()) as server:
        for begin, trouble in ((lambda request, container: container, KeyboardInterrupt), (stuck, EngineTrouble)):
            engine = Engine(url=f"http://{server.host}", begin=begin)
            context, requests = within(tmp_path / trouble.__name__, engine)
            with pytest.raises(trouble), serving_all(context, requests):
                raise KeyboardInterrupt
            assert [container.removed for container in engine.started] == [1, 1, 1]
