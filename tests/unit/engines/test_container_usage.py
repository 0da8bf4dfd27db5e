"""What a container has used, by the engine's one reading or the kernel's, under both versions of control groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import docker
import pytest

from pipeline.core.containers import Usage
from pipeline.engines.control_groups import used_by
from pipeline.engines.docker_container import DockerContainer
from tests.support import write_files
from tests.unit.engines.docker_kit import container_request

CONTAINER = "c0ffee" * 10 + "cafe"
FIRST = {
    "proc/7/cgroup": f"4:memory:/docker/{CONTAINER}\n2:cpu,cpuacct:/docker/{CONTAINER}\n0::/docker/{CONTAINER}\n",
    f"sys/memory/docker/{CONTAINER}/memory.usage_in_bytes": "50000000\n",
    f"sys/memory/docker/{CONTAINER}/memory.stat": "cache 9\ninactive_file 3\ntotal_inactive_file 8000000\n",
    f"sys/cpuacct/docker/{CONTAINER}/cpuacct.usage": "1500000000\n",
}
GROUP = f"sys/system.slice/docker-{CONTAINER}.scope"
SECOND = {
    "proc/7/cgroup": f"0::/system.slice/docker-{CONTAINER}.scope/of/its/own\n",
    f"{GROUP}/cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
    f"{GROUP}/memory.current": "50000000\n",
    f"{GROUP}/memory.stat": "anon 1\ninactive_file 8000000\n",
}


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
    # Nobody whom we could look at, as with an engine on another machine.
    client.inspect_container.return_value = {"State": {"Pid": 0}}
    assert DockerContainer(client, "c", container_request()).usage() == expected
    client.stats.assert_called_once_with("c", stream=False, one_shot=True)


@pytest.mark.parametrize("files", [FIRST, SECOND], ids=["version 1", "version 2"])
def test_the_kernels_own_account_of_the_container_is_read(tmp_path: Path, files: dict[str, str]) -> None:
    write_files(tmp_path, files)
    found = used_by(CONTAINER, 7, processes=tmp_path / "proc", groups=tmp_path / "sys")
    assert found == Usage(cpu_s=1.5, memory_bytes=42_000_000)


@pytest.mark.parametrize(
    ("container", "pid", "changed"),
    [
        (CONTAINER, 8, {}),
        (CONTAINER.replace("c", "d"), 7, {}),
        ("", 7, {}),
        (CONTAINER, 7, {"proc/7/cgroup": f"0::/../../docker-{CONTAINER}.scope\n"}),
        (CONTAINER, 7, {"proc/7/cgroup": "no groups"}),
        (CONTAINER, 7, {f"{GROUP}/memory.stat": "anon 1\n"}),
        (CONTAINER, 7, {f"{GROUP}/cpu.stat": "usage_usec much\n"}),
    ],
    ids=["nobody", "somebody else", "no name", "out of reach", "not a list", "incomplete", "not a number"],
)
def test_what_can_not_be_read_there_is_no_account(
    tmp_path: Path, container: str, pid: int, changed: dict[str, str]
) -> None:
    write_files(tmp_path, SECOND | changed)
    assert used_by(container, pid, processes=tmp_path / "proc", groups=tmp_path / "sys") is None
