"""What the tests against a real container engine share."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest


@pytest.fixture(scope="session")
def engine_client() -> Iterator[docker.DockerClient]:
    """The engine that the environment names."""
    client = docker.from_env()
    yield client
    client.close()
