"""A container engine is installed and started where that is allowed, found again, and ended; nothing else is touched."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.ports import Outcome, Request
from pipeline.errors import EngineTrouble, StorageTrouble, ToolTrouble
from pipeline.execution.engine_installation import Machine, advice, install, obstacle
from pipeline.execution.engine_process import EnginePlace, EngineProcess, answers
from pipeline.execution.processes import start_detached
from pipeline.execution.provisioning import Provisioner
from pipeline.testing import ScriptedRunner, SilentProgress, outcome
from tests.fake_dockerd import fake_dockerd

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

# Under another name Python does not find its own library by itself.
HOME = {"PYTHONHOME": sys.base_prefix}


def under_the_name(name: str, arguments: Sequence[str]) -> list[str]:
    """A command line by which Python runs ``arguments`` and is called ``name`` in the list of processes."""
    return ["/bin/bash", "-c", f'exec -a {name} "$0" "$@"', sys.executable, *arguments]


@dataclass
class Site:
    """A machine in a folder; ``started`` are the command lines of what was launched."""

    folder: Path
    place: EnginePlace
    machine: Machine
    progress: SilentProgress
    started: list[list[str]] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)

    def provisioner(self, *options: str, patience_s: float = 10.0) -> Provisioner:
        """One whose engine gets further options."""
        return Provisioner(replace(self.place, options=options), self.machine, patience_s=patience_s)


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Iterator[Site]:
    program = tmp_path / "dockerd"
    program.write_text(DOCKERD, encoding="utf-8")
    place = EnginePlace(folder=tmp_path / "run", socket=tmp_path / "docker.sock", data=str(tmp_path / "data"))
    progress = SilentProgress()
    machine = Machine(
        processes=ScriptedRunner([]), progress=progress, user=0, system="Linux", release_file=tmp_path / "os-release",
        find=lambda name: str(program), environ={"HTTPS_PROXY": "http://proxy", "TOKEN": "secret"},
    )  # fmt: skip
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


def test_an_engine_that_never_answers_is_stopped(site: Site) -> None:
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
            site.provisioner().start()
        assert site.provisioner().stop() == "No engine of ours is running."
        assert EngineProcess(other).pid() == pid
    finally:
        EngineProcess(other).stop()


def test_a_folder_that_can_not_be_made_is_said(site: Site) -> None:
    (site.folder / "run").write_text("a file", encoding="utf-8")
    with pytest.raises(StorageTrouble):
        site.provisioner().start()
    (site.folder / "run").unlink()


def fake_proc(folder: Path, processes: dict[int, tuple[str, str]], boot: str = "boot-1") -> Path:
    """A /proc with command lines and start times."""
    proc = folder / "proc"
    (proc / "sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (proc / "sys/kernel/random/boot_id").write_text(f"{boot}\n", encoding="ascii")
    for pid, (command, started) in processes.items():
        (proc / str(pid)).mkdir(exist_ok=True)
        (proc / str(pid) / "cmdline").write_bytes(b"\0".join(word.encode() for word in command.split()) + b"\0")
        fields = ["S", *["0"] * 18, started, "0"]
        (proc / str(pid) / "stat").write_text(f"{pid} (docker d) x) {' '.join(fields)}\n", encoding="ascii")
    return proc


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> EnginePlace:
    place = EnginePlace(folder=tmp_path / "run", socket=tmp_path / "s", proc=fake_proc(tmp_path, {}))
    (place.exec_root / "containerd").mkdir(parents=True)
    return place


def test_a_pid_that_is_used_again_is_not_ours(place: EnginePlace, tmp_path: Path) -> None:
    fake_proc(tmp_path, {999_991: ("dockerd", "100")})
    process = EngineProcess(place)
    process.remember(999_991)
    assert process.pid() == 999_991
    fake_proc(tmp_path, {999_991: ("dockerd", "200")})
    assert process.pid() is None
    fake_proc(tmp_path, {999_991: ("dockerd", "100")}, boot="boot-2")
    assert process.pid() is None


@pytest.mark.parametrize("record", ["", "{}", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_a_damaged_record_is_no_engine(place: EnginePlace, record: str) -> None:
    place.record.write_text(record, encoding="utf-8")
    assert EngineProcess(place).pid() is None


def test_pid_files_of_the_dead_and_of_strangers_are_removed(place: EnginePlace, tmp_path: Path) -> None:
    fake_proc(tmp_path, {999_991: ("nginx", "1"), 999_992: ("/usr/bin/containerd --config x", "1")})
    containerd = place.exec_root / "containerd" / "containerd.pid"
    place.pid_file.write_text("999991", encoding="ascii")
    containerd.write_text("999992\n", encoding="ascii")
    EngineProcess(place).clear_leftovers()
    assert not place.pid_file.exists()
    assert containerd.exists()
    place.pid_file.write_text("not a number", encoding="ascii")
    containerd.write_text("999993", encoding="ascii")
    EngineProcess(place).clear_leftovers()
    assert not place.pid_file.exists()
    assert not containerd.exists()


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("/usr/sbin/dockerd", True),
        ("dockerd --host x", True),
        ("dockerd --data-root /elsewhere", False),
        ("dockerd --data-root=/elsewhere", False),
        ("dockerd -g /var/lib/docker", True),
        ("grep dockerd", False),
    ],
)
def test_a_foreign_engine_is_known_by_its_data(place: EnginePlace, tmp_path: Path, command: str, found: bool) -> None:
    fake_proc(tmp_path, {999_991: (command, "1")})
    assert EngineProcess(place).other() == (999_991 if found else None)


def test_an_orphaned_containerd_of_ours_is_ended_and_no_other(tmp_path: Path) -> None:
    place = EnginePlace(folder=tmp_path / "run", socket=tmp_path / "s")
    place.folder.mkdir()
    script = ["-c", "import time; time.sleep(60)"]

    def containerd(config: str) -> subprocess.Popen[bytes]:
        words = under_the_name("containerd", [*script, "--config", config])
        return subprocess.Popen(words, env={**os.environ, **HOME})

    ours, other = containerd(f"{place.exec_root}/containerd/containerd.toml"), containerd("/run/containerd.toml")
    try:
        while any(b"--config" not in Path(f"/proc/{p.pid}/cmdline").read_bytes().split(b"\0") for p in (ours, other)):
            pass
        while any(not Path(f"/proc/{p.pid}/cmdline").read_bytes().startswith(b"containerd") for p in (ours, other)):
            pass
        EngineProcess(place).stop()
        with contextlib.suppress(ChildProcessError):
            ours.wait(5)
        assert not Path(f"/proc/{ours.pid}").exists()
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


class TestInstallation:
    """apt-get on a machine without an engine."""

    def machine(self, tmp_path: Path, steps: list[Outcome | Callable[[Request], Outcome]], **changes: Any) -> Machine:
        release = tmp_path / "os-release"
        release.write_text('NAME="Sample"\nID=sample\nID_LIKE="ubuntu debian"\n', encoding="utf-8")
        there = [False]

        def found(request: Request) -> Outcome:
            there[0] = True
            return outcome()

        given: dict[str, Any] = {
            "processes": ScriptedRunner([found if step == outcome(0, "installed") else step for step in steps]),
            "progress": SilentProgress(), "user": 0, "system": "Linux", "release_file": release,
            "find": lambda name: "/usr/sbin/dockerd" if there[0] else None,
        }  # fmt: skip
        return Machine(**{**given, **changes})

    def test_packages_are_installed_without_a_question(self, tmp_path: Path) -> None:
        runner = ScriptedRunner([])
        machine = self.machine(tmp_path, [outcome(), outcome(0, "installed")])
        install(machine)
        assert isinstance(machine.processes, ScriptedRunner)
        update, get = machine.processes.requests
        assert update.argv[-1] == "update"
        assert get.argv[-5:] == ("install", "-y", "--no-install-recommends", "docker.io", "docker-registry")
        assert "DPkg::Lock::Timeout=120" in get.argv
        assert get.env["DEBIAN_FRONTEND"] == "noninteractive"
        assert not runner.requests

    def test_an_interrupted_installation_is_finished_first(self, tmp_path: Path) -> None:
        stuck = outcome(100, stderr="E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct")
        machine = self.machine(tmp_path, [outcome(), stuck, outcome(), outcome(0, "installed")])
        install(machine)
        assert isinstance(machine.processes, ScriptedRunner)
        assert machine.processes.requests[2].argv == ("dpkg", "--configure", "-a")

    @pytest.mark.parametrize(
        ("steps", "message"),
        [
            ([outcome(100, stderr="E: no network")], "apt-get update failed. It says: E: no network"),
            ([outcome(), outcome(100, stderr="E: broken")], "apt-get install failed"),
            ([outcome(), outcome()], "there is still no dockerd"),
            ([outcome(timed_out=True)], "apt-get update failed"),
        ],
    )
    def test_what_goes_wrong_is_said(self, tmp_path: Path, steps: list[Any], message: str) -> None:
        with pytest.raises(EngineTrouble, match=message):
            install(self.machine(tmp_path, steps))

    def test_a_machine_without_apt_is_said(self, tmp_path: Path) -> None:
        def missing(request: Request) -> Outcome:
            raise ToolTrouble("apt-get could not be started.")

        with pytest.raises(EngineTrouble, match="apt-get could not be started") as caught:
            install(self.machine(tmp_path, [missing]))
        assert caught.value.advice.startswith("Run: apt-get update && apt-get install -y")

    def test_where_a_service_starts_it_by_itself_ours_is_not_started(self, tmp_path: Path) -> None:
        started: list[object] = []
        machine = self.machine(
            tmp_path, [outcome(), outcome(0, "installed")], launch=lambda *words: started.append(words)
        )
        place = EnginePlace(folder=tmp_path / "run", socket=tmp_path / "docker.sock")
        with contextlib.ExitStack() as stack:

            def serve(request: Request) -> Outcome:
                stack.enter_context(fake_dockerd(place.socket))
                return outcome(0, "up")

            assert isinstance(machine.processes, ScriptedRunner)
            found = machine.find
            runner = ScriptedRunner([outcome(), serve])
            up = replace(machine, processes=runner, find=lambda name: "x" if place.socket.exists() else found(name))
            Provisioner(place, up).start()
        assert not started

    def test_it_is_for_root_on_linux_and_installs_on_debian_only(self, tmp_path: Path) -> None:
        machine = self.machine(tmp_path, [])
        assert obstacle(machine) == ""
        assert "root only" in obstacle(replace(machine, user=1000))
        assert "Linux only" in obstacle(replace(machine, system="Darwin"))
        fedora = replace(machine, release_file=tmp_path / "none")
        assert "Debian and Ubuntu only" in obstacle(fedora)
        assert obstacle(replace(fedora, find=lambda name: "/usr/bin/dockerd")) == ""
        provisioner = Provisioner(EnginePlace.standard(), machine)
        assert (provisioner.obstacle, provisioner.advice) == (obstacle(machine), advice(machine))

    def test_the_advice_is_a_command(self, tmp_path: Path) -> None:
        machine = self.machine(tmp_path, [], user=1000)
        assert advice(machine).startswith(
            "Run: sudo apt-get update && sudo apt-get install -y --no-install-recommends docker.io"
        )
        assert advice(replace(machine, find=lambda name: "x")).startswith("Run: sudo systemctl start docker")
        assert "DOCKER_HOST" in advice(replace(machine, system="Darwin"))
