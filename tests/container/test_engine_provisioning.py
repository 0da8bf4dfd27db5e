"""A real dockerd, in a place of its own beside the one that this machine uses: started, killed, started, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pipeline.engines.discovery import Endpoint
from pipeline.engines.docker_engine import DockerEngine
from pipeline.execution.engine_installation import Machine
from pipeline.execution.engine_process import EnginePlace, EngineProcess, answers
from pipeline.execution.processes import start_detached
from pipeline.execution.provisioning import Provisioner
from pipeline.testing import ScriptedRunner, SilentProgress

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start an engine"),
]

# The slow driver, because a folder for temporary files may itself be an overlay.
OPTIONS = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs")


def start_apart(argv: list[str], log: Path, env: Mapping[str, str]) -> int:
    """Start a daemon in a network of its own.

    With ``--bridge=none`` dockerd deletes the bridge that it finds, here that of the engine that this machine uses.
    """
    return start_detached(["unshare", "--net", *argv], log, env)


def machine_apart(progress: SilentProgress) -> Machine:
    """This machine, but for the network of what is started."""
    return Machine(processes=ScriptedRunner([]), progress=progress, environ=os.environ, launch=start_apart)


@pytest.fixture(name="place")
def _place() -> Iterator[EnginePlace]:
    # A unix socket's path has 107 bytes at most, and containerd's lies deep.
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        root = Path(folder)
        yield EnginePlace(folder=root / "run", socket=root / "docker.sock", data=str(root / "data"), options=OPTIONS)
        # An engine that finds its data mounted by one that was killed leaves it so.
        subprocess.run(("umount", str(root / "data")), check=False, capture_output=True)


def test_an_engine_comes_up_survives_a_kill_and_is_ended(place: EnginePlace) -> None:
    progress = SilentProgress()
    provisioner = Provisioner(place, machine_apart(progress))
    assert provisioner.obstacle == ""
    try:
        provisioner.start()
        engine = DockerEngine(
            Endpoint(address=f"unix://{place.socket}", named_by="the test"), timeout_s=30, progress=progress
        )
        assert engine.image("none:1") is None
        engine.close()
        pid = EngineProcess(place).pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while EngineProcess(place).pid() is not None:
            pass
        assert place.socket.exists()
        assert place.pid_file.exists()
        assert not answers(place.socket)
        provisioner.start()
        assert answers(place.socket)
        assert EngineProcess(place).pid() != pid
    finally:
        said = provisioner.stop()
    assert "was stopped" in said
    assert not answers(place.socket)
    assert not _processes_of(place)


def test_a_pid_file_that_names_a_stranger_does_not_keep_it_from_starting(place: EnginePlace) -> None:
    machine = machine_apart(SilentProgress())
    (place.exec_root / "containerd").mkdir(parents=True)
    for file in (place.pid_file, place.exec_root / "containerd" / "containerd.pid"):
        file.write_text(str(os.getpid()), encoding="ascii")
    place.socket.touch()
    provisioner = Provisioner(place, machine)
    try:
        provisioner.start()
        assert answers(place.socket)
    finally:
        provisioner.stop()


def _processes_of(place: EnginePlace) -> list[str]:
    """Command lines that name the place."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        if str(place.folder) in line:
            lines.append(line)
    return lines
