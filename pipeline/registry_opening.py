"""The registry that the settings name, or the rehearsal, put together from their parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pipeline.core.containers import Registry
from pipeline.core.ports import Clock, Progress, Redactor
from pipeline.core.releases import Releases, place_name
from pipeline.core.served import RegistryStarter
from pipeline.engines.discovery import find_endpoint
from pipeline.engines.registry_auth import Credentials, find_credentials
from pipeline.engines.registry_client import RegistryClient
from pipeline.engines.registry_container import container_starter
from pipeline.engines.registry_transport import Address, RegistryTransport
from pipeline.errors import RegistryTrouble
from pipeline.execution.clock import SystemClock
from pipeline.execution.processes import process_started
from pipeline.execution.registry_program import find_program
from pipeline.execution.rehearsal import RehearsalRegistry
from pipeline.settings_push import Push

if TYPE_CHECKING:
    from pipeline.workplace import Workplace


class OpenedRegistries:
    """Fulfils :class:`pipeline.core.containers.Registries`; :meth:`close` also stops the rehearsal."""

    def __init__(
        self,
        settings: Push,
        *,
        rehearsal: RehearsalRegistry,
        releases: Releases,
        clock: Clock,
        redact: Redactor,
        environ: Mapping[str, str],
    ) -> None:
        self._settings = settings
        self._rehearsal = rehearsal
        self._releases = releases
        self._clock = clock
        self._redact = redact
        self._environ = environ
        self._clients: list[RegistryClient] = []

    def open(self) -> Registry:
        """The repository to push to; its time, ``push.timeout_s``, begins now.

        Raises:
            RegistryTrouble: the rehearsal can't be started, or a credential helper fails.
            ConfigurationError: half a login is set.
        """
        settings = self._settings
        rehearsal = not settings.registry
        if rehearsal:
            address, credentials = Address(host=self._rehearsal.start()), Credentials()
        else:
            address = Address(host=settings.registry, insecure=settings.insecure, ca_file=settings.ca_file)
            credentials = find_credentials(settings.registry, self._environ)
        for secret in credentials.secrets:
            self._redact.also(secret)
        transport = RegistryTransport(
            address, credentials, clock=self._clock, timeout_s=settings.timeout_s, hide=self._redact.also
        )
        client = RegistryClient(transport, settings.repository, rehearsal=rehearsal, credentials=credentials.for_engine)
        self._clients.append(client)
        return client

    def current_release(self) -> str | None:
        """``host/repository@sha256:…`` of what was last released from this checkout to this registry, or none.

        A rehearsal whose storage was emptied has no release, whatever the record says.

        Raises:
            RegistryTrouble: a real registry does not hold any more what was released to it.
        """
        digest = self._releases.last(place_name(self._settings.registry, self._settings.repository))
        if digest is None:
            # Nothing was released from here, so nothing needs to be started or asked.
            return None
        registry = self.open()
        if registry.manifest(digest) is None:
            if registry.rehearsal:
                return None
            raise RegistryTrouble(
                f"{registry.reference} does not hold {digest} any more, which was released last from this checkout.",
                why="Without it there is nothing to compare a candidate with.",
                advice="Restore it; or remove .pipeline/state/releases.json to begin anew with a first release.",
            )
        return f"{registry.reference}@{digest}"

    def close(self) -> None:
        """Stop the rehearsal, and give the sockets back."""
        while self._clients:
            self._clients.pop().close()
        self._rehearsal.close()


def open_registries(
    settings: Push,
    folder: Path,
    *,
    releases: Releases,
    clock: Clock,
    progress: Progress,
    redact: Redactor,
    environ: Mapping[str, str],
    program: Callable[[], str] = find_program,
    otherwise: Callable[[], RegistryStarter | None] = lambda: None,
) -> OpenedRegistries:
    """The registries of a checkout whose own folder (``.pipeline``) is ``folder``. Nothing is started yet.

    ``program`` gives the path of the rehearsal's program, and may install it; ``otherwise`` another way to start one.
    """
    rehearsal = rehearsal_of(folder, clock=clock, progress=progress, program=program, otherwise=otherwise)
    return OpenedRegistries(
        settings, rehearsal=rehearsal, releases=releases, clock=clock, redact=redact, environ=environ
    )


def rehearsal_of(
    folder: Path,
    *,
    clock: Clock,
    progress: Progress,
    program: Callable[[], str] = find_program,
    otherwise: Callable[[], RegistryStarter | None] = lambda: None,
) -> RehearsalRegistry:
    """The rehearsal registry of a checkout whose own folder is ``folder``."""
    return RehearsalRegistry(
        folder / "registry", folder / "state", clock=clock, progress=progress, program=program, otherwise=otherwise
    )


def in_container(push: Push, host: str, environ: Mapping[str, str]) -> RegistryStarter | None:
    """A registry of the image ``push.rehearsal_image``, if the engine (``host``: the setting) has it; else none."""
    me = f"{os.getpid()} {process_started(os.getpid())}"
    return container_starter(find_endpoint(host, environ).found, push.rehearsal_image, me, is_alive)


def is_alive(owner: str) -> bool:
    """Whether the process of that name still is the one that it was."""
    pid, _, started = owner.partition(" ")
    return pid.isdigit() and bool(started) and process_started(int(pid)) == started


def serve(place: Workplace) -> NoReturn:
    """Serve the checkout's rehearsal registry in the foreground: the command ``pipeline registry``.

    Raises:
        KeyboardInterrupt: the way in which this ends; the registry has been stopped.
        RegistryTrouble: it could not be started, or ended by itself.
    """
    rehearsal = rehearsal_of(
        place.state.parent,
        clock=SystemClock(),
        progress=place.console,
        otherwise=lambda: in_container(place.settings.push, place.settings.engine.host, place.environ),
    )
    rehearsal.serve()
