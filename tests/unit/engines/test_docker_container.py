"""How a container is asked for, watched, stopped and removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import docker
import pytest

from pipeline.core.container import Executed
from pipeline.core.containers import ContainerEnded
from pipeline.engines.discovery import Endpoint
from pipeline.engines.docker_container import DockerContainer
from pipeline.engines.docker_engine import DockerEngine
from pipeline.errors import EngineTrouble, TargetFault
from pipeline.testing import SilentProgress
from tests.fake_dockerd import Call, FakeDockerd, Refusal, Stream
from tests.unit.engines.docker_kit import ID, container_request, query

RUNNING = {"Status": "running", "ExitCode": 0, "OOMKilled": False}
ENDED = {"Status": "exited", "ExitCode": 3, "OOMKilled": True, "Health": {"Status": "unhealthy"}}
PUBLISHED = {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "40000"}]}


def inspected(state: dict[str, Any], ports: dict[str, Any] | None = None) -> dict[str, Any]:
    """An engine's description of a container."""
    return {
        "State": state,
        "NetworkSettings": {"Ports": ports},
        "Config": {"Tty": False, "Env": ["KEY=a-long-secret", "A=b"]},
    }


@pytest.fixture(name="startable")
def _startable(fake: FakeDockerd) -> FakeDockerd:
    fake.answers.update(
        {
            "POST /containers/create": {"Id": "c1", "Warnings": []},
            "POST /containers/c1/start": None,
            "GET /containers/c1/json": inspected(RUNNING, PUBLISHED),
            "DELETE /containers/c1": None,
            "GET /info": {"SecurityOptions": ["name=seccomp,profile=default"]},
        }
    )
    return fake


def test_a_container_is_asked_for_with_every_restriction(startable: FakeDockerd, engine: DockerEngine) -> None:
    container = engine.start(container_request(environment={"A": "b"}, labels={"pipeline.owner": "me"}))
    assert (container.id, container.base_url) == ("c1", "http://127.0.0.1:40000")
    asked = startable.asked("POST /containers/create")[0].json()
    assert asked["Image"] == ID
    assert sorted(asked["Env"]) == ["A=b", "KEY=a-long-secret"]
    host = asked["HostConfig"]
    assert {name: host[name] for name in ("ReadonlyRootfs", "CapDrop", "SecurityOpt", "PidsLimit", "IpcMode")} == {
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "PidsLimit": 64,
        "IpcMode": "private",
    }
    assert host["Memory"] == host["MemorySwap"] == 128 * 2**20
    assert host["NanoCpus"] == 10**9
    assert host["PortBindings"] == {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
    assert "noexec" in host["Tmpfs"]["/tmp"]  # nosec B108 - in the container


def test_secrets_are_masked_in_what_is_read_back(startable: FakeDockerd, engine: DockerEngine) -> None:
    startable.answers["GET /containers/c1/logs"] = Stream([b"\x01\0\0\0\0\0\0\x12key: a-long-secret"])
    container = engine.start(container_request())
    assert "a-long-secret" not in json.dumps(container.inspect())
    assert container.inspect()["Config"]["Env"] == ["KEY=[secret]", "A=b"]
    assert container.logs() == "key: [secret]"


def test_what_the_engine_says_of_itself_is_told_too(startable: FakeDockerd, engine: DockerEngine) -> None:
    del startable
    answer = engine.start(container_request()).inspect()
    assert answer["Engine"] == {"SecurityOptions": ["name=seccomp,profile=default"]}


def test_a_container_may_have_no_place_to_write_and_other_nameservers(
    startable: FakeDockerd, engine: DockerEngine
) -> None:
    engine.start(container_request(tmp_mb=0, nameservers=("192.0.2.1",)))
    host = startable.asked("POST /containers/create")[0].json()["HostConfig"]
    assert (host.get("Tmpfs"), host["Dns"]) == (None, ["192.0.2.1"])


def test_a_killed_container_starts_again_at_another_port(startable: FakeDockerd, engine: DockerEngine) -> None:
    startable.answers["POST /containers/c1/kill"] = None
    container = engine.start(container_request())
    assert container.base_url == "http://127.0.0.1:40000"
    startable.answers["GET /containers/c1/json"] = inspected(ENDED)
    assert container.kill().exit_code == 3
    other = {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "40001"}]}
    startable.answers["GET /containers/c1/json"] = inspected(RUNNING, other)
    container.start_again()
    assert container.base_url == "http://127.0.0.1:40001"
    assert query(startable.asked("POST /containers/c1/kill")[0]) == {"signal": ["SIGKILL"]}


@pytest.mark.parametrize(
    "refusal",
    [Refusal(500, "Container c1 is not paused"), Refusal(500, "Cannot unpause: cannot resume a running process")],
)
def test_a_paused_container_runs_on_with_its_signal(
    startable: FakeDockerd, engine: DockerEngine, refusal: Refusal
) -> None:
    startable.answers |= {"POST /containers/c1/pause": None, "POST /containers/c1/kill": None}
    container = engine.start(container_request())
    container.pause()
    paused = inspected({**RUNNING, "Paused": True}, PUBLISHED)
    # The engine resumes it by itself, and tells so a moment later.
    answers = iter([paused, paused, *[inspected({**ENDED, "ExitCode": 0})] * 2])
    startable.answers["GET /containers/c1/json"] = lambda call: next(answers)
    startable.answers["POST /containers/c1/unpause"] = refusal
    assert container.stop(1).exit_code == 0
    assert len(startable.asked("POST /containers/c1/unpause")) == 2


def test_a_container_that_stays_paused_is_trouble(startable: FakeDockerd, engine: DockerEngine) -> None:
    startable.answers |= {"POST /containers/c1/pause": None, "POST /containers/c1/kill": None}
    container = engine.start(container_request())
    startable.answers["GET /containers/c1/json"] = inspected({**RUNNING, "Paused": True}, PUBLISHED)
    startable.answers["POST /containers/c1/unpause"] = Refusal(409, "a conflict")
    with pytest.raises(EngineTrouble, match="still paused"):
        container.stop(1)
    startable.answers["POST /containers/c1/unpause"] = Refusal(500, "no such cgroup")
    with pytest.raises(EngineTrouble, match="no such cgroup"):
        container.stop(1)


def test_a_container_that_can_not_be_frozen_at_once_is_tried_again(
    startable: FakeDockerd, engine: DockerEngine
) -> None:
    container = engine.start(container_request())
    answers = iter([Refusal(500, "OCI runtime pause failed: unable to freeze: unknown"), None])
    startable.answers["POST /containers/c1/pause"] = lambda call: next(answers)
    container.pause()
    assert len(startable.asked("POST /containers/c1/pause")) == 2
    startable.answers["POST /containers/c1/pause"] = Refusal(500, "no such cgroup")
    with pytest.raises(EngineTrouble, match="no such cgroup"):
        container.pause()


@pytest.mark.parametrize(("code", "there"), [(0, True), (137, True), (126, False), (127, False), (None, False)])
def test_a_program_is_run_in_it_if_it_is_there(code: int | None, there: bool) -> None:
    client = create_autospec(docker.APIClient)
    client.exec_create.return_value = {"Id": "e1"}
    client.exec_start.return_value = b"a-long-secret\nhi"
    client.exec_inspect.return_value = {"ExitCode": code}
    container = DockerContainer(client, "c1", container_request())
    if there:
        assert container.execute(("python3", "-V")) == Executed(exit_code=code or 0, output="[secret]\nhi")
    else:
        with pytest.raises(EngineTrouble, match="python3 could not be run"):
            container.execute(("python3", "-V"))


def test_a_port_that_comes_late_is_waited_for(startable: FakeDockerd, engine: DockerEngine) -> None:
    answers = iter([inspected(RUNNING, {}), inspected(RUNNING, {"5000/tcp": None}), inspected(RUNNING, PUBLISHED)])
    startable.answers["GET /containers/c1/json"] = lambda call: next(answers)
    assert engine.start(container_request()).base_url == "http://127.0.0.1:40000"


def test_a_container_that_has_ended_has_no_address(startable: FakeDockerd, engine: DockerEngine) -> None:
    startable.answers["GET /containers/c1/json"] = inspected(ENDED)
    startable.answers["GET /containers/c1/logs"] = Stream([b"\x02\0\0\0\0\0\0\x04oops"])
    container = engine.start(container_request())
    with pytest.raises(ContainerEnded, match=r"exit code 3.*oops"):
        _ = container.base_url
    state = container.state()
    assert (state.running, state.exit_code, state.out_of_memory, state.health) == (False, 3, True, "unhealthy")


def test_an_image_without_a_program_is_the_targets_fault(startable: FakeDockerd, engine: DockerEngine) -> None:
    startable.answers["POST /containers/c1/start"] = Refusal(400, 'exec: "nope": executable file not found in $PATH')
    with pytest.raises(TargetFault, match="could not be started"):
        engine.start(container_request())
    assert startable.asked("DELETE /containers/c1")


def test_a_start_that_fails_otherwise_leaves_nothing(startable: FakeDockerd, engine: DockerEngine) -> None:
    startable.answers["POST /containers/c1/start"] = Refusal(500, "port is already allocated")
    with pytest.raises(EngineTrouble, match="port is already allocated"):
        engine.start(container_request())
    assert startable.asked("DELETE /containers/c1")


def test_an_image_is_never_pulled_to_start_it(fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers["POST /containers/create"] = Refusal(404, "No such image: sample")
    with pytest.raises(EngineTrouble, match="No such image"):
        engine.start(container_request())
    assert not fake.asked("POST /images/create")


def test_an_engine_on_another_machine_can_not_be_asked(tmp_path: Path, fake: FakeDockerd) -> None:
    del fake

    class Far(Endpoint):
        """As if it were far away."""

        @property
        def local(self) -> bool:
            """It is not."""
            return False

    far = Far(address=f"unix://{tmp_path}/docker.sock", named_by="the test")
    engine = DockerEngine(far, timeout_s=5, progress=SilentProgress())
    with pytest.raises(EngineTrouble, match="on another machine"):
        engine.start(container_request())
    engine.close()


@pytest.mark.parametrize(("obeys", "signals", "code"), [(True, ["SIGTERM"], 0), (False, ["SIGTERM", "SIGKILL"], 137)])
def test_a_stop_is_a_sigterm_and_a_sigkill_only_when_that_is_ignored(
    startable: FakeDockerd, engine: DockerEngine, obeys: bool, signals: list[str], code: int
) -> None:
    sent: list[str] = []

    def kill(call: Call) -> None:
        sent.append(query(call)["signal"][0])
        if obeys or sent[-1] == "SIGKILL":
            ended = {"Status": "exited", "ExitCode": code, "OOMKilled": False}
            startable.answers["GET /containers/c1/json"] = inspected(ended)

    startable.answers["POST /containers/c1/kill"] = kill
    # Who obeys does so at once, and has all the time that a busy machine takes to tell of it.
    state = engine.start(container_request()).stop(60 if obeys else 0.5)
    assert (sent, state.exit_code, state.running) == (signals, code, False)


def test_stopping_what_has_ended_by_itself_is_no_trouble(startable: FakeDockerd, engine: DockerEngine) -> None:
    container = engine.start(container_request())
    startable.answers["POST /containers/c1/kill"] = Refusal(409, "Container c1 is not running")
    startable.answers["GET /containers/c1/json"] = inspected(ENDED)
    assert container.stop(1).exit_code == 3
    startable.answers["POST /containers/c1/kill"] = Refusal(500, "broken")
    with pytest.raises(EngineTrouble, match="SIGTERM"):
        container.stop(1)


@pytest.mark.parametrize("answer", [None, Refusal(404, "No such container"), Refusal(409, "removal is in progress")])
def test_removing_what_is_gone_is_no_trouble(startable: FakeDockerd, engine: DockerEngine, answer: Any) -> None:
    container = engine.start(container_request())
    startable.answers["DELETE /containers/c1"] = answer
    container.remove()
    assert query(startable.asked("DELETE /containers/c1")[0]) == {"v": ["True"], "link": ["False"], "force": ["True"]}


def test_a_removal_that_fails_is_trouble(startable: FakeDockerd, engine: DockerEngine) -> None:
    container = engine.start(container_request())
    startable.answers["DELETE /containers/c1"] = Refusal(500, "busy")
    with pytest.raises(EngineTrouble, match="busy"):
        container.remove()
