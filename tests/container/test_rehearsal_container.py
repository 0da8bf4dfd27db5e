"""The rehearsal where ``docker-registry`` is not installed, and the engine has an image of a registry."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from pipeline.core.oci_manifest import Descriptor, digest_of
from pipeline.core.served import RegistryStarter
from pipeline.engines.registry_container import LABEL
from pipeline.errors import ConfigurationError, RegistryTrouble
from pipeline.execution.clock import SystemClock
from pipeline.execution.rehearsal import RehearsalRegistry
from pipeline.registry_opening import in_container
from pipeline.settings_push import Push
from pipeline.testing import SilentProgress
from tests.container.push_bench import client
from tests.debian_programs import debian_program

pytestmark = pytest.mark.container

# As the official image is called, but of our own: nobody else's registry:2 is touched, and none is taken for it.
NAME = f"pipeline-test-{os.getpid()}/registry:2"
RECIPE = 'FROM scratch\nCOPY . /\nENTRYPOINT ["/bin/registry"]\nCMD ["serve", "/etc/docker/registry/config.yml"]\n'


def libraries(program: str) -> list[str]:
    """What it is linked with."""
    said = subprocess.run(("ldd", program), check=True, capture_output=True, text=True).stdout
    return [word for line in said.splitlines() for word in line.split() if word.startswith("/")]


@pytest.fixture(name="image", scope="module")
def image_fixture(engine_client: docker.DockerClient) -> Iterator[str]:
    """An image of Debian's program, laid out as the official one."""
    program, context = debian_program("docker-registry"), io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(RECIPE)
        archive.addfile(member, io.BytesIO(RECIPE.encode()))
        for path, name in ((program, "/bin/registry"), *((path, path) for path in libraries(program))):
            archive.add(os.path.realpath(path), name.lstrip("/"))
    context.seek(0)
    labels = {"pipeline.test": "rehearsal"}
    built = engine_client.images.build(fileobj=context, custom_context=True, tag=NAME, rm=True, labels=labels)
    yield str(built[0].id)
    engine_client.images.remove(NAME, force=True)


def absent() -> str:
    """As where no program is installed."""
    raise RegistryTrouble("The rehearsal registry needs a program.", advice="Install it.")


def starter(name: str = NAME) -> RegistryStarter | None:
    return in_container(replace(Push(), rehearsal_image=name), "", os.environ)


def rehearsal(folder: Path, name: str = NAME) -> RehearsalRegistry:
    return RehearsalRegistry(
        folder / "registry",
        folder / "state",
        clock=SystemClock(),
        progress=SilentProgress(),
        program=absent,
        otherwise=lambda: starter(name),
    )


def ours(engine: docker.DockerClient) -> list[str]:
    """The containers of this process."""
    found = engine.containers.list(all=True, filters={"label": LABEL})
    return [str(item.id) for item in found if item.labels[LABEL].startswith(f"{os.getpid()} ")]


@pytest.mark.usefixtures("image")
def test_it_serves_in_a_container_and_its_storage_and_port_last(
    engine_client: docker.DockerClient, tmp_path: Path
) -> None:
    with rehearsal(tmp_path) as registry:
        host = registry.start()
        assert registry.start() == host
        (identity,) = ours(engine_client)
        settings = engine_client.api.inspect_container(identity)
        assert settings["Config"]["User"] == f"{os.getuid()}:{os.getgid()}"
        assert settings["HostConfig"]["CapDrop"] == ["ALL"] and settings["HostConfig"]["ReadonlyRootfs"]
        assert settings["NetworkSettings"]["Ports"]["5000/tcp"][0]["HostIp"] == "127.0.0.1"
        one = client(host, "team/echo")
        content = b"a blob of a rehearsal"
        blob = Descriptor(digest=digest_of(content), size=len(content))
        assert one.upload(blob, lambda: io.BytesIO(content)) == len(content)
        one.close()
    assert not ours(engine_client)
    with rehearsal(tmp_path) as registry:
        assert registry.start() == host
        two = client(host, "team/echo")
        assert two.blob(blob) == content
        two.close()


@pytest.mark.usefixtures("image")
def test_a_container_that_a_killed_run_left_is_removed(engine_client: docker.DockerClient, tmp_path: Path) -> None:
    made = engine_client.api.create_container(NAME, labels={LABEL: "999999999 another:1"})
    with rehearsal(tmp_path) as registry:
        registry.start()
        left = {str(item.id) for item in engine_client.containers.list(all=True, filters={"label": LABEL})}
        assert made["Id"] not in left


@pytest.mark.usefixtures("image")
def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with rehearsal(tmp_path / "first") as first:
        port = int(first.start().rpartition(":")[2])
        with rehearsal(tmp_path / "second") as second, pytest.raises(ConfigurationError, match=f"Port {port}"):
            second.start(port)


def test_an_image_that_does_not_serve_is_told_with_its_log(
    engine_client: docker.DockerClient, image: str, tmp_path: Path
) -> None:
    name = f"pipeline-test-{os.getpid()}/broken:2"
    recipe = io.BytesIO(f'FROM {image}\nCMD ["no-such-command"]\n'.encode())
    engine_client.images.build(fileobj=recipe, tag=name, rm=True)
    try:
        with rehearsal(tmp_path, name) as registry, pytest.raises(RegistryTrouble, match="could not start"):
            registry.start()
        assert not ours(engine_client)
    finally:
        engine_client.images.remove(name, force=True)


def test_without_such_an_image_the_command_that_installs_the_program_is_told(tmp_path: Path) -> None:
    assert starter("pipeline-test/no-such-registry:2") is None
    assert starter("") is None
    with (
        rehearsal(tmp_path, "pipeline-test/no-such-registry:2") as registry,
        pytest.raises(RegistryTrouble, match="needs a program"),
    ):
        registry.start()
