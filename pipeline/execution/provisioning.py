"""Installs and starts a container engine, on a machine that has none and where the configuration allows it.

Only as root, and what is missing is installed on Debian and Ubuntu only. The engine is detached: it stays when the run has ended,
for the next one, and ``pipeline engine stop`` ends it. Each step is said.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.core.ports import Outcome, ProcessRunner, Progress, Request
from pipeline.errors import EngineTrouble, StorageTrouble, ToolTrouble
from pipeline.execution.engine_process import EnginePlace, EngineProcess, answers
from pipeline.execution.processes import start_detached

PACKAGES = ("docker.io", "docker-registry")
_INSTALL = f"apt-get update && apt-get install -y --no-install-recommends {PACKAGES[0]}"
_APT_S = 1200.0
_LOCK_S = 120
_READY_S = 60.0
_AFTER_INSTALL_S = 5.0
_POLL_S = 0.25
_TAIL_LINES = 12
_PASSED_ON = ("HOME", "LANG", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What dockerd says when a part of the machine does not play along, and what helps: ports are still published without
# iptables, by docker-proxy; vfs copies where overlay2 would share.
_REMEDIES = (
    (
        ("iptables", "nf_tables", "network controller"),
        ("--iptables=false", "--ip6tables=false"),
        "without iptables: its rules can't be set here",
    ),
    (
        ("overlay", "graphdriver", "storage-driver", "storage driver"),
        ("--storage-driver=vfs",),
        "with the slow storage driver vfs: overlay2 does not work here",
    ),
)


class Provisioner:
    """Installs, starts, stops and describes the engine in a place."""

    def __init__(
        self,
        place: EnginePlace,
        processes: ProcessRunner,
        progress: Progress,
        environ: Mapping[str, str] | None = None,
        *,
        find: Callable[[str], str | None] | None = None,
        launch: Callable[[list[str], Path, Mapping[str, str]], int] = start_detached,
        user: int | None = None,
        patience_s: float = _READY_S,
    ) -> None:
        self._place = place
        self._process = EngineProcess(place)
        self._processes = processes
        self._progress = progress
        given = {name: value for name, value in (environ or {}).items() if name in _PASSED_ON}
        self._environ = {**given, "PATH": _SYSTEM_PATH}
        self._find = find or (lambda name: shutil.which(name, path=_SYSTEM_PATH))
        self._launch = launch
        self._user = os.geteuid() if user is None else user
        self._patience_s = patience_s

    def obstacle(self) -> str:
        """Why no engine can be provisioned here, as a full sentence; empty when one can."""
        if platform.system() != "Linux":
            return f"An engine can be provisioned on Linux only, and this is {platform.system()}."
        if self._user != 0:
            return "An engine can be provisioned by root only; sudo is never used."
        if self._find("dockerd") is None and not self._is_debian():
            return "dockerd is not installed, and it is installed on Debian and Ubuntu only."
        return ""

    def advice(self) -> str:
        """The exact command that a person can run instead."""
        sudo = "" if self._user == 0 else "sudo "
        allow = ' Or allow it to be done: engine.provision = "auto" (PIPELINE_ENGINE_PROVISION=auto), as root.'
        if platform.system() != "Linux" or (self._find("dockerd") is None and not self._is_debian()):
            return "Install and start a Docker engine, or name one with engine.host or DOCKER_HOST."
        if self._find("dockerd") is None:
            joined = f"{sudo}{_INSTALL}".replace("&& ", f"&& {sudo}")
            return f"Run: {joined}.{allow}"
        return f"Run: {sudo}systemctl start docker (or, without systemd: {sudo}dockerd).{allow}"

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
            self._install()
            if not answers(self._place.socket):
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

    def _is_debian(self) -> bool:
        try:
            text = self._place.release_file.read_text(encoding="utf-8")
        except OSError:
            return False
        fields = dict(line.partition("=")[::2] for line in text.splitlines())
        words = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
        return "debian" in words or "ubuntu" in words

    def _install(self) -> None:
        if self._find("dockerd") is not None:
            return
        self._progress.say("engine: no dockerd is installed; reading Debian's package lists")
        self._apt("update")
        self._progress.say(f"engine: installing {' and '.join(PACKAGES)}")
        outcome = self._apt("install", "-y", "--no-install-recommends", *PACKAGES, fatal=False)
        if "dpkg --configure -a" in outcome.stderr:
            self._progress.say("engine: finishing an installation that was interrupted")
            self._must(self._run("dpkg", "--configure", "-a"), "dpkg --configure -a")
            outcome = self._apt("install", "-y", "--no-install-recommends", *PACKAGES, fatal=False)
        self._must(outcome, "apt-get install")
        if self._find("dockerd") is None:
            raise EngineTrouble(f"{PACKAGES[0]} was installed, and there is still no dockerd.")
        # Where a service manager is at work the installation has started the engine.
        self._wait(_AFTER_INSTALL_S, None)

    def _apt(self, *words: str, fatal: bool = True) -> Outcome:
        outcome = self._run("apt-get", "-q", "-o", f"DPkg::Lock::Timeout={_LOCK_S}", *words)
        if fatal:
            self._must(outcome, f"apt-get {words[0]}")
        return outcome

    def _run(self, *argv: str) -> Outcome:
        env: dict[str, str | None] = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "PATH": _SYSTEM_PATH}
        title = f"engine: {argv[0]} is at work"
        try:
            return self._processes.run(Request(argv=argv, cwd=Path("/"), timeout_s=_APT_S, env=env, title=title))
        except ToolTrouble as error:
            raise EngineTrouble(
                "No container engine could be installed.", why=error.what, advice=self.advice()
            ) from error

    def _must(self, outcome: Outcome, what: str) -> None:
        if outcome.exit_code != 0 or outcome.timed_out:
            raise EngineTrouble(
                f"No container engine could be installed: {what} failed.",
                why=f"It says: {outcome.tail()}",
                advice=self.advice(),
            )

    def _bring_up(self) -> None:
        """Start dockerd; when it says that a part of the machine does not play along, once more without that part."""
        other = self._process.other()
        if other is not None:
            raise EngineTrouble(
                f"A dockerd (pid {other}) is running and does not answer on {self._place.socket}.",
                advice="Name its address with engine.host or DOCKER_HOST, or stop it.",
            )
        remedies: tuple[str, ...] = ()
        while True:
            said = self._attempt(remedies)
            if said is None:
                return
            found = next(
                (r for r in _REMEDIES if r[1][0] not in remedies and any(w in said.lower() for w in r[0])), None
            )
            if found is None:
                raise EngineTrouble(
                    "The container engine did not come up.",
                    why=f"dockerd says:\n{said}",
                    advice=f"Its log is {self._place.log}.",
                )
            remedies = (*remedies, *found[1])
            self._progress.say(f"engine: dockerd ended; starting it {found[2]}")

    def _attempt(self, remedies: tuple[str, ...]) -> str | None:
        """Start dockerd, or take the one of ours that is still coming up; none when it answers, else the end of its
        log.
        """
        before = self._place.log.stat().st_size if self._place.log.exists() else 0
        pid = self._process.pid()
        if pid is None:
            self._process.clear_leftovers()
            self._progress.say("engine: starting dockerd")
            program = self._find("dockerd") or "dockerd"
            try:
                pid = self._launch(self._place.command(program, remedies), self._place.log, self._environ)
            except ToolTrouble as error:
                raise EngineTrouble("dockerd could not be started.", why=error.what) from error
            self._process.remember(pid)
        if self._wait(self._patience_s, pid):
            return None
        ended = self._process.pid() is None
        said = self._said(before)
        if not ended:
            self._process.stop()
            raise EngineTrouble(
                f"The container engine did not answer within {self._patience_s:.0f} seconds, and was stopped.",
                why=f"dockerd says:\n{said}",
            )
        return said

    def _wait(self, patience_s: float, pid: int | None) -> bool:
        """Whether the engine answers within ``patience_s``; over at once when the process ``pid`` has ended."""
        started = last = time.monotonic()
        while not answers(self._place.socket):
            now = time.monotonic()
            if now - started > patience_s or (pid is not None and self._process.pid() is None):
                return False
            if now - last > 2:
                self._progress.say(f"engine: waiting for dockerd, {now - started:.0f} s so far")
                last = now
            time.sleep(_POLL_S)
        return True

    def _said(self, offset: int) -> str:
        with self._place.log.open("rb") as file:
            file.seek(offset)
            lines = file.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])
