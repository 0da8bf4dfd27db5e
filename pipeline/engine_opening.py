"""Opens the container engine for a run: found where one answers, else, where that is allowed, installed and started."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import cast

from pipeline.core.containers import ContainerEngine
from pipeline.core.ports import ProcessRunner, Progress
from pipeline.engines.discovery import REFUSED, STANDARD_SOCKET, Endpoint, Search, find_endpoint
from pipeline.engines.engine_at_hand import EngineAtHand
from pipeline.engines.unix_socket import NoPlainAnswer
from pipeline.errors import EngineTrouble
from pipeline.execution.engine_installation import Machine
from pipeline.execution.engine_process import EnginePlace
from pipeline.execution.provisioning import Provisioner
from pipeline.settings import Engine

_STANDARD = f"unix://{STANDARD_SOCKET}"


def open_engine(
    settings: Engine, environ: Mapping[str, str], processes: ProcessRunner, progress: Progress
) -> ContainerEngine:
    """The engine that answers first, by ``engine.host``, DOCKER_HOST, the Docker context and the usual sockets.

    With ``engine.provision = "auto"`` a missing one is installed and started. An engine that the user named and that
    does not answer is never replaced by another, unless it is the standard socket, where ours would listen too.

    Raises:
        EngineTrouble: no engine; the message lists every place that was tried and has the command that mends it.
    """
    search = find_endpoint(settings.host, environ)
    endpoint = search.found or _provisioned(search, settings, standard_provisioner(environ, processes, progress))
    progress.say(f"container engine at {endpoint.address}, from {endpoint.named_by}")
    whole = partial(_whole, endpoint, settings.timeout_s, progress)
    try:
        # A cast, since what it can do besides two questions is found in the whole engine by name.
        return cast(ContainerEngine, EngineAtHand(endpoint.address, settings.timeout_s, whole))
    except NoPlainAnswer:
        return whole()


def standard_provisioner(environ: Mapping[str, str], processes: ProcessRunner, progress: Progress) -> Provisioner:
    """What starts, stops and describes the engine that this machine's checkouts share (``pipeline engine
    status|stop``).
    """
    return Provisioner(EnginePlace.standard(), Machine(processes=processes, progress=progress, environ=environ))


def _whole(endpoint: Endpoint, timeout_s: float, progress: Progress) -> ContainerEngine:
    """The engine by the docker SDK, whose loading takes longer than what a run asks in which nothing has changed."""
    engine: ContainerEngine = import_module("pipeline.engines.docker_engine").DockerEngine(
        endpoint, timeout_s=timeout_s, progress=progress
    )
    return engine


def _provisioned(search: Search, settings: Engine, provisioner: Provisioner) -> Endpoint:
    tried = "Tried: " + "; ".join(search.tried) + "."
    if search.explicit not in ("", _STANDARD):
        raise EngineTrouble(
            "The container engine that was named does not answer.", why=tried, advice="Start it, or name another one."
        )
    obstacle = provisioner.obstacle if settings.provision == "auto" else 'engine.provision is "never".'
    if REFUSED in tried:
        advice = 'Let this user use it: sudo usermod -aG docker "$USER", then log in again.'
        raise EngineTrouble("A container engine is there, and this user may not use it.", why=tried, advice=advice)
    if obstacle:
        raise EngineTrouble("No container engine answers.", why=f"{tried} {obstacle}", advice=provisioner.advice)
    provisioner.start()
    started = find_endpoint(_STANDARD, {})
    if started.found is None:
        raise EngineTrouble("The engine that was started does not answer.", why="; ".join(started.tried))
    return started.found
