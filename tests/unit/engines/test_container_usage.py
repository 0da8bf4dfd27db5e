"""What a container has used, by the engine's one reading, under both versions of control groups."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import docker
import pytest

from pipeline.core.containers import Usage
from pipeline.engines.docker_container import DockerContainer
from tests.unit.engines.docker_kit import container_request


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            {
                "cpu_stats": {"cpu_usage": {"total_usage": 1_500_000_000}},
                "memory_stats": {"usage": 50_000_000, "stats": {"total_inactive_file": 8_000_000}},
            },
            Usage(cpu_s=1.5, memory_bytes=42_000_000),
        ),
        (
            {
                "cpu_stats": {"cpu_usage": {"total_usage": 0}},
                "memory_stats": {"usage": 5, "stats": {"inactive_file": 9}},
            },
            Usage(cpu_s=0.0, memory_bytes=0),
        ),
        ({"cpu_stats": {}, "memory_stats": {}}, Usage(cpu_s=0.0, memory_bytes=0)),
        ({}, Usage(cpu_s=0.0, memory_bytes=0)),
    ],
)
def test_processor_time_and_memory_without_what_can_be_given_back(answer: dict[str, Any], expected: Usage) -> None:
    client = create_autospec(docker.APIClient, instance=True)
    client.stats.return_value = answer
    assert DockerContainer(client, "c", container_request()).usage() == expected
    client.stats.assert_called_once_with("c", stream=False, one_shot=True)
