"""What is asked of an engine without the docker SDK, and that everything else is asked with it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.core.containers import ContainerEngine
from pipeline.engines.docker_engine import DockerEngine
from pipeline.engines.engine_at_hand import EngineAtHand
from pipeline.engines.unix_socket import NoPlainAnswer, asked, version_of
from pipeline.errors import EngineTrouble
from pipeline.testing import SilentProgress
from tests.fake_dockerd import VERSION, Refusal, fake_dockerd
from tests.unit.engines.docker_kit import endpoint

IDENTITY = "sha256:" + "ab" * 32
INSPECTED = {"Id": IDENTITY, "Size": 7, "Architecture": "amd64", "Config": {"User": "1:1", "Labels": {"a": "b"}}}
HISTORY = [{"CreatedBy": "last", "Size": 3}, {"CreatedBy": "none", "Size": 0}, {"CreatedBy": "first", "Size": 4}]
ANSWERS = {f"GET /images/{IDENTITY}/json": INSPECTED, f"GET /images/{IDENTITY}/history": HISTORY}


def whole(folder: Path, timeout_s: float = 5) -> Callable[[], ContainerEngine]:
    """The same engine by the SDK."""
    return lambda: DockerEngine(endpoint(folder), timeout_s=timeout_s, progress=SilentProgress())


def never() -> ContainerEngine:
    """Nobody may ask for the whole engine."""
    raise AssertionError("the docker SDK was wanted")


def at_hand(folder: Path, open_whole: Callable[[], ContainerEngine] = never, timeout_s: float = 5) -> ContainerEngine:
    return cast(ContainerEngine, EngineAtHand(endpoint(folder).address, timeout_s, open_whole))


def test_it_says_what_it_is_and_describes_an_image_as_the_sdk_does(tmp_path: Path) -> None:
    with fake_dockerd(tmp_path / "docker.sock", dict(ANSWERS)):
        engine, other = at_hand(tmp_path), whole(tmp_path)()
        facts = [(one.name, one.version, one.architecture, one.image(IDENTITY)) for one in (engine, other)]
        engine.close()
        other.close()
    assert facts[0] == facts[1]
    assert facts[0][3] is not None


def test_an_image_that_is_not_there_is_none_and_asked_for_each_time(tmp_path: Path) -> None:
    answers: dict[str, Any] = {f"GET /images/{IDENTITY}/json": Refusal(404, "No such image")}
    with fake_dockerd(tmp_path / "docker.sock", answers) as fake:
        engine = at_hand(tmp_path)
        assert engine.image(IDENTITY) is None
        assert engine.image(IDENTITY) is None
        assert len(fake.asked(f"GET /images/{IDENTITY}/json")) == 2


@pytest.mark.parametrize("answer", [Refusal(500, "out of order"), [], b"no JSON"])
def test_trouble_is_not_taken_for_absence_and_told_by_the_sdk(tmp_path: Path, answer: Any) -> None:
    opened = []

    def open_whole() -> ContainerEngine:
        opened.append(whole(tmp_path)())
        return opened[0]

    with fake_dockerd(tmp_path / "docker.sock", {f"GET /images/{IDENTITY}/json": answer}):
        engine = at_hand(tmp_path, open_whole)
        with pytest.raises((EngineTrouble, KeyError, TypeError, ValueError)):
            engine.image(IDENTITY)
        engine.close()
    assert len(opened) == 1


def test_an_engine_that_falls_silent_is_trouble_after_its_time(tmp_path: Path) -> None:
    with fake_dockerd(tmp_path / "docker.sock", dict(ANSWERS)) as fake:
        engine = at_hand(tmp_path, timeout_s=1.5)
        fake.deaf.set()
        with pytest.raises(EngineTrouble, match=r"describe an image.*nothing for 1\.5 seconds"):
            engine.image(IDENTITY)
        with pytest.raises(EngineTrouble, match="tell its version"):
            at_hand(tmp_path, timeout_s=0.2)


def test_a_name_and_whatever_else_it_can_do_is_the_whole_engines(tmp_path: Path) -> None:
    answers = {"GET /images/a:1/json": INSPECTED, f"GET /images/{IDENTITY}/history": HISTORY}
    opened = []

    def open_whole() -> ContainerEngine:
        opened.append(whole(tmp_path)())
        return opened[0]

    with fake_dockerd(tmp_path / "docker.sock", answers):
        engine = at_hand(tmp_path, open_whole)
        found = engine.image("a:1")
        assert found is not None
        assert engine.names("a:1") == opened[0].names("a:1")
        engine.close()
    assert len(opened) == 1


@pytest.mark.parametrize(
    "about",
    [
        Refusal(500, "out of order"), [], {}, {**VERSION, "Version": 1}, {**VERSION, "ApiVersion": "1.23"},
        {**VERSION, "ApiVersion": "new"}, b"no JSON",
    ],
)  # fmt: skip
def test_what_does_not_say_what_it_is_as_engines_do_is_left_to_the_sdk(tmp_path: Path, about: Any) -> None:
    with fake_dockerd(tmp_path / "docker.sock", {"GET /version": about}), pytest.raises(NoPlainAnswer):
        version_of(f"unix://{tmp_path}/docker.sock", 5)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "ssh://x", "npipe://x", "unix:///nowhere/at/all.sock"])
def test_only_a_unix_socket_on_which_somebody_listens_is_asked(address: str) -> None:
    with pytest.raises(NoPlainAnswer):
        asked(address, "/version", 1)


@pytest.fixture(name="babbling")
def _babbling(tmp_path: Path) -> Iterator[str]:
    """Something that is no engine: it answers, and not in HTTP."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "x.sock"))
        server.listen()

        def babble() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"hello\n")

        thread = threading.Thread(target=babble)
        thread.start()
        yield f"unix://{tmp_path}/x.sock"
        thread.join()


def test_what_speaks_no_http_is_no_engine(babbling: str) -> None:
    with pytest.raises(NoPlainAnswer):
        asked(babbling, "/version", 5)


def test_opening_it_and_asking_for_an_image_loads_no_docker_sdk(tmp_path: Path) -> None:
    code = f"""
import sys
from pipeline.engine_opening import open_engine
from pipeline.settings import Engine
from pipeline.testing import ScriptedRunner, SilentProgress
engine = open_engine(Engine(host={endpoint(tmp_path).address!r}), {{}}, ScriptedRunner([]), SilentProgress())
assert engine.version and engine.image({IDENTITY!r}).size_bytes == 7
print({{"docker", "requests", "urllib3"}} & set(sys.modules))
"""
    with fake_dockerd(tmp_path / "docker.sock", dict(ANSWERS)):
        run = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
