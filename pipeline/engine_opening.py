"""Opens the container engine for a run: found where one answers, else, where that is allowed, installed and started."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.core.containers import ContainerEngine
from pipeline.core.ports import ProcessRunner, Progress
from pipeline.engines.discovery import STANDARD_SOCKET, Endpoint, Search, find_endpoint
from pipeline.engines.docker_engine import DockerEngine
from pipeline.errors import EngineTrouble
from pipeline.execution.provisioning import EnginePlace, Provisioner
from pipeline.settings import Engine

_STANDARD = f"unix://{STANDARD_SOCKET}"


def open_engine(
    settings: Engine, environ: Mapping[str, str], processes: ProcessRunner, progress: Progress
) -> ContainerEngine:
    """The engine that answers first, by ``engine.host``, DOCKER_HOST, the Docker context and the usual sockets.

    With ``engine.provision = "auto"`` a missing one is installed and started. An engine that the user named and that does not
    answer is never replaced by another, unless it is the standard socket, where ours would listen too.

    Raises:
        EngineTrouble: no engine; the message lists every place that was tried and has the command that mends it.
    """
    search = find_endpoint(settings.host, environ)
    endpoint = search.found or _provisioned(search, settings, processes, progress)
    progress.say(f"container engine at {endpoint.address}")
    return DockerEngine(endpoint, timeout_s=settings.timeout_s, progress=progress)


def _provisioned(search: Search, settings: Engine, processes: ProcessRunner, progress: Progress) -> Endpoint:
    provisioner = Provisioner(EnginePlace.standard(), processes, progress)
    tried = "Tried: " + "; ".join(search.tried) + "."
    if search.explicit not in ("", _STANDARD):
        raise EngineTrouble(
            "The container engine that was named does not answer.", why=tried, advice="Start it, or name another one."
        )
    obstacle = provisioner.obstacle() if settings.provision == "auto" else 'engine.provision is "never".'
    if obstacle:
        raise EngineTrouble("No container engine answers.", why=f"{tried} {obstacle}", advice=provisioner.advice())
    provisioner.start()
    search = find_endpoint(_STANDARD, {})
    if search.found is None:
        raise EngineTrouble("The engine that was started does not answer.", why="; ".join(search.tried))
    return search.found


def prepare_engine(processes: ProcessRunner, progress: Progress, *, place: Path | None = None) -> Provisioner:
    """What ``pipeline engine status`` and ``pipeline engine stop`` work with."""
    return Provisioner(EnginePlace.standard() if place is None else EnginePlace.below(place), processes, progress)
