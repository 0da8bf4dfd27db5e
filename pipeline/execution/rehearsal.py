"""The rehearsal registry: a real one on loopback, with its storage in the checkout. Debian's ``docker-registry`` is it
as our child; where that is not installed, a container of an image that the engine has.

It shows the whole of a push without any registry to push to. Its storage lasts, so that the next canary has a
release to compare with; the process ends with the one that started it. Source of the configuration: the
distribution project's documentation, "Configuring a registry" (release 2.8).
"""

from __future__ import annotations

import atexit
import contextlib
import http.client
import json
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from pipeline.core.ports import Clock, Progress
from pipeline.core.served import RegistryStarter, Served
from pipeline.errors import ConfigurationError, RegistryTrouble
from pipeline.execution.files import write_atomically
from pipeline.execution.processes import end_process, process_started
from pipeline.execution.registry_program import LOOPBACK, ProgramStarter, find_program

_NONCE_HEADER = "X-Pipeline-Rehearsal"
_READY_S = 15.0
_PORTS_TRIED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """The child, its port, and the process that started it."""

    child: Served
    port: int
    owner: int

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{LOOPBACK}:{self.port}"


class RehearsalRegistry:
    """A registry on loopback while this is open; ``storage`` and ``state`` last, ``program`` finds the binary.

    ``otherwise`` is asked where there is no program: it gives another way to start one, or none.
    """

    def __init__(
        self,
        storage: Path,
        state: Path,
        *,
        clock: Clock,
        progress: Progress,
        program: Callable[[], str] = find_program,
        otherwise: Callable[[], RegistryStarter | None] = lambda: None,
    ) -> None:
        self._storage = storage
        self._state = state / "rehearsal"
        self._clock = clock
        self._progress = progress
        self._program = program
        self._otherwise = otherwise
        self._running: _Running | None = None

    def __enter__(self) -> RehearsalRegistry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def log(self) -> Path:
        """Where it writes what it does; of the last start only."""
        return self._state / "registry.log"

    def start(self, port: int = 0) -> str:
        """Start it, unless it runs; ``host:port``. Without a ``port`` the last one is taken if it is free, else any.

        Raises:
            ConfigurationError: ``port`` was asked for and is taken.
            RegistryTrouble: the program is missing, or does not serve.
        """
        if self._running is not None and self._running.child.running:
            return self._running.address
        starter = self._starter()
        self._storage.mkdir(parents=True, exist_ok=True)
        self._state.mkdir(parents=True, exist_ok=True)
        self._end_leftovers()
        for wanted in [port] if port else [self._last_port(), *[0] * _PORTS_TRIED]:
            free = free_port(wanted)
            running = self._serving(starter, free) if free else None
            if running is not None:
                write_atomically(self._state / "port.json", json.dumps({"port": running.port}) + "\n")
                return running.address
        if port:
            raise ConfigurationError(
                f"Port {port} of {LOOPBACK} is taken, so the rehearsal registry can't use it.",
                advice="Choose another port, or none: then a free one is found.",
            )
        raise RegistryTrouble("The rehearsal registry found no free port.", why=self._log_tail())

    def close(self) -> None:
        """Stop it. The storage stays."""
        running, self._running = self._running, None
        # A forked copy of this process (and of its exit handlers) does not own the child.
        if running is not None and os.getpid() == running.owner:
            running.child.stop()
            self._record(running.child.pid).unlink(missing_ok=True)
            atexit.unregister(self.close)

    def serve(self, port: int = 0) -> NoReturn:
        """Start it and stay until interrupted: the command ``pipeline registry``.

        Raises:
            KeyboardInterrupt: the way in which this ends; the registry has been stopped.
            ConfigurationError: ``port`` is taken.
            RegistryTrouble: it could not be started, or ended by itself.
        """
        with self:
            self._progress.say(
                f"The rehearsal registry serves at http://{self.start(port)}/v2/ until you press Ctrl-C."
            )
            while self._running is not None and self._running.child.running:
                self._clock.sleep(0.5)
            raise RegistryTrouble("The rehearsal registry ended by itself.", why=self._log_tail())

    def _starter(self) -> RegistryStarter:
        try:
            return ProgramStarter(self._program())
        except RegistryTrouble:
            starter = self._otherwise()
            if starter is None:
                raise
            self._progress.say("the rehearsal registry runs in a container, since its program is not installed")
            return starter

    def _serving(self, starter: RegistryStarter, port: int) -> _Running | None:
        """Start it on ``port`` and wait until it answers; none when somebody else took the port meanwhile."""
        nonce = secrets.token_hex(8)
        configuration = self._state / "registry.json"
        # JSON is YAML too, so no YAML writer is needed.
        seen = starter.seen(port, self._storage)
        write_atomically(configuration, json.dumps(_configuration(seen["addr"], seen["root"], nonce), indent=2) + "\n")
        child = starter.start(configuration, port=port, storage=self._storage, log=self.log)
        self._running = running = _Running(child=child, port=port, owner=os.getpid())
        atexit.register(self.close)
        try:
            self._remember(running)
            return running if self._answers(running, nonce) else None
        except BaseException:
            self.close()
            raise

    def _answers(self, running: _Running, nonce: str) -> bool:
        deadline = self._clock.monotonic() + _READY_S
        while running.child.running:
            # The nonce tells it from a stranger that took the port in the moment between.
            if _nonce_at(running.port) == nonce:
                return True
            if self._clock.monotonic() > deadline:
                raise RegistryTrouble(
                    f"The rehearsal registry did not answer within {_READY_S:.0f} seconds.", why=self._log_tail()
                )
            self._clock.sleep(0.02)
        self.close()
        if "address already in use" in self._log_text():
            return False
        raise RegistryTrouble("The rehearsal registry could not start.", why=self._log_tail())

    def _record(self, pid: int) -> Path:
        return self._state / f"child-{pid}.json"

    def _remember(self, running: _Running) -> None:
        record = {
            "pid": running.child.pid,
            "started": process_started(running.child.pid),
            "owner": running.owner,
            "owner_started": process_started(running.owner),
            "port": running.port,
        }
        write_atomically(self._record(running.child.pid), json.dumps(record, indent=2) + "\n")

    def _end_leftovers(self) -> None:
        """End registries whose owner was killed, and forget records of those that have ended; leave others in peace."""
        for path in self._state.glob("child-*.json"):
            record = _read(path)
            owner, owner_started = record.get("owner"), record.get("owner_started")
            if isinstance(owner, int) and owner_started and process_started(owner) == owner_started:
                continue
            pid, started = record.get("pid"), record.get("started")
            if isinstance(pid, int) and isinstance(started, str) and end_process(pid, started):
                self._progress.say(f"ended a rehearsal registry that a killed run had left (pid {pid})")
            path.unlink(missing_ok=True)

    def _last_port(self) -> int:
        """The port of the last time: names like ``127.0.0.1:port/name`` then stay the same from run to run."""
        port = _read(self._state / "port.json").get("port")
        return port if isinstance(port, int) and 1024 <= port <= 65535 else 0

    def _log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="backslashreplace") if self.log.exists() else ""

    def _log_tail(self) -> str:
        lines = self._log_text().strip().splitlines()
        return f"Its log ends with: {lines[-1][-400:]}" if lines else "Its log is empty."


def _configuration(address: str, root: str, nonce: str) -> dict[str, Any]:
    return {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": root},
            "delete": {"enabled": True},
            # No cache of descriptors: a second process may serve the same storage.
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {
            "addr": address,
            "secret": secrets.token_hex(16),
            "headers": {_NONCE_HEADER: [nonce], "X-Content-Type-Options": ["nosniff"]},
        },
    }


def free_port(wanted: int = 0) -> int:
    """A port of loopback that nobody listens on now: ``wanted`` if it is one, 0 if that is taken; any for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError:
            return 0
        port: int = probe.getsockname()[1]
        return port


def _nonce_at(port: int) -> str:
    """The nonce of the registry that answers there, or nothing while none does."""
    with contextlib.closing(http.client.HTTPConnection(LOOPBACK, port, timeout=2.0)) as connection:
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().headers.get(_NONCE_HEADER, "")
        except (OSError, http.client.HTTPException):
            # Not up yet; the caller knows until when it may take.
            return ""


def _read(path: Path) -> dict[str, Any]:
    """A small record of ours; empty when it is missing or damaged, since a killed run may have left anything."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
