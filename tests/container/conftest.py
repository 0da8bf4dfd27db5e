"""What the tests against a real container engine share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from pipeline.attestation.keys import PublicKey
from tests.container.push_bench import ArchiveEngine, archive_engine, key_file, noise


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
