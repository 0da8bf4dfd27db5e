"""Starts a container engine of ours on a machine where none answers, if need be after installing it; and ends it again.

It is detached: it stays when the run has ended, for the next one, and ``pipeline engine stop`` ends it. Each step is
said.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.errors import EngineTrouble, StorageTrouble, ToolTrouble
from pipeline.execution.engine_installation import PROGRAM, SYSTEM_PATH, Machine, advice, install, obstacle
from pipeline.execution.engine_process import EnginePlace, EngineProcess, answers

_READY_S = 60.0
_AFTER_INSTALL_S = 5.0
_OTHERS_S = 20.0
_POLL_S = 0.25
_SAY_EVERY_S = 2.0
_TAIL_LINES = 12
_PASSED_ON = ("HOME", "LANG", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remedy:
    """What to try when an engine's last words hold one of ``signs``, and how that is said."""

    signs: tuple[str, ...]
    options: tuple[str, ...]
    said: str


# Ports are published without iptables too, by docker-proxy; vfs copies where overlay2 would share.
_REMEDIES = (
    _Remedy(
        signs=("iptables", "nf_tables", "network controller"),
        options=("--iptables=false", "--ip6tables=false"),
        said="without iptables, whose rules can't be set here",
    ),
    _Remedy(
        signs=("overlay", "graphdriver", "storage-driver", "storage driver"),
        options=("--storage-driver=vfs",),
        said="with the slow storage driver vfs, because overlay2 does not work here",
    ),
)


class Provisioner:
    """Installs, starts, stops and describes the engine in a place of a machine."""

    def __init__(self, place: EnginePlace, machine: Machine, *, patience_s: float = _READY_S) -> None:
        self._place = place
        self._machine = machine
        self._process = EngineProcess(place)
        self._patience_s = patience_s

    @property
    def obstacle(self) -> str:
        """Why no engine can be provisioned here, as a full sentence; empty when one can."""
        return obstacle(self._machine)

    @property
    def advice(self) -> str:
        """The exact command that a person can run instead, as a full sentence."""
        return advice(self._machine)

    def start(self) -> None:
        """Make an engine answer on the place's socket: install what is missing, start it, wait for it.

        Raises:
            EngineTrouble: it can't be installed, or does not come up; with the end of what it said.
            StorageTrouble: the folder for its run-time files can't be made.
        """
        try:
            self._place.folder.mkdir(parents=True, exist_ok=True)
            guard = (self._place.folder / "start.lock").open("w", encoding="ascii")
        except OSError as error:
            raise StorageTrouble(f"{self._place.folder} can't be written: {error.strerror or error}.") from error
        with guard:
            # Two checkouts may find no engine at the same moment.
            fcntl.flock(guard, fcntl.LOCK_EX)
            if answers(self._place.socket):
                return
            if not self._machine.has_engine:
                install(self._machine)
                # Where a service manager is at work the installation has started the engine.
                if self._wait(_AFTER_INSTALL_S):
                    return
            self._bring_up()

    def stop(self) -> str:
        """End the engine that was started here, and only that; says what was done."""
        pid = self._process.stop()
        return f"The engine (pid {pid}) was stopped." if pid else "No engine of ours is running."

    def status(self) -> str:
        """Whether our engine runs and answers, in full sentences."""
        pid = self._process.pid()
        heard = "answers" if answers(self._place.socket) else "does not answer"
        if pid is None:
            return f"No engine of ours is running. On {self._place.socket} an engine {heard}."
        return f"Our engine (pid {pid}) {heard} on {self._place.socket}. Its log is {self._place.log}."

    def _bring_up(self) -> None:
        """Start it; when it says that a part of the machine does not play along, once more without that part."""
        other = self._process.other()
        if other is not None:
            # It may just be coming up: a service manager starts it with the machine, or when it has been installed.
            if self._wait(min(self._patience_s, _OTHERS_S), lambda: self._process.other() == other):
                return
            # It may also have failed at its start.
            other = self._process.other()
        if other is not None:
            raise EngineTrouble(
                f"A {PROGRAM} (pid {other}) is running and does not answer on {self._place.socket}.",
                advice="Name its address with engine.host or DOCKER_HOST, or stop it.",
            )
        left = list(_REMEDIES)
        options: tuple[str, ...] = ()
        while (said := self._attempt(options)) is not None:
            remedy = next((r for r in left if any(sign in said.lower() for sign in r.signs)), None)
            if remedy is None:
                raise EngineTrouble(
                    "The container engine did not come up.",
                    why=f"{PROGRAM} says:\n{said}",
                    advice=f"Its log is {self._place.log}.",
                )
            left.remove(remedy)
            options += remedy.options
            self._machine.progress.say(f"engine: {PROGRAM} ended; starting it {remedy.said}")

    def _attempt(self, options: tuple[str, ...]) -> str | None:
        """Start it, or take the one of ours that is still coming up; none when it answers, else the end of its log.

        Raises:
            EngineTrouble: it runs and does not answer in time; it has been stopped then.
        """
        before = self._place.log.stat().st_size if self._place.log.exists() else 0
        if self._process.pid() is None:
            self._launch(options)
        if self._wait(self._patience_s, lambda: self._process.pid() is not None):
            return None
        said = self._said(before)
        if self._process.pid() is not None:
            self._process.stop()
            raise EngineTrouble(
                f"The container engine did not answer within {self._patience_s:.0f} seconds, and was stopped.",
                why=f"{PROGRAM} says:\n{said}",
            )
        return said

    def _launch(self, options: tuple[str, ...]) -> None:
        self._process.clear_leftovers()
        self._machine.progress.say(f"engine: starting {PROGRAM}")
        command = self._place.command(self._machine.find(PROGRAM) or PROGRAM, options)
        try:
            pid = self._machine.launch(command, self._place.log, self._environment())
        except ToolTrouble as error:
            raise EngineTrouble(f"{PROGRAM} could not be started.", why=error.what) from error
        self._process.remember(pid)

    def _environment(self) -> Mapping[str, str]:
        """A daemon that outlives the run gets nothing of the caller's environment but how to reach the network."""
        given = {name: value for name, value in self._machine.environ.items() if name in _PASSED_ON}
        return {**given, "PATH": SYSTEM_PATH}

    def _wait(self, patience_s: float, hopeful: Callable[[], bool] = lambda: True) -> bool:
        """Whether an engine answers within ``patience_s``; over at once when there is no hope any more."""
        started = last = time.monotonic()
        while not answers(self._place.socket):
            now = time.monotonic()
            if now - started > patience_s or not hopeful():
                return False
            if now - last > _SAY_EVERY_S:
                self._machine.progress.say(f"engine: waiting for {PROGRAM}, {now - started:.0f} s so far")
                last = now
            time.sleep(_POLL_S)
        return True

    def _said(self, offset: int) -> str:
        if not self._place.log.exists():
            return "nothing"
        with self._place.log.open("rb") as file:
            file.seek(offset)
            lines = file.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])
