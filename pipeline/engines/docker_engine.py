"""The Docker engine (and Podman's imitation of it) behind the ContainerEngine Protocol, through the docker SDK.

Only the SDK's low-level calls are used: the high-level ones pull silently and drop the errors of a stream.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import docker
from docker.errors import APIError, NotFound

from pipeline.core.containers import (
    OWNER_LABEL,
    RUN_LABEL,
    BuildFault,
    BuildRequest,
    Container,
    ContainerRequest,
    Image,
    Ownership,
)
from pipeline.core.ports import Progress
from pipeline.engines import docker_stream
from pipeline.engines.discovery import Endpoint
from pipeline.engines.docker_answers import Described, image_of
from pipeline.engines.docker_container import remove_container, start_hardened
from pipeline.engines.docker_faults import (
    SDK_ERRORS,
    explanation,
    message_error,
    recipe_is_at_fault,
    speaking,
    status_of,
    tail,
)
from pipeline.engines.docker_images import names_of, remove_nameless, untag
from pipeline.errors import EngineTrouble, RegistryTrouble, StorageTrouble

T = TypeVar("T")

_PING_S = 5.0
_TRANSFER_S = 600.0
_CHUNK = 1024 * 1024
_BAD_REQUEST = 400
_STEP_WIDTH = 100


class DockerEngine(Described):
    """A ContainerEngine at an endpoint that answers. ``timeout_s`` is how long it may stay silent."""

    def __init__(self, endpoint: Endpoint, *, timeout_s: float, progress: Progress) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._progress = progress
        with speaking("tell its version"):
            self._client = endpoint.connect(timeout_s)
            try:
                self._about = self._client.version()
            except BaseException:
                self._client.close()
                raise

    def build(self, request: BuildRequest) -> tuple[str, str]:
        """Build with the classic builder; the image id and the build's log.

        Raises:
            BuildFault: the recipe is at fault.
            EngineTrouble: anything else; an engine that dies, a full disk, a base image that can't be had.
        """
        log: list[str] = []
        identity = ""
        with request.context.open("rb") as context, speaking("build the image"):
            try:
                stream = self._messages(
                    lambda client: client.build(
                        fileobj=context,
                        custom_context=True,
                        dockerfile=request.dockerfile,
                        tag=request.tag or None,
                        nocache=not request.use_cache,
                        decode=True,
                        rm=True,
                        forcerm=True,
                        timeout=round(request.timeout_s),
                        buildargs=dict(request.arguments),
                        labels=dict(request.labels) or None,
                        network_mode=request.network,
                        use_config_proxy=False,
                    ),
                    request.timeout_s,
                    "build the image",
                )
                with contextlib.closing(stream) as messages:
                    for message in messages:
                        self._note(message, log)
                        identity = str((message.get("aux") or {}).get("ID") or identity)
            except APIError as error:
                if status_of(error) != _BAD_REQUEST:
                    raise
                raise BuildFault(
                    f"{request.dockerfile} can't be built.", why=explanation(error), log=explanation(error)
                ) from error
        text = "".join(log)
        if not identity:
            raise EngineTrouble("The build ended, and the engine named no image.", why=tail(text))
        return identity, text

    def load(self, archive: Path) -> None:
        """Load a docker-archive."""
        with archive.open("rb") as data, speaking("load an image"):
            self._every(lambda client: _untyped(client).load_image(data), _TRANSFER_S, "load an image", EngineTrouble)

    def image(self, reference: str) -> Image | None:
        """The image with this id or tag, or none."""
        with speaking("describe an image"):
            try:
                answer: dict[str, Any] = _untyped(self._client).inspect_image(reference)
                history: list[dict[str, Any]] = _untyped(self._client).history(answer["Id"])
            except NotFound:
                return None
        return image_of(answer, history)

    def export(self, reference: str, target: Path) -> None:
        """Write the image as a docker-archive (``docker save``) to ``target``."""
        with target.open("wb") as file, speaking("export an image"):
            chunks = self._messages(
                lambda client: docker_stream.joined(client.get_image(reference, _CHUNK), _CHUNK),
                _TRANSFER_S,
                "export an image",
            )
            with contextlib.closing(chunks) as pieces:
                for piece in pieces:
                    _write(file, piece)

    def tag(self, image: str, reference: str) -> None:
        """Give an image a name of its own."""
        repository, _, tag = reference.rpartition(":")
        with speaking(f"name an image {reference}"):
            self._client.tag(image, repository, tag, force=True)

    def start(self, request: ContainerRequest) -> Container:
        """Create and start a hardened container.

        Raises:
            TargetFault: the image names nothing that can be started.
            EngineTrouble: the engine failed, or is on another machine, whose loopback interface is out of reach.
        """
        if not self._endpoint.local:
            raise EngineTrouble(
                f"The engine at {self._endpoint.address} is on another machine.",
                why="Containers are published on its loopback interface only, so their answers are out of reach.",
                advice="Run the pipeline there, or name a local engine with engine.host.",
            )
        return start_hardened(self._client, request)

    def pull(self, reference: str, credentials: Mapping[str, str], *, timeout_s: float = _TRANSFER_S) -> str:
        """Pull by ``name@digest``; the image id."""
        if "@sha256:" not in reference:
            raise ValueError(f"pull takes name@digest, not {reference!r}")
        with speaking(f"pull {reference}"):
            self._every(
                lambda client: client.pull(reference, stream=True, decode=True, auth_config=dict(credentials)),
                timeout_s,
                f"pull {reference}",
                RegistryTrouble,
            )
        image = self.image(reference)
        if image is None:
            raise RegistryTrouble(f"{reference} was pulled, and the engine does not have it.")
        return image.id

    def names(self, reference: str) -> Sequence[str]:
        """Every name of the image with this name, those by digest too; nothing when there is no such image."""
        with speaking("describe an image"):
            return names_of(self._client, reference)

    def untag(self, name: str) -> bool:
        """Take a name away, and with its last name an image that no container uses; whether it was taken away."""
        with speaking("take a name from an image"):
            return untag(self._client, name)

    def remove_nameless(self, label: str, seconds: float) -> int:
        """Remove the images without a name that have the label and are so many seconds old; how many that were."""
        with speaking("remove images without a name"):
            return remove_nameless(self._client, label, seconds)

    def remove_leftovers(self, ownership: Ownership) -> Sequence[str]:
        """Remove the containers and networks that this checkout's earlier runs left; the names of what was removed."""
        ours = {"label": f"{OWNER_LABEL}={ownership.checkout}"}
        with speaking("remove what earlier runs left"):
            containers = _earlier(self._client.containers(all=True, filters=ours), ownership.run)
            removed = [_name(found) for found in containers if remove_container(self._client, str(found["Id"]))]
            for network in _earlier(self._client.networks(filters=ours), ownership.run):
                with contextlib.suppress(NotFound):
                    self._client.remove_network(network["Id"])
                    removed.append(str(network["Name"]))
        return removed

    def close(self) -> None:
        """Give its sockets back."""
        self._client.close()

    def _messages(self, call: Callable[[docker.APIClient], Iterable[T]], total_s: float, doing: str) -> Any:
        patience = docker_stream.Patience(total_s=total_s, silence_s=self._timeout_s, answers=self._answers)
        client = self._endpoint.connect(total_s, self._client.api_version)
        return docker_stream.messages(client, call, patience, doing)

    def _every(
        self,
        call: Callable[[docker.APIClient], Iterable[Any]],
        total_s: float,
        doing: str,
        trouble: type[EngineTrouble | RegistryTrouble],
    ) -> list[dict[str, Any]]:
        """All messages of an exchange. Raises ``trouble`` for the first that is an error."""
        said = []
        with contextlib.closing(self._messages(call, total_s, doing)) as messages:
            for message in messages:
                if error := message_error(message):
                    raise trouble(f"The engine could not {doing}.", why=f"It says: {error}")
                said.append(message)
        return said

    def _note(self, message: dict[str, Any], log: list[str]) -> None:
        """Take up one message of a build."""
        text = str(message.get("stream") or message.get("status") or "")
        log.append(text if "stream" in message or not text else f"{text}\n")
        if text.startswith("Step "):
            self._progress.say(f"build: {_short(text)}")
        if error := message_error(message):
            log.append(f"{error}\n")
            said = "".join(log)
            if recipe_is_at_fault(message):
                raise BuildFault("The image can't be built from its recipe.", why=f"{error}\n{tail(said)}", log=said)
            raise EngineTrouble("The engine could not build the image.", why=f"{error}\n{tail(said)}")

    def _answers(self) -> bool:
        try:
            client = self._endpoint.connect(_PING_S, self._client.api_version)
            with contextlib.closing(client):
                return bool(client.ping())
        except SDK_ERRORS:
            return False


def _untyped(client: docker.APIClient) -> Any:
    """The client, for the calls that its stubs declare without types."""
    return client


def _short(step: str) -> str:
    """A build step on one line of a terminal."""
    line = " ".join(step.split())
    return line if len(line) <= _STEP_WIDTH else f"{line[:_STEP_WIDTH]}…"


def _write(file: BinaryIO, piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise StorageTrouble(f"An exported image could not be written: {error.strerror or error}.") from error


def _earlier(found: list[dict[str, Any]], run: str) -> list[dict[str, Any]]:
    """What another run than ``run`` made; a run's own sessions work side by side."""
    return [item for item in found if (item.get("Labels") or {}).get(RUN_LABEL) != run]


def _name(container: dict[str, Any]) -> str:
    return str((container.get("Names") or [container["Id"]])[0]).lstrip("/")
