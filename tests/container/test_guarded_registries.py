"""Signed pushes to registries that are guarded: TLS by a private authority, passwords, tokens."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.attestation.keys import PublicKey
from pipeline.core.stage import Status
from pipeline.engines.registry_auth import PASSWORD, USERNAME, Credentials
from tests.container.push_bench import (
    REPOSITORY,
    TAGS,
    ArchiveEngine,
    client,
    holds_signed,
    policy,
    signing_bench,
    verify,
)
from tests.container.registry_kit import bcrypt, registry_with
from tests.support import PASSWORD as SECRET
from tests.token_service import token_service

pytestmark = pytest.mark.container


def guarded(folder: Path, configuration: dict[str, Any], *, tls: bool) -> None:
    (folder / "htpasswd").write_text(f"somebody:{bcrypt(SECRET)}\n", encoding="utf-8")
    configuration["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    if tls:
        configuration["http"]["tls"] = {"certificate": str(folder / "server.pem"), "key": str(folder / "server.key")}


def private_authority(folder: Path) -> None:
    """An authority, and a certificate by it for a server on loopback, as strictly made as Python 3.13 demands."""
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n", encoding="ascii")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for command in (
        ("req", "-x509", *curve, "-days", "1", "-subj", "/CN=authority",
         "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", "ca.key", "-out", "ca.pem"),
        ("req", *curve, "-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr"),
        ("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1",
         "-extfile", "ext", "-out", "server.pem"),
    ):  # fmt: skip
        subprocess.run(("openssl", *command), check=True, capture_output=True, cwd=folder)


def test_a_registry_with_tls_of_a_private_authority_and_a_password(
    archived: ArchiveEngine, key: tuple[Path, PublicKey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private_authority(tmp_path)
    ca = str(tmp_path / "ca.pem")
    with registry_with(tmp_path, lambda settings: guarded(tmp_path, settings, tls=True)) as host:
        one = signing_bench(archived, tmp_path / "push", host, key, ca_file=ca)
        assert "no credentials were found" in one.run().said
        one.environ = {USERNAME: "somebody", PASSWORD: SECRET}
        pushed = one.run()
        assert pushed.status is Status.PASS, pushed.said
        assert SECRET not in f"{pushed}"
        login = Credentials(username="somebody", password=SECRET)
        direct = client(host, REPOSITORY, credentials=login, ca_file=ca)
        assert holds_signed(direct, key[1])
        docker = tmp_path / "docker"
        docker.mkdir()
        entry = base64.b64encode(f"somebody:{SECRET}".encode()).decode()
        (docker / "config.json").write_text(json.dumps({"auths": {host: {"auth": entry}}}), encoding="utf-8")
        monkeypatch.setenv("DOCKER_CONFIG", str(docker))
        monkeypatch.setenv("PIPELINE_PUSH_CA_FILE", ca)
        assert verify(f"{host}/{REPOSITORY}:{TAGS[0]}", key, tmp_path, "--policy", policy(tmp_path)) == 0


@pytest.mark.parametrize("lasts_s", [60, 0])
def test_a_registry_with_a_token_service(
    archived: ArchiveEngine, key: tuple[Path, PublicKey], tmp_path: Path, lasts_s: int
) -> None:
    """With tokens that are good for long, and with such that have run out by the next request or the one after it."""
    with (
        token_service(tmp_path, "somebody", SECRET, lasts_s=lasts_s) as service,
        registry_with(tmp_path, service.protect) as host,
    ):
        one = signing_bench(archived, tmp_path / "push", host, key)
        one.environ = {USERNAME: "somebody", PASSWORD: SECRET[::-1]}
        assert "refuses the login of 'somebody'" in one.run().said
        one.environ = {USERNAME: "somebody", PASSWORD: SECRET}
        pushed = one.run()
        assert pushed.status is Status.PASS, pushed.said
        assert service.issued
        login = Credentials(username="somebody", password=SECRET)
        direct = client(host, REPOSITORY, credentials=login)
        assert holds_signed(direct, key[1])
