"""A registry program that we start for the rehearsal, wherever it runs: on this machine, or in a container."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class Served(Protocol):
    """A registry that was started. What it says goes to its log file, at the latest when it has ended."""

    @property
    def pid(self) -> int:
        """Its process on this machine; 0 where it is none of ours."""
        ...

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        ...

    def stop(self) -> None:
        """End it; harmless when it has ended."""
        ...


class RegistryStarter(Protocol):
    """Starts one. It sees ports and folders in its own way, which :meth:`seen` tells."""

    def seen(self, port: int, storage: Path) -> Mapping[str, str]:
        """``addr``, where it must listen to be reached on ``port`` of loopback; ``root``, its name for the storage."""
        ...

    def start(self, configuration: Path, *, port: int, storage: Path, log: Path) -> Served:
        """Start it. Raises RegistryTrouble when that is not possible; a port that is taken is told by the log."""
        ...
