"""An engine adapter in front of a fake engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.engines.docker_engine import DockerEngine
from pipeline.testing import SilentProgress
from tests.fake_dockerd import FakeDockerd, fake_dockerd
from tests.unit.engines.docker_kit import PATIENCE_S, endpoint


@pytest.fixture(name="fake")
def _fake(tmp_path: Path) -> Iterator[FakeDockerd]:
    with fake_dockerd(tmp_path / "docker.sock") as fake:
        yield fake


@pytest.fixture(name="progress")
def _progress() -> SilentProgress:
    return SilentProgress()


@pytest.fixture(name="engine")
def _engine(tmp_path: Path, fake: FakeDockerd, progress: SilentProgress) -> Iterator[DockerEngine]:
    del fake
    engine = DockerEngine(endpoint(tmp_path), timeout_s=PATIENCE_S, progress=progress)
    yield engine
    engine.close()
