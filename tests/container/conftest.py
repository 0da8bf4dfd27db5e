"""What the tests against a real container engine share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from pipeline.attestation.keys import PublicKey
from pipeline.engines.docker_engine import DockerEngine
from tests.container.places import OWNER, open_real_engine
from tests.container.push_bench import ArchiveEngine, archive_engine, key_file, noise


@pytest.fixture(name="engine", scope="module")
def engine_fixture() -> Iterator[DockerEngine]:
    """The engine as the stages have it; no module's tests may leave a container behind."""
    engine = open_real_engine()
    # What a run of the tests that was killed has left is nobody's fault here.
    engine.remove_leftovers(OWNER)
    yield engine
    left = engine.remove_leftovers(replace(OWNER, run="the end"))
    engine.close()
    assert not left, "containers were left behind"


@pytest.fixture(scope="session")
def engine_client() -> Iterator[docker.DockerClient]:
    """The engine that the environment names."""
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(name="key", scope="session")
def key_fixture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PublicKey]:
    """A key that pushes sign with."""
    return key_file(tmp_path_factory.mktemp("key"))


@pytest.fixture(name="archived", scope="session")
def archived_fixture() -> Iterator[ArchiveEngine]:
    """An engine that has one small image."""
    with archive_engine(b"base" * 1000, noise(1000)) as engine:
        yield engine
