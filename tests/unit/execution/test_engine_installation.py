"""A container engine is installed where that is allowed; elsewhere the exact command is said."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.ports import Outcome, Request
from pipeline.errors import EngineTrouble, ToolTrouble
from pipeline.execution.engine_installation import Machine, advice, install, obstacle
from pipeline.execution.engine_process import EnginePlace
from pipeline.execution.provisioning import Provisioner
from pipeline.testing import ScriptedRunner, SilentProgress, outcome
from tests.fake_dockerd import fake_dockerd

Step = Outcome | Callable[[Request], Outcome]
INSTALLED = outcome(0, "installed")
"""The step after which there is a dockerd."""


def machine_without(folder: Path, steps: list[Step], **changes: Any) -> tuple[Machine, ScriptedRunner]:
    """A child of Debian without an engine, and what its processes are asked."""
    release = folder / "os-release"
    release.write_text('NAME="Sample"\nID=sample\nID_LIKE="ubuntu debian"\n', encoding="utf-8")
    runner = ScriptedRunner(steps)

    def find(name: str) -> str | None:
        return f"/usr/sbin/{name}" if len(runner.requests) >= len(steps) and INSTALLED in steps else None

    given: dict[str, Any] = {"user": 0, "system": "Linux", "release_file": release, "find": find}
    return Machine(processes=runner, progress=SilentProgress(), **{**given, **changes}), runner


def test_packages_are_installed_without_a_question(tmp_path: Path) -> None:
    machine, runner = machine_without(tmp_path, [outcome(), INSTALLED])
    install(machine)
    assert [request.argv[0] for request in runner.requests] == ["apt-get", "apt-get"]
    assert runner.requests[0].argv[-1] == "update"
    get = runner.requests[1]
    assert get.argv[-5:] == ("install", "-y", "--no-install-recommends", "docker.io", "docker-registry")
    assert "DPkg::Lock::Timeout=120" in get.argv
    assert get.env["DEBIAN_FRONTEND"] == "noninteractive"


def test_an_interrupted_installation_is_finished_first(tmp_path: Path) -> None:
    stuck = outcome(100, stderr="E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct")
    machine, runner = machine_without(tmp_path, [outcome(), stuck, outcome(), INSTALLED])
    install(machine)
    assert runner.requests[2].argv == ("dpkg", "--configure", "-a")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([outcome(100, stderr="E: no network")], "apt-get update failed. It says: E: no network"),
        ([outcome(), outcome(100, stderr="E: broken")], "apt-get install failed"),
        ([outcome(), outcome()], "there is still no dockerd"),
        ([outcome(timed_out=True)], "apt-get update failed"),
    ],
)
def test_what_goes_wrong_is_said(tmp_path: Path, steps: list[Step], message: str) -> None:
    with pytest.raises(EngineTrouble, match=message):
        install(machine_without(tmp_path, steps)[0])


def test_a_machine_without_apt_is_said(tmp_path: Path) -> None:
    def missing(request: Request) -> Outcome:
        raise ToolTrouble(f"{request.argv[0]} could not be started.")

    with pytest.raises(EngineTrouble, match="apt-get could not be started") as caught:
        install(machine_without(tmp_path, [missing])[0])
    assert caught.value.advice.startswith("Run: apt-get update && apt-get install -y")


def test_where_a_service_starts_it_by_itself_ours_is_not_started(tmp_path: Path) -> None:
    place = EnginePlace(folder=tmp_path / "run", socket=tmp_path / "docker.sock")
    started: list[object] = []
    with contextlib.ExitStack() as stack:

        def serve(request: Request) -> Outcome:
            stack.enter_context(fake_dockerd(place.socket))
            return outcome(0, request.title)

        machine, _ = machine_without(
            tmp_path,
            [outcome(), serve],
            find=lambda name: name if place.socket.exists() else None,
            launch=lambda *words: started.append(words),
        )
        Provisioner(place, machine).start()
    assert not started


def test_it_is_for_root_on_linux_and_installs_on_debian_only(tmp_path: Path) -> None:
    machine, _ = machine_without(tmp_path, [])
    assert obstacle(machine) == ""
    assert "root only" in obstacle(replace(machine, user=1000))
    assert "Linux only" in obstacle(replace(machine, system="Darwin"))
    fedora = replace(machine, release_file=tmp_path / "none")
    assert "Debian and Ubuntu only" in obstacle(fedora)
    assert obstacle(replace(fedora, find=lambda name: f"/usr/bin/{name}")) == ""
    provisioner = Provisioner(EnginePlace.standard(), machine)
    assert (provisioner.obstacle, provisioner.advice) == (obstacle(machine), advice(machine))


def test_the_advice_is_a_command(tmp_path: Path) -> None:
    machine, _ = machine_without(tmp_path, [], user=1000)
    assert advice(machine).startswith(
        "Run: sudo apt-get update && sudo apt-get install -y --no-install-recommends docker.io"
    )
    assert advice(replace(machine, find=lambda name: name)).startswith("Run: sudo systemctl start docker")
    assert "DOCKER_HOST" in advice(replace(machine, system="Darwin"))
