"""A container engine is started where none answers, found again by the next run, and ended; nothing else is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline.errors import EngineTrouble, StorageTrouble, ToolTrouble
from pipeline.execution import provisioning
from pipeline.execution.engine_installation import Machine
from pipeline.execution.engine_process import EnginePlace, EngineProcess, answers
from pipeline.execution.processes import start_detached
from pipeline.execution.provisioning import Provisioner
from pipeline.testing import ScriptedRunner, SilentProgress
from tests.named_processes import HOME, under_the_name

# A dockerd: answers pings on the socket behind --host until it is ended; "--refuse" and "--deaf" are its moods.
DOCKERD = """
import os, socket, sys, time
words = sys.argv[1:]
print("this dockerd has", " ".join(words), flush=True)
for mood, text in (("--no-iptables-here", "iptables failed"), ("--no-overlay-here", "error initializing graphdriver")):
    remedy = {"--no-iptables-here": "--iptables=false", "--no-overlay-here": "--storage-driver=vfs"}[mood]
    if mood in words and remedy not in words:
        sys.exit(text)
if "--broken" in words:
    sys.exit("failed to start daemon: something new")
path = words[words.index("--host") + 1].removeprefix("unix://")
if "--deaf" in words:
    time.sleep(60)
if "--slow" in words:
    time.sleep(1)
if os.path.exists(path):
    os.unlink(path)
with socket.socket(socket.AF_UNIX) as server:
    server.bind(path)
    server.listen()
    while True:
        connection = server.accept()[0]
        connection.recv(1000)
        connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nOK")
        connection.close()
"""


@dataclass
class Site:
    """A machine in a folder; ``started`` are the command lines of what was launched."""

    folder: Path
    place: EnginePlace
    machine: Machine
    progress: SilentProgress
    started: list[list[str]] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)

    def provisioner(self, *options: str, patience_s: float = 60.0) -> Provisioner:
        """One whose engine gets further options."""
        return Provisioner(replace(self.place, options=options), self.machine, patience_s=patience_s)


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Iterator[Site]:
    program = tmp_path / "dockerd"
    program.write_text(DOCKERD, encoding="utf-8")
    place = EnginePlace(folder=tmp_path / "run", socket=tmp_path / "docker.sock", data=str(tmp_path / "data"))
    progress = SilentProgress()
    machine = Machine(
        processes=ScriptedRunner([]),
        progress=progress,
        user=0,
        system="Linux",
        release_file=tmp_path / "os-release",
        find=lambda name: str(program),
        environ={"HTTPS_PROXY": "http://proxy", "TOKEN": "secret"},
    )
    site = Site(tmp_path, place, machine, progress)

    def launch(argv: list[str], log: Path, env: Mapping[str, str]) -> int:
        site.started.append(argv)
        site.environments.append(env)
        return start_detached(under_the_name("dockerd", argv), log, {**env, **HOME})

    site.machine = replace(machine, launch=launch)
    yield site
    Provisioner(place, site.machine).stop()


def test_an_engine_is_started_found_again_and_ended(site: Site) -> None:
    provisioner = site.provisioner()
    provisioner.start()
    assert answers(site.place.socket)
    pid = EngineProcess(site.place).pid()
    assert (
        provisioner.status() == f"Our engine (pid {pid}) answers on {site.place.socket}. Its log is {site.place.log}."
    )
    provisioner.start()
    assert len(site.started) == 1
    assert provisioner.stop() == f"The engine (pid {pid}) was stopped."
    assert not answers(site.place.socket)
    assert provisioner.stop() == "No engine of ours is running."
    assert "No engine of ours is running." in provisioner.status()


def test_the_daemon_gets_nothing_of_the_environment_but_the_network(site: Site) -> None:
    site.provisioner().start()
    assert set(site.environments[0]) == {"HTTPS_PROXY", "PATH"}
    assert "/usr/sbin" in site.environments[0]["PATH"]


def test_it_is_told_its_own_places(site: Site) -> None:
    site.provisioner().start()
    argv = site.started[0]
    pairs = {name: argv[argv.index(name) + 1] for name in ("--host", "--pidfile", "--exec-root", "--data-root")}
    assert pairs == {
        "--host": f"unix://{site.place.socket}",
        "--pidfile": f"{site.folder}/run/dockerd.pid",
        "--exec-root": f"{site.folder}/run/exec",
        "--data-root": f"{site.folder}/data",
    }
    assert "--data-root" not in EnginePlace.standard().command("dockerd")


def test_an_engine_that_was_killed_is_started_anew(site: Site) -> None:
    provisioner = site.provisioner()
    provisioner.start()
    pid = EngineProcess(site.place).pid()
    assert pid is not None
    os.kill(pid, 9)
    while EngineProcess(site.place).pid() is not None:
        pass
    assert site.place.socket.exists()
    provisioner.start()
    assert len(site.started) == 2
    assert EngineProcess(site.place).pid() not in (None, pid)


def test_trouble_with_iptables_and_overlay_is_worked_around_and_said(site: Site) -> None:
    site.provisioner("--no-iptables-here", "--no-overlay-here").start()
    assert [argv[-3:] for argv in site.started][-1] == ["--iptables=false", "--ip6tables=false", "--storage-driver=vfs"]
    said = "\n".join(site.progress.said)
    assert "without iptables" in said
    assert "vfs" in said


def test_an_engine_that_does_not_come_up_is_trouble_with_its_own_words(site: Site) -> None:
    with pytest.raises(EngineTrouble, match="something new") as caught:
        site.provisioner("--broken").start()
    assert str(site.place.log) in caught.value.advice
    assert len(site.started) == 1


def test_a_remedy_is_tried_once(site: Site) -> None:
    with pytest.raises(EngineTrouble, match="iptables"):
        replaced = replace(
            site.machine, launch=lambda *args: site.machine.launch([*args[0][:2], *args[0][2:]], *args[1:])
        )
        Provisioner(replace(site.place, options=("--iptables-of-all-kinds", "--broken")), replaced).start()
    assert len(site.started) == 2


def test_an_engine_that_never_answers_is_stopped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioning, "_SAY_EVERY_S", 0.5)
    with pytest.raises(EngineTrouble, match="did not answer within 2 seconds, and was stopped"):
        site.provisioner("--deaf", patience_s=2.5).start()
    assert EngineProcess(site.place).pid() is None
    assert any("waiting for dockerd" in line for line in site.progress.said)


def test_one_that_is_still_coming_up_is_waited_for(site: Site) -> None:
    """A run that was killed while it waited."""
    argv = site.place.command(str(site.folder / "dockerd"))
    site.place.folder.mkdir()
    EngineProcess(site.place).remember(site.machine.launch(argv, site.place.log, {"PATH": os.environ["PATH"]}))
    site.provisioner().start()
    assert len(site.started) == 1


def test_a_program_that_can_not_be_launched_is_trouble(site: Site) -> None:
    def refuse(argv: list[str], log: Path, env: Mapping[str, str]) -> int:
        raise ToolTrouble("dockerd could not be started: no memory.")

    site.machine = replace(site.machine, launch=refuse)
    with pytest.raises(EngineTrouble, match="no memory"):
        site.provisioner().start()


def test_another_engine_on_the_same_data_is_not_disturbed(site: Site) -> None:
    site.place.folder.mkdir()
    other = replace(site.place, folder=site.folder / "other", socket=site.folder / "other.sock", options=("--deaf",))
    pid = site.machine.launch(other.command(str(site.folder / "dockerd")), site.folder / "other.log", {})
    EngineProcess(other).remember(pid)
    while not (site.folder / "other.log").read_text(encoding="utf-8"):
        pass
    try:
        with pytest.raises(EngineTrouble, match=rf"A dockerd \(pid {pid}\) is running and does not answer"):
            site.provisioner(patience_s=0.5).start()
        assert site.provisioner().stop() == "No engine of ours is running."
        assert EngineProcess(other).pid() == pid
    finally:
        EngineProcess(other).stop()


def test_another_engine_that_is_still_coming_up_is_waited_for(site: Site) -> None:
    """One that a service manager starts, on the same socket."""
    site.place.folder.mkdir()
    other = replace(site.place, folder=site.folder / "other", options=("--slow",))
    pid = site.machine.launch(other.command(str(site.folder / "dockerd")), site.folder / "other.log", {})
    EngineProcess(other).remember(pid)
    while not (site.folder / "other.log").read_text(encoding="utf-8"):
        pass
    try:
        site.provisioner().start()
        assert len(site.started) == 1
        assert EngineProcess(other).pid() == pid
    finally:
        EngineProcess(other).stop()


def test_when_the_other_engine_ends_instead_ours_is_started(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([4242, 4242])
    monkeypatch.setattr(EngineProcess, "other", lambda _: next(seen, None))
    provisioner = site.provisioner()
    provisioner.start()
    assert answers(site.place.socket)
    assert next(seen, None) is None
    assert "pid" in provisioner.stop()


def test_a_folder_that_can_not_be_made_is_said(site: Site) -> None:
    (site.folder / "run").write_text("a file", encoding="utf-8")
    with pytest.raises(StorageTrouble):
        site.provisioner().start()
    (site.folder / "run").unlink()
