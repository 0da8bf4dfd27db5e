"""Where an engine is looked for, in which order, and what counts as an answer."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engines.discovery import REFUSED, Endpoint, find_endpoint, why_silent
from tests.fake_dockerd import Refusal, fake_dockerd


def silent(endpoint: Endpoint) -> str:
    """Nobody answers anywhere."""
    del endpoint
    return "it is silent"


def only(address: str) -> Callable[[Endpoint], str]:
    """Somebody answers at this address alone."""
    return lambda endpoint: "" if endpoint.address == address else "it is silent"


def environ_with_context(folder: Path, meta: object, name: str = "colima") -> dict[str, str]:
    """An environment whose Docker configuration uses a context."""
    identity = hashlib.sha256(name.encode()).hexdigest()
    place = folder / "contexts" / "meta" / identity
    place.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"currentContext": name}), encoding="utf-8")
    (place / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    return {"DOCKER_CONFIG": str(folder)}


def test_the_setting_comes_first_and_stands_alone() -> None:
    search = find_endpoint("unix:///a", {"DOCKER_HOST": "unix:///b"}, silent, ("/c",))
    assert (search.found, search.explicit) == (None, "unix:///a")
    assert search.tried == ("unix:///a (it is silent)",)


def test_docker_host_stands_alone_too() -> None:
    search = find_endpoint("", {"DOCKER_HOST": "tcp://engine:2375"}, silent, ("/c",))
    assert search.explicit == "tcp://engine:2375"


def test_the_context_is_asked_before_the_usual_places(tmp_path: Path) -> None:
    environ = environ_with_context(tmp_path, {"Endpoints": {"docker": {"Host": "unix:///colima.sock"}}})
    search = find_endpoint("", environ, silent, ("/usual",))
    assert search.tried == ("unix:///colima.sock (it is silent)", "unix:///usual (it is silent)")
    assert search.explicit == ""


@pytest.mark.parametrize("meta", [[], {}, {"Endpoints": None}, {"Endpoints": {"docker": "x"}}])
def test_a_damaged_context_is_named_and_passed_over(tmp_path: Path, meta: object) -> None:
    search = find_endpoint("", environ_with_context(tmp_path, meta), only("unix:///usual"), ("/usual",))
    assert search.tried == ("the Docker context 'colima' (it can't be read)",)
    assert search.found is not None
    assert search.found.address == "unix:///usual"


def test_a_context_brings_its_tls_files(tmp_path: Path) -> None:
    environ = environ_with_context(tmp_path, {"Endpoints": {"docker": {"Host": "tcp://x:2376", "SkipTLSVerify": True}}})
    tls = tmp_path / "contexts" / "tls" / hashlib.sha256(b"colima").hexdigest() / "docker"
    tls.mkdir(parents=True)
    (tls / "cert.pem").touch()
    found = find_endpoint("", environ, lambda endpoint: "", ()).found
    assert found is not None
    assert (found.tls_folder, found.tls_verify) == (str(tls), False)


def test_dockers_own_variables_bring_tls() -> None:
    environ = {"DOCKER_HOST": "tcp://x:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}
    found = find_endpoint("", environ, lambda endpoint: "", ()).found
    assert found is not None
    assert (found.tls_folder, found.tls_verify) == ("/certs", True)


def test_the_usual_places_are_the_standard_rootless_and_podman_sockets() -> None:
    tried = find_endpoint("", {"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/home/u"}, silent).tried
    assert [line.split(" ")[0].removeprefix("unix://") for line in tried] == [
        "/var/run/docker.sock",
        "/run/user/7/docker.sock",
        "/home/u/.docker/run/docker.sock",
        "/run/user/7/podman/podman.sock",
        "/run/podman/podman.sock",
    ]


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("unix:///x", True),
        ("tcp://127.0.0.1:2375", True),
        ("tcp://localhost:2375", True),
        ("tcp://[::1]:2375", True),
        ("tcp://engine:2375", False),
        ("tcp://127.0.0.1.example.org:2375", False),
    ],
)
def test_an_engine_is_local_when_its_loopback_is_ours(address: str, local: bool) -> None:
    assert Endpoint(address=address, named_by="the test").local is local


def test_an_engine_that_answers_is_found(tmp_path: Path) -> None:
    with fake_dockerd(tmp_path / "docker.sock"):
        found = find_endpoint("", {}, places=(str(tmp_path / "docker.sock"),)).found
    assert found is not None
    assert found.named_by == "its usual place"


def test_a_left_over_socket_is_no_engine(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    assert path.is_socket()
    assert "nobody listens" in why_silent(Endpoint(address=f"unix://{path}", named_by="the test"))


def test_no_socket_at_all_is_no_engine(tmp_path: Path) -> None:
    assert why_silent(Endpoint(address=f"unix://{tmp_path}/none", named_by="the test")) == "there is no such socket"


def test_an_engine_that_never_answers_is_given_up_after_seconds(tmp_path: Path) -> None:
    with fake_dockerd(tmp_path / "docker.sock") as fake:
        fake.deaf.set()
        endpoint = Endpoint(address=f"unix://{tmp_path}/docker.sock", named_by="the test")
        assert why_silent(endpoint) == "it did not answer within 3 seconds"


def test_what_answers_otherwise_is_no_engine(tmp_path: Path) -> None:
    with fake_dockerd(tmp_path / "docker.sock", {"GET /version": Refusal(500, "out of order " + "x" * 500)}):
        trouble = why_silent(Endpoint(address=f"unix://{tmp_path}/docker.sock", named_by="the test"))
    assert "500" in trouble
    assert len(trouble) < 250


def test_a_forbidden_socket_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert why_silent(Endpoint(address=f"unix://{tmp_path}/x", named_by="the test")) == REFUSED


def test_tls_files_are_used(tmp_path: Path) -> None:
    endpoint = Endpoint(address="tcp://127.0.0.1:1", named_by="the test", tls_folder=str(tmp_path))
    assert "certificate" in why_silent(endpoint).lower()


def test_a_socket_that_can_not_be_asked_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    address = f"unix://{tmp_path}/file/" + "x" * 20
    assert why_silent(Endpoint(address=address, named_by="the test")) == "Not a directory"
