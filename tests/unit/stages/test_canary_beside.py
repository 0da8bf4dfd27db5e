"""The containers of a comparison: which are started, that they are what they should be, and whose fault a start is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline.core.canary_judge import CANDIDATE, RELEASE
from pipeline.core.containers import Container, ContainerRequest, Image, Ownership, Registry
from pipeline.core.evidence import Evidence
from pipeline.core.stage import Examination, StageResult, Status
from pipeline.core.verdict import conclude
from pipeline.errors import CouldNotTell, TargetFault
from pipeline.settings import Settings
from pipeline.stages.canary import CanaryStage
from pipeline.stages.context import Context
from pipeline.testing import ENDED_WELL, FakeContainer, FakeEngine
from tests.memory_registry import MemoryRegistry
from tests.scripted_http import Reply, scripted_http
from tests.unit.stages.test_canary import SETTINGS, ImaginedTraffic, context_with

OLD, NEW = "sha256:old", "sha256:new"
REFERENCE = f"registry.example.org/service@sha256:{'1' * 64}"


@dataclass(kw_only=True)
class Engine(FakeEngine):
    """An engine whose containers run what they were asked to, but for what ``spoil`` makes of them."""

    url: str
    spoil: Callable[[ContainerRequest, FakeContainer], None] = field(default=lambda request, container: None)
    started: list[ContainerRequest] = field(default_factory=list)

    def start(self, request: ContainerRequest) -> Container:
        self.started.append(request)
        container = FakeContainer(base_url=self.url, answer={"Image": request.image})
        self.spoil(request, container)
        return container


class Released:
    """Registries with one release, or none."""

    def __init__(self, reference: str | None) -> None:
        self._reference = reference

    def open(self) -> Registry:
        """An empty registry: what is pulled is the engine's matter here."""
        return MemoryRegistry()

    def current_release(self) -> str | None:
        """That release."""
        return self._reference


def image(identity: str) -> Image:
    return Image(
        id=identity, size_bytes=1, layers=(), user="1", labels={}, architecture="amd64", configuration={}, diff_ids=()
    )


@pytest.fixture(name="engine")
def engine_fixture() -> Iterator[Engine]:
    with scripted_http(lambda asked: Reply()) as server:
        images = {OLD: image(OLD), NEW: image(NEW), REFERENCE: image(OLD)}
        yield Engine(url=f"http://{server.host}", images=images)


def examined(folder: Path, engine: Engine, release: str | None = REFERENCE, built: str = NEW) -> Examination:
    settings: Settings = SETTINGS
    context: Context = context_with(folder, ImaginedTraffic(), settings)
    build = StageResult(
        name="build",
        status=Status.PASS,
        reasons=(),
        snapshot=context.snapshot.digest,
        evidence=Evidence.of("x", expected=("a",), checked=("a",)),
        metrics={"image_id": built},
    )
    owner = Ownership(checkout="0123456789abcdef", run="run")
    ports = replace(context.ports, engine=lambda: engine, registries=lambda: Released(release), ownership=owner)
    return CanaryStage().run(replace(context, ports=ports, results={"build": build}))


def test_two_fresh_containers_of_the_release_and_one_of_the_candidate_with_the_same_limits(
    tmp_path: Path, engine: Engine
) -> None:
    examination = examined(tmp_path, engine)
    assert sorted(request.image for request in engine.started) == sorted([OLD, OLD, NEW])
    assert len({(r.memory_mb, r.cpus, r.pids, tuple(r.environment)) for r in engine.started}) == 1
    assert examination.metrics["release_image_id"] == OLD and examination.metrics["image_id"] == NEW
    assert "two fresh containers of the current release" in examination.notes[0]
    # The imagined engine measures no processor time, which is never green.
    assert conclude(examination)[0] is Status.INCONCLUSIVE
    assert any("processor time a request of the container could not be told" in doubt for doubt in examination.doubts)


def test_that_both_are_one_image_is_said(tmp_path: Path, engine: Engine) -> None:
    assert "Both are the same image, so no difference" in examined(tmp_path, engine, built=OLD).notes[0]


def test_a_first_release_is_judged_by_objectives_and_says_so(tmp_path: Path, engine: Engine) -> None:
    examination = examined(tmp_path, engine, release=None)
    assert conclude(examination)[0] is Status.PASS
    assert "at most 0.00% errors, and 95 % of the answers of each endpoint within 250 ms" in examination.notes[0]


@pytest.mark.parametrize("side", [RELEASE, CANDIDATE])
def test_another_image_than_was_asked_for_is_noticed(tmp_path: Path, engine: Engine, side: str) -> None:
    def swap(request: ContainerRequest, container: FakeContainer) -> None:
        if side in request.name and "twin" not in request.name:
            container.answer = {"Image": "sha256:other"}

    engine.spoil = swap
    with pytest.raises(CouldNotTell, match=f"The {side} container does not run the image"):
        examined(tmp_path, engine)


@pytest.mark.parametrize(("dead", "trouble"), [(OLD, CouldNotTell), (NEW, TargetFault)])
def test_a_candidate_that_does_not_start_is_at_fault_and_a_release_is_not(
    tmp_path: Path, engine: Engine, dead: str, trouble: type[Exception]
) -> None:
    def end(request: ContainerRequest, container: FakeContainer) -> None:
        if request.image == dead:
            container.now = ENDED_WELL

    engine.spoil = end
    with pytest.raises(trouble):
        examined(tmp_path, engine)
