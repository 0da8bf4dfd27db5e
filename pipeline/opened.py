"""What is opened when a stage first asks for it, and closed at the end of a run: engine, registries, bases.

The parts are imported here inside the functions, because the container SDK alone costs more time than a stage that
needs none.
"""

# pylint: disable=import-outside-toplevel  # the reason is in the first lines

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.ports import ProcessRunner, Progress, Redactor
from pipeline.execution.clock import SystemClock
from pipeline.execution.releases import ReleaseFile
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.attestation.signing import Signing
    from pipeline.core.advisories import AdvisorySource
    from pipeline.core.bases import BaseSet
    from pipeline.core.containers import ContainerEngine, Registries
    from pipeline.core.debian_advisories import DebianIndex
    from pipeline.core.served import RegistryStarter
    from pipeline.core.traffic import TrafficSource
    from pipeline.core.wire import Wire
    from pipeline.registry_opening import OpenedRegistries


class Opened:
    """Opens each part when it is first asked for; also the BaseImages of a checkout, whose own folder is ``folder``."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        *,
        environ: Mapping[str, str],
        processes: ProcessRunner,
        progress: Progress,
        redact: Redactor,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._environ = environ
        self._processes = processes
        self._progress = progress
        self._redact = redact
        self._clock = SystemClock()
        self.releases = ReleaseFile(folder / "state" / "releases.json", self._clock)
        self._engine: ContainerEngine | None = None
        self._registries: OpenedRegistries | None = None

    def engine(self) -> ContainerEngine:
        """The container engine. Raises EngineTrouble when none answers and none may be started."""
        from pipeline.engine_opening import open_engine

        if self._engine is None:
            self._engine = open_engine(
                self._settings.engine, environ=self._environ, processes=self._processes, progress=self._progress
            )
        return self._engine

    def registries(self) -> Registries:
        """The registries that a release may be pushed to."""
        from pipeline.registry_opening import open_registries

        if self._registries is None:
            self._registries = open_registries(
                self._settings.push,
                self._folder,
                releases=self.releases,
                clock=self._clock,
                progress=self._progress,
                redact=self._redact,
                environ=self._environ,
                program=self._registry_program,
                otherwise=self._registry_container,
            )
        return self._registries

    def signing(self, run: str, version: str) -> Signing:
        """With what a push is signed. Raises ConfigurationError when the key can't be used."""
        from pipeline.signing_opening import open_signing

        return open_signing(self._settings.push, self._environ, self._redact, run=run, version=version)

    def _registry_container(self) -> RegistryStarter | None:
        """The rehearsal in a container of the engine that the run uses, if it has such an image."""
        from pipeline.registry_opening import in_container

        self.engine()
        return in_container(self._settings.push, self._settings.engine.host, self._environ)

    def _registry_program(self) -> str:
        """The rehearsal's program; where it is missing and may be installed, it is."""
        from pipeline.execution.engine_installation import Machine, install_packages
        from pipeline.execution.registry_program import PROGRAM, find_program

        machine = Machine(processes=self._processes, progress=self._progress, environ=self._environ)
        allowed = self._settings.engine.provision == "auto" and machine.user == 0 and machine.is_debian
        if allowed and machine.find(PROGRAM) is None:
            install_packages(machine, (PROGRAM,))
        return find_program()

    def advisories(self, export: Path) -> AbstractContextManager[AdvisorySource]:
        """An offline snapshot of advisories that answers on loopback for as long as the context lasts."""
        from pipeline.execution.osv_server import served

        return served(export)

    def debian_advisories(self, export: Path) -> DebianIndex:
        """An offline snapshot of Debian's advisories."""
        from pipeline.execution.advisories import read_debian_export
        from pipeline.images.versions import debian_order

        return read_debian_export(export, debian_order)

    @property
    def traffic(self) -> TrafficSource:
        """What sends a canary's requests."""
        from pipeline.execution.traffic import HttpTraffic

        return HttpTraffic()

    @property
    def wire(self) -> Wire:
        """What sends smoke's raw bytes."""
        from pipeline.execution.wire import SocketWire

        return SocketWire()

    def ensure(self, engine: ContainerEngine, progress: Progress) -> BaseSet:
        """The base images, ready in ``engine``."""
        from pipeline.base_images import LockedBases
        from pipeline.base_renewal import in_need

        build = self._settings.build
        renewing = None if build.require_locked_base else in_need(self._processes, self._clock)
        bases = LockedBases(self._folder / "cache", mirror=build.debian_mirror, renewing=renewing)
        return bases.ensure(engine, progress)

    def forget(self) -> None:
        """In a process that was forked: what is open belongs to the one that has opened it, and is left alone."""
        self._engine = self._registries = None

    def close(self) -> None:
        """Stop the rehearsal registry and give the sockets back."""
        if self._registries is not None:
            self._registries.close()
            self._registries = None
        if self._engine is not None:
            self._engine.close()
            self._engine = None
