"""Where credentials come from."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest
from docker import auth as docker_auth

from pipeline.engines.registry_auth import PASSWORD, USERNAME, Credentials, find_credentials
from pipeline.errors import ConfigurationError, RegistryTrouble

HOST = "registry.example.org:5000"
VALUE = "kept-to-ourselves"


def configuration(folder: Path, document: dict[str, object]) -> docker_auth.AuthConfig:
    path = folder / "config.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return docker_auth.load_config(config_path=str(path))


def empty() -> docker_auth.AuthConfig:
    return docker_auth.AuthConfig({})


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "docker-credential-planted"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_the_environment_comes_first(tmp_path: Path) -> None:
    auths = {HOST: {"auth": base64.b64encode(b"other:other").decode()}}
    found = find_credentials(HOST, {USERNAME: "me", PASSWORD: VALUE}, lambda: configuration(tmp_path, {"auths": auths}))
    assert found == Credentials(username="me", password=VALUE)
    assert found.for_engine == {"username": "me", "password": VALUE}
    assert found.secrets == (VALUE,)


@pytest.mark.parametrize("one", [USERNAME, PASSWORD])
def test_half_a_login_is_a_mistake_that_names_the_other_half(one: str) -> None:
    other = ({USERNAME, PASSWORD} - {one}).pop()
    with pytest.raises(ConfigurationError, match=other) as caught:
        find_credentials(HOST, {one: VALUE}, empty)
    assert VALUE not in str(caught.value)


def test_then_the_docker_configuration_for_that_host_only(tmp_path: Path) -> None:
    auths = {HOST: {"auth": base64.b64encode(f"me:{VALUE}".encode()).decode()}}
    document: dict[str, object] = {"auths": auths}
    assert find_credentials(HOST, {}, lambda: configuration(tmp_path, document)).for_engine == {
        "username": "me",
        "password": VALUE,
    }
    assert not find_credentials("elsewhere.example.org", {}, lambda: configuration(tmp_path, document))


def test_then_its_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper(tmp_path, monkeypatch, f"""cat > /dev/null; echo '{{"Username": "me", "Secret": "{VALUE}"}}'""")
    found = find_credentials(HOST, {}, lambda: configuration(tmp_path, {"credHelpers": {HOST: "planted"}}))
    assert found == Credentials(username="me", password=VALUE)


def test_a_helper_may_give_an_identity_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper(tmp_path, monkeypatch, f"""cat > /dev/null; echo '{{"Username": "<token>", "Secret": "{VALUE}"}}'""")
    found = find_credentials(HOST, {}, lambda: configuration(tmp_path, {"credsStore": "planted"}))
    assert found == Credentials(identity_token=VALUE)
    assert found.for_engine == {"identitytoken": VALUE}


def test_a_helper_that_fails_is_trouble_without_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper(tmp_path, monkeypatch, f"cat > /dev/null; echo 'broken {VALUE}'; exit 1")
    with pytest.raises(RegistryTrouble, match="credential helper") as caught:
        find_credentials(HOST, {}, lambda: configuration(tmp_path, {"credHelpers": {HOST: "planted"}}))
    assert VALUE not in str(caught.value)


def test_nothing_anywhere_is_anonymous() -> None:
    found = find_credentials(HOST, {}, empty)
    assert not found
    assert not found.for_engine
