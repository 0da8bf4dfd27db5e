"""One container as the stages see it: how it is asked for, and what can be done with it and to it.

Part of :mod:`pipeline.core.containers`, from where it is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import TargetFault

TMP = "/tmp"  # nosec B108 - in the container, not on this machine
"""The folder that can be written in a container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRequest:
    """A hardened container: read-only root, no capability, no new privileges, limits, one port on loopback.

    ``image`` is an image id. The host's port is chosen by the system. ``secrets`` are environment values that must
    never be shown; they are given to the container like ``environment``. ``tmp_mb`` and ``shm_mb`` are the sizes of the
    only two places that can be written, /tmp and /dev/shm, in mebibytes; both live in memory and count as such. Without
    a size for it /tmp can't be written either. ``nameservers`` take the place of the engine's own. ``files`` are files
    of this machine that can be read in the container, by their paths there.
    """

    image: str
    name: str
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int = 128
    cpus: float = 1.0
    pids: int = 64
    tmp_mb: int = 32
    shm_mb: int = 16
    nameservers: tuple[str, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """``status`` is the engine's word (running, exited, …). ``exit_code`` counts only when it has exited."""

    status: str
    exit_code: int
    out_of_memory: bool
    health: str

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self.status == "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """How a program ended that was run inside a container: its exit code (137 is a kill) and all that it wrote."""

    exit_code: int
    output: str


class ContainerEnded(TargetFault):
    """A container ended by itself before it could be used; the message has its exit code and the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a container has used since its start: seconds of processor time; and the bytes of memory it holds now,
    without the file cache that can be given back. 0 where the engine does not measure it.
    """

    cpu_s: float
    memory_bytes: int


class Container(Protocol):
    """A container that was started by us."""

    @property
    def id(self) -> str:
        """The engine's id of it."""
        ...

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:<port>``, the port being the one that the system chose.

        Raises:
            ContainerEnded: it is not running any more, so it has no port.
        """
        ...

    def state(self) -> ContainerState:
        """What it does now."""
        ...

    def logs(self) -> str:
        """All that it wrote, both streams."""
        ...

    def usage(self) -> Usage:
        """What it has used, by the engine's own measurement."""
        ...

    def inspect(self) -> dict[str, Any]:
        """The engine's own answer, with the values of secrets masked."""
        ...

    def stop(self, timeout_s: float) -> ContainerState:
        """SIGTERM, wait at most so long, then SIGKILL; the state after that (137 is a kill)."""
        ...

    def kill(self) -> ContainerState:
        """SIGKILL; the state after that."""
        ...

    def start_again(self) -> None:
        """Start it anew after its end. Its port may be another then; what it had written is gone."""
        ...

    def pause(self) -> None:
        """Freeze all its processes, until the next signal for it (:meth:`stop`, :meth:`kill`)."""
        ...

    def execute(self, argv: Sequence[str]) -> Executed:
        """Run a program in it, beside its own, as its own user. Raises EngineTrouble when it can't be started."""
        ...

    def remove(self) -> None:
        """Kill it if it runs, and forget it. Never raises for one that is gone."""
        ...
