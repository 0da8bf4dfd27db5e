"""Installs a container engine from the packages of Debian or Ubuntu, as root and without a question."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.ports import Outcome, ProcessRunner, Progress, Request
from pipeline.errors import EngineTrouble, ToolTrouble
from pipeline.execution.processes import start_detached

PROGRAM = "dockerd"
PACKAGES = ("docker.io", "docker-registry")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where an engine and what it calls are looked for: a user's own PATH often lacks the ``sbin`` folders."""

_APT_S = 1200.0
_LOCK_S = 120
_INTERRUPTED = "dpkg --configure -a"


def _on_system_path(name: str) -> str | None:
    return shutil.which(name, path=SYSTEM_PATH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine that an engine is to run on: who we are there, and how programs are found, run and launched."""

    processes: ProcessRunner
    progress: Progress
    environ: Mapping[str, str] = field(default_factory=dict)
    user: int = field(default_factory=os.geteuid)
    system: str = field(default_factory=platform.system)
    release_file: Path = Path("/etc/os-release")
    find: Callable[[str], str | None] = _on_system_path
    launch: Callable[[list[str], Path, Mapping[str, str]], int] = start_detached

    @property
    def has_engine(self) -> bool:
        """Whether the engine's program is there."""
        return self.find(PROGRAM) is not None

    @property
    def is_debian(self) -> bool:
        """Whether this is Debian, Ubuntu or one of their children (os-release(5), ID and ID_LIKE)."""
        try:
            text = self.release_file.read_text(encoding="utf-8")
        except OSError:
            return False
        fields = dict(line.partition("=")[::2] for line in text.splitlines())
        words = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
        return "debian" in words or "ubuntu" in words


def obstacle(machine: Machine) -> str:
    """Why no engine can be provisioned on the machine, as a full sentence; empty when one can."""
    if machine.system != "Linux":
        return f"An engine can be provisioned on Linux only, and this is {machine.system}."
    if machine.user != 0:
        return "An engine can be provisioned by root only; sudo is never used."
    if not machine.has_engine and not machine.is_debian:
        return f"{PROGRAM} is not installed, and it is installed on Debian and Ubuntu only."
    return ""


def advice(machine: Machine) -> str:
    """The exact command that a person can run instead, as a full sentence."""
    sudo = "" if machine.user == 0 else "sudo "
    allow = 'Or allow it to be done, as root: engine.provision = "auto" (PIPELINE_ENGINE_PROVISION=auto).'
    if machine.system != "Linux" or not (machine.has_engine or machine.is_debian):
        return "Install and start a Docker engine, or name one with engine.host or DOCKER_HOST."
    if machine.has_engine:
        return f"Run: {sudo}systemctl start docker (where systemd does not run: {sudo}{PROGRAM}). {allow}"
    command = f"{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {' '.join(PACKAGES)}"
    return f"Run: {command}. {allow}"


def install(machine: Machine) -> None:
    """Install an engine, and the registry for rehearsals with it.

    Raises:
        EngineTrouble: it could not be installed.
    """
    install_packages(machine, PACKAGES)
    if not machine.has_engine:
        raise EngineTrouble(f"{PACKAGES[0]} was installed, and there is still no {PROGRAM}.")


def install_packages(machine: Machine, packages: tuple[str, ...]) -> None:
    """Install Debian packages by apt-get; waits up to two minutes for another apt or dpkg to end.

    Raises:
        EngineTrouble: they could not be installed.
    """
    machine.progress.say(f"engine: {' and '.join(packages)} must be installed; reading the package lists")
    _must(machine, _apt(machine, "update"), "apt-get update")
    machine.progress.say(f"engine: installing {' and '.join(packages)}")
    arguments = ("install", "-y", "--no-install-recommends", *packages)
    outcome = _apt(machine, *arguments)
    if _INTERRUPTED in outcome.stderr:
        machine.progress.say("engine: finishing an installation that was interrupted")
        _must(machine, _run(machine, *_INTERRUPTED.split()), _INTERRUPTED)
        outcome = _apt(machine, *arguments)
    _must(machine, outcome, "apt-get install")


def _apt(machine: Machine, *words: str) -> Outcome:
    return _run(machine, "apt-get", "-q", "-o", f"DPkg::Lock::Timeout={_LOCK_S}", *words)


def _run(machine: Machine, *argv: str) -> Outcome:
    env: dict[str, str | None] = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "PATH": SYSTEM_PATH}
    request = Request(argv=argv, cwd=Path("/"), timeout_s=_APT_S, env=env, title=f"engine: {argv[0]} is at work")
    try:
        return machine.processes.run(request)
    except ToolTrouble as error:
        raise EngineTrouble(
            "No container engine could be installed.", why=error.what, advice=advice(machine)
        ) from error


def _must(machine: Machine, outcome: Outcome, what: str) -> None:
    if outcome.exit_code != 0 or outcome.timed_out:
        raise EngineTrouble(
            f"No container engine could be installed: {what} failed.",
            why=f"It says: {outcome.tail()}",
            advice=advice(machine),
        )
