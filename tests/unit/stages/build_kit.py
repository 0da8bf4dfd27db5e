"""A sample service, a sound image of it, and an engine that builds just that."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.core.bases import BaseSet
from pipeline.core.containers import ContainerEngine, Image
from pipeline.core.ports import Progress
from pipeline.core.stage import Examination
from pipeline.settings import Audit, Build, Project, Settings
from pipeline.settings import Test as ProjectTests
from pipeline.stages.build import BuildStage
from pipeline.stages.context import Context
from pipeline.testing import FakeEngine
from tests.docker_archives import archive, layer
from tests.fake_scanner import FakeScanner
from tests.support import make_context, write_files

ID = "sha256:" + "1" * 64
HASH = "sha256:" + "0" * 64
TREE = {
    "Dockerfile": "ARG RUNTIME_IMAGE=x\nARG BUILDER_IMAGE=x\nFROM ${RUNTIME_IMAGE}\n",
    ".dockerignore": "*\n!service\nservice/tests\n",
    "service/app.py": "APP = 1\n",
    "service/data.json": "{}\n",
    "service/requirements.txt": f'flask==3.1 ; python_version < "3.13" --hash={HASH}\n',
    "service/tests/test_app.py": "def test() -> None: ...\n",
}
MEMBERS: tuple[Any, ...] = (
    ("app/service/app.py", b"APP = 1\n", 0o644),
    ("app/service/data.json", b"{}\n", 0o644),
    ("var/lib/dpkg/status.d/libc6", b"Package: libc6\nVersion: 2.41\n", 0o644),
)
SETTINGS = Settings(
    project=Project(name="sample", version="1.2.3"),
    audit=Audit(lock="service/requirements.txt"),
    test=ProjectTests(paths=("service/tests",)),
    build=Build(image="sample"),
)
BASES = BaseSet(
    arguments={"RUNTIME_IMAGE": "sha256:r", "BUILDER_IMAGE": "sha256:b"},
    packages=("libc6 2.41",),
    python="3.13",
    release="trixie",
    architecture="amd64",
    lock_digest="d" * 64,
)
SOUND = Image(
    id=ID,
    size_bytes=41_000_000,
    layers=(),
    user="65532:65532",
    labels={},
    architecture="amd64",
    configuration={"Healthcheck": {"Test": ["CMD", "true"]}, "Env": ["PATH=/usr/bin"]},
    diff_ids=("a",),
)


@dataclass
class FakeBases:
    """BaseImages that are there."""

    bases: BaseSet = BASES
    asked: list[ContainerEngine] = field(default_factory=list)

    def ensure(self, engine: ContainerEngine, progress: Progress) -> BaseSet:
        """The bases."""
        del progress
        self.asked.append(engine)
        return self.bases


@dataclass
class Trial:
    """A build of a tree with an engine that is a fake."""

    folder: Path
    engine: FakeEngine
    bases: FakeBases = field(default_factory=FakeBases)
    count: int = 0

    def context(self, files: dict[str, str] | None = None, settings: Settings = SETTINGS) -> Context:
        """A context for the usual tree, with these files in place of its own."""
        self.count += 1
        tree = write_files(self.folder / f"tree-{self.count}", {**TREE, **(files or {})})
        context = make_context(self.folder / f"run-{self.count}", tree, settings, processes=FakeScanner())
        ports = replace(context.ports, engine=lambda: self.engine, bases=self.bases, cache=self.folder / "cache")
        return replace(context, ports=ports)

    def run(self, files: dict[str, str] | None = None, settings: Settings = SETTINGS) -> Examination:
        """What the stage sees."""
        return BuildStage().run(self.context(files, settings))

    def holding(self, *members: Any, image: Image = SOUND) -> Trial:
        """The same with another image."""
        self.engine.images = {ID: image}
        self.engine.archive = archive([layer(*members)])
        return self
