"""One push with a registry in memory and an engine that has one image: what a test of the stage may change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.attestation.signing import Signing
from pipeline.core.containers import Image
from pipeline.core.evidence import Evidence
from pipeline.core.stage import Examination, Metric, StageResult, Status
from pipeline.settings import Build, Project, Settings
from pipeline.settings_push import Push
from pipeline.stages.context import Context
from pipeline.stages.push import PushStage
from pipeline.testing import FakeContainer, FakeEngine
from tests.container.push_bench import docker_archive
from tests.memory_registry import MemoryRegistry
from tests.scripted_http import Reply, scripted_http
from tests.signed_images import BUILDER, key
from tests.support import make_context, snapshot_of, write_files

NEEDS = ("test", "build")
IMAGE, ARCHIVE = docker_archive(b"base", b"application")
TAGS = ("1.0", "c" * 12)


@dataclass(kw_only=True)
class Engine(FakeEngine):
    """Exports the image; what a pull does is the test's to say."""

    pulls: Callable[[], str] = lambda: IMAGE

    def pull(self, reference: str, credentials: Mapping[str, str], *, timeout_s: float = 600.0) -> str:
        """As told."""
        self.asked.append(("pull", reference))
        return self.pulls()


@dataclass
class Releases:
    """Remembers."""

    recorded: list[str] = field(default_factory=list)

    def last(self, place: str) -> str | None:
        """Nothing before."""
        return {"elsewhere": "sha256:0"}.get(place)

    def record(self, place: str, digest: str) -> None:
        """Keep it."""
        self.recorded.append(f"{place} {digest}")


@dataclass
class Bench:
    """One push; its parts may be changed before :meth:`run`."""

    folder: Path
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    engine: Engine = field(default_factory=Engine)
    signing: Signing = field(default_factory=lambda: Signing(builder=BUILDER, signer=key()))
    push: Push = field(default_factory=lambda: Push(registry="registry.example", repository="team/echo"))
    releases: Releases = field(default_factory=Releases)
    files: dict[str, str | bytes] = field(default_factory=lambda: {"a": ""})
    metrics: dict[str, Metric] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    context: Context | None = None

    def run(self) -> Examination:
        """Push."""
        tree = write_files(self.folder / "tree", self.files)
        settings = Settings(
            project=Project(name="echo", version="1.0"),
            push=self.push,
            build=Build(image="echo"),
        )
        settings = replace(settings, audit=replace(settings.audit, lock="requirements.txt"))
        context = make_context(self.folder / "reports/stages/push", tree, settings, snapshot=snapshot_of(tree))
        image = Image(id=IMAGE, size_bytes=1, layers=(), user="", labels={}, architecture="amd64", configuration={})
        self.engine.images, self.engine.archive = {IMAGE: image}, ARCHIVE
        results = {name: self._result(name, context) for name in NEEDS}
        with scripted_http(lambda asked: Reply()) as service:
            self.engine.container = FakeContainer(base_url=f"http://{service.host}")
            registries: Any = type("Registries", (), {"open": lambda _: self.registry})()
            ports = replace(
                context.ports,
                engine=lambda: self.engine,
                registries=lambda: registries,
                signing=lambda: self.signing,
                releases=self.releases,
                ownership=type("Ownership", (), {"checkout": "c" * 8, "labels": {}})(),
                cache=self.folder / "cache",
            )
            self.context = replace(context, ports=ports, results=results)
            return PushStage(needs=NEEDS).run(self.context)

    def _result(self, name: str, context: Context) -> StageResult:
        return StageResult(
            name=name,
            status=Status.PASS,
            reasons=(),
            snapshot=context.snapshot.digest,
            policy="p" * 64,
            evidence=Evidence.of("things", expected=("a",), checked=("a",)),
            metrics={"image_id": IMAGE, **self.metrics} if name == "build" else {},
            details=self.details if name == "build" else {},
            started="2026-01-01T00:00:00.000Z",
            duration_s=2.5,
        )

    def predicate(self, kind: str) -> dict[str, Any]:
        """A predicate as it was kept."""
        assert self.context is not None
        path = self.context.raw / "statements" / f"{kind}.json"
        predicate: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["predicate"]
        return predicate

    @property
    def tagged(self) -> list[str]:
        """The release tags that are there."""
        return [tag for tag in TAGS if tag in self.registry.manifests]
