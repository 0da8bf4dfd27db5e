"""A ``dockerd`` of ours: which process it is, and what a killed one left behind.

A process is known by its pid, the moment of its start and the boot that this was in, never by the pid alone: pids are
used again.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.execution.files import write_atomically

DEFAULT_DATA = "/var/lib/docker"
_PING = b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n"
_PING_S = 3.0
_POLL_S = 0.2
_STOP_S = 30.0
_KILL_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePlace:
    """Where our engine lives: ``folder`` for its run-time files and log, its socket, its data, and what else it is
    told.

    ``proc`` is the system's own and stands here so that tests can have another.
    """

    folder: Path
    socket: Path
    data: str = DEFAULT_DATA
    options: tuple[str, ...] = ()
    proc: Path = Path("/proc")

    @classmethod
    def standard(cls) -> EnginePlace:
        """The place that every checkout of a machine shares."""
        return cls(folder=Path("/run/pipeline-engine"), socket=Path("/var/run/docker.sock"))

    @property
    def log(self) -> Path:
        """What the engine says."""
        return self.folder / "dockerd.log"

    @property
    def pid_file(self) -> Path:
        """The engine's own pid file."""
        return self.folder / "dockerd.pid"

    @property
    def exec_root(self) -> Path:
        """The engine's and its containerd's run-time state."""
        return self.folder / "exec"

    @property
    def record(self) -> Path:
        """Which process we started."""
        return self.folder / "started.json"

    def command(self, program: str, remedies: tuple[str, ...] = ()) -> list[str]:
        """The command line of the engine. The data folder is named only where it is not the engine's default."""
        data = [] if self.data == DEFAULT_DATA else ["--data-root", self.data]
        return [
            program,
            "--host",
            f"unix://{self.socket}",
            "--pidfile",
            str(self.pid_file),
            "--exec-root",
            str(self.exec_root),
            *data,
            *self.options,
            *remedies,
        ]


def answers(path: Path) -> bool:
    """Whether an engine answers on the socket; a file on which nobody listens is no engine."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, contextlib.suppress(OSError):
        connection.settimeout(_PING_S)
        connection.connect(str(path))
        connection.sendall(_PING)
        return b" 200 " in connection.recv(256).partition(b"\r\n")[0] + b" "
    return False


class EngineProcess:
    """The process that we started in a place, if it is still there."""

    def __init__(self, place: EnginePlace) -> None:
        self._place = place

    def remember(self, pid: int) -> None:
        """Note that ``pid`` is ours."""
        facts = {"pid": pid, "started": self._started(pid), "boot": self._boot()}
        write_atomically(self._place.record, json.dumps(facts) + "\n")

    def pid(self) -> int | None:
        """The pid of our engine, if that process still runs."""
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            facts = json.loads(self._place.record.read_text(encoding="utf-8"))
            pid = int(facts["pid"])
            if facts["boot"] == self._boot() and facts["started"] == (self._started(pid) or "gone"):
                return pid
        return None

    def clear_leftovers(self) -> None:
        """Remove the pid files of a killed engine and containerd where the pid is gone, or is another program's by now.

        ``dockerd`` looks only at whether such a pid exists: it would refuse to start, or wait for a containerd that is
        none.
        """
        containerd = self._place.exec_root / "containerd" / "containerd.pid"
        for path, program in ((self._place.pid_file, "dockerd"), (containerd, "containerd")):
            with contextlib.suppress(FileNotFoundError):
                if not self._is(_number(path.read_text(encoding="utf-8")), program):
                    path.unlink()

    def other(self) -> int | None:
        """The pid of somebody else's engine that uses the same data folder."""
        for pid in self._pids():
            words = self._words(pid)
            if (
                words
                and Path(words[0]).name == "dockerd"
                and str(self._place.pid_file) not in words
                and _data(words) == self._place.data
            ):
                return pid
        return None

    def stop(self) -> int | None:
        """End our engine and its containerd; the pid that it had, or none when there was none."""
        pid = self.pid()
        if pid is not None:
            self._end(pid, _STOP_S)
        for orphan in self._containerds():
            self._end(orphan, _KILL_S)
        self._place.record.unlink(missing_ok=True)
        if pid is not None:
            self._place.pid_file.unlink(missing_ok=True)
        return pid

    def _containerds(self) -> list[int]:
        """containerd of our engine, known by its configuration file; one outlives an engine that is killed."""
        ours = str(self._place.exec_root / "containerd")
        return [
            pid
            for pid in self._pids()
            if self._is(pid, "containerd") and any(w.startswith(ours) for w in self._words(pid))
        ]

    def _end(self, pid: int, patience_s: float) -> None:
        started = self._started(pid)
        for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, _KILL_S)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            give_up = time.monotonic() + wait_s
            while started and self._started(pid) == started and time.monotonic() < give_up:
                time.sleep(_POLL_S)
            if self._started(pid) != started:
                return

    def _is(self, pid: int, program: str) -> bool:
        words = self._words(pid)
        return bool(words) and Path(words[0]).name == program

    def _pids(self) -> Iterator[int]:
        return (int(path.name) for path in self._place.proc.iterdir() if path.name.isdigit())

    def _words(self, pid: int) -> list[str]:
        """The command line of a process; empty when it is gone, or a zombie."""
        with contextlib.suppress(OSError):
            return (self._place.proc / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
        return []

    def _started(self, pid: int) -> str | None:
        """When a process started, in clock ticks since the boot (proc(5), stat, field 22); none when it has ended."""
        with contextlib.suppress(ChildProcessError):
            # A child of ours that has ended stays a zombie until somebody waits for it.
            os.waitpid(pid, os.WNOHANG)
        with contextlib.suppress(OSError, IndexError):
            # The name, in brackets, may hold anything; the fields begin behind the last bracket, with the third.
            fields = (
                (self._place.proc / str(pid) / "stat")
                .read_text(encoding="utf-8", errors="replace")
                .rpartition(")")[2]
                .split()
            )
            return None if fields[0] in ("Z", "X") else fields[19]
        return None

    def _boot(self) -> str:
        with contextlib.suppress(OSError):
            return (self._place.proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return ""


def _data(words: list[str]) -> str:
    """The data folder in an engine's command line."""
    for position, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in ("--data-root", "-g", "--graph"):
            return value if equals else "".join(words[position + 1 : position + 2])
    return DEFAULT_DATA


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else -1
