"""Which process is our engine, what a killed one left behind, and that nobody else's is touched."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from pipeline.execution.engine_process import EnginePlace, EngineProcess
from tests.named_processes import HOME, under_the_name


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
            ours.wait(60)
        assert not Path(f"/proc/{ours.pid}").exists()
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()
