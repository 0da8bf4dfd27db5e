"""The registry program of this machine, Debian's ``docker-registry``, as a child of this process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import RegistryTrouble, ToolTrouble
from pipeline.execution.processes import Companion

PROGRAM = "docker-registry"
INSTALL_COMMAND = "apt-get install -y docker-registry"
LOOPBACK = "127.0.0.1"


def installed_program() -> str:
    """The path of the registry program; empty where it is not installed."""
    return shutil.which(PROGRAM) or shutil.which(PROGRAM, path="/usr/local/bin:/usr/bin:/usr/sbin") or ""


def find_program() -> str:
    """The path of the registry program.

    Raises:
        RegistryTrouble: it is not installed; the advice is the command that does it.
    """
    found = installed_program()
    if not found:
        raise RegistryTrouble(
            f"The rehearsal registry needs the program {PROGRAM}, and it is not installed.",
            advice=f"Install it with: {INSTALL_COMMAND}; or bring the image registry:2 into the container engine; "
            "or name a registry of yours in push.registry.",
        )
    return found


@dataclass(frozen=True, slots=True)
class ProgramStarter:
    """Fulfils :class:`pipeline.core.served.RegistryStarter` with the program at ``path``."""

    path: str

    def seen(self, port: int, storage: Path) -> Mapping[str, str]:
        """As they are."""
        return {"addr": f"{LOOPBACK}:{port}", "root": str(storage)}

    def start(self, configuration: Path, *, port: int, storage: Path, log: Path) -> Companion:
        """Start it."""
        del port, storage
        # A clean environment: variables like REGISTRY_HTTP_ADDR would override the configuration.
        argv = [self.path, "serve", str(configuration)]
        try:
            return Companion(argv, cwd=configuration.parent, log=log, env={"PATH": os.defpath})
        except ToolTrouble as error:
            raise RegistryTrouble(error.what, advice=f"Mend the installation: {INSTALL_COMMAND}") from error
