"""The rehearsal registry in a container, where the registry program is not installed and the engine has an image of it.

Nothing is ever pulled for it. The image is one like ``registry:2`` of the distribution project, whose command reads
``/etc/docker/registry/config.yml``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound

from pipeline.engines.discovery import Endpoint
from pipeline.engines.docker_container import remove_container
from pipeline.engines.docker_faults import explanation, speaking

LABEL = "pipeline.rehearsal"
"""Its value names the checkout and the process whose registry it is."""
_PORT, _ROOT, _CONFIGURATION = 5000, "/var/lib/registry", "/etc/docker/registry/config.yml"
_TIMEOUT_S = 30.0
_TAKEN = ("already allocated", "address already in use")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStarter:
    """Fulfils :class:`pipeline.core.served.RegistryStarter` with the image ``image_id``.

    ``owner`` names this process, and ``is_alive`` says of such a name whether that process still is.
    """

    endpoint: Endpoint
    image_id: str
    owner: str
    is_alive: Callable[[str], bool]

    def seen(self, port: int, storage: Path) -> Mapping[str, str]:
        """Inside it has always the same port and folder."""
        del port, storage
        return {"addr": f":{_PORT}", "root": _ROOT}

    def start(self, configuration: Path, *, port: int, storage: Path, log: Path) -> RegistryContainer:
        """Start it as hardened as it can be: our user, nothing to write but the storage, one port on loopback."""
        with speaking("start the rehearsal registry"):
            client = self.endpoint.connect(_TIMEOUT_S)
        started = RegistryContainer(client, log)
        try:
            with speaking("start the rehearsal registry"):
                self._forget_the_dead(client)
                host = client.create_host_config(
                    binds={
                        str(storage.resolve()): {"bind": _ROOT, "mode": "rw"},
                        str(configuration.resolve()): {"bind": _CONFIGURATION, "mode": "ro"},
                    },
                    port_bindings={_PORT: ("127.0.0.1", port)},
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                    read_only=True,
                    mem_limit="256m",
                    pids_limit=128,
                )
                made: dict[str, Any] = client.create_container(
                    self.image_id,
                    user=f"{os.getuid()}:{os.getgid()}",
                    ports=[_PORT],
                    labels={LABEL: self.owner},
                    host_config=host,
                )
                started.identity = str(made["Id"])
                started.begin()
        except BaseException:
            started.stop()
            raise
        return started

    def _forget_the_dead(self, client: docker.APIClient) -> None:
        """Remove those of processes that were killed; others, also of other checkouts, are left in peace."""
        for found in client.containers(all=True, filters={"label": LABEL}):
            if not self.is_alive(str(found["Labels"][LABEL])):
                remove_container(client, str(found["Id"]))


class RegistryContainer:
    """Fulfils :class:`pipeline.core.served.Served`."""

    pid = 0

    def __init__(self, client: docker.APIClient, log: Path) -> None:
        self._client = client
        self._log = log
        self.identity = ""

    def begin(self) -> None:
        """Start it. A port that somebody has taken meanwhile is left to the log to tell."""
        self._log.write_bytes(b"")
        try:
            self._client.start(self.identity)
        except APIError as error:
            if not any(sign in explanation(error) for sign in _TAKEN):
                raise
            self._log.write_text(f"address already in use: {explanation(error)}\n", encoding="utf-8")

    @property
    def running(self) -> bool:
        """Whether it has not ended; when it has, its log is in the file."""
        with speaking("describe the rehearsal registry"):
            try:
                state = self._client.inspect_container(self.identity)["State"]
            except NotFound:
                return False
            if not state["Running"] and not self._log.stat().st_size:
                self._log.write_bytes(self._client.logs(self.identity, tail=50))
        return bool(state["Running"])

    def stop(self) -> None:
        """Stop and remove it, and give the socket back."""
        identity, self.identity = self.identity, ""
        if identity:
            # Killed at once: whatever was answered is in its storage.
            with speaking("stop the rehearsal registry"):
                remove_container(self._client, identity)
        self._client.close()


def container_starter(
    endpoint: Endpoint | None, image: str, owner: str, is_alive: Callable[[str], bool]
) -> ContainerStarter | None:
    """A starter for the image of that name; none where there is no engine of this machine, or it has no such image.

    Raises:
        EngineTrouble: the engine gives no sound answer.
    """
    if endpoint is None or not endpoint.local or not image:
        return None
    with speaking("look for a registry's image"), contextlib.closing(endpoint.connect(_TIMEOUT_S)) as connected:
        client: Any = connected  # its stubs declare some calls without types
        try:
            found: dict[str, Any] = client.inspect_image(image)
        except ImageNotFound:
            return None
    return ContainerStarter(endpoint=endpoint, image_id=str(found["Id"]), owner=owner, is_alive=is_alive)
