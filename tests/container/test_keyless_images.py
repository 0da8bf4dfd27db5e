"""Keyless signatures in a real registry: the real sigstore library, and stand-ins for its services on loopback."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.cli import run_command
from pipeline.core.containers import Manifest
from pipeline.core.stage import Status
from pipeline.settings_push import Push
from tests.container.push_bench import (
    REPOSITORY,
    TAGS,
    ArchiveEngine,
    PushBench,
    client,
    is_whole,
    key_file,
    policy,
)
from tests.container.registry_kit import registry_with
from tests.debian_programs import debian_program
from tests.sigstore_stand_in import ISSUER, WORKFLOW, StandIn, sigstore_stand_in

pytestmark = pytest.mark.container


@dataclass
class Signed:
    """A registry with an image that a CI job's identity has signed, and the root of trust in a file."""

    host: str
    services: StandIn
    root: str
    folder: Path

    @property
    def image(self) -> str:
        """Its name."""
        return f"{self.host}/{REPOSITORY}:{TAGS[0]}"

    def manifest(self, reference: str = TAGS[0]) -> Manifest:
        """From the registry."""
        registry = client(self.host, REPOSITORY)
        found = registry.manifest(reference)
        registry.close()
        assert found is not None
        return found

    def run(self, *words: str, demanded: str = "") -> int:
        """A command of ours in a folder without a project."""
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            return run_command([*words, "--policy", policy(self.folder, demanded)])
        finally:
            os.chdir(before)

    def verify(self, *, image: str = "", name: str = WORKFLOW, issuer: str = ISSUER, root: str = "") -> int:
        """``pipeline verify --image`` by an identity."""
        trusted = ("--trusted-root", root or self.root)
        return self.run("verify", "--image", image or self.image, "--identity", name, "--issuer", issuer, *trusted)


@pytest.fixture(name="signed", scope="module")
def signed_fixture(archived: ArchiveEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    folder = tmp_path_factory.mktemp("keyless")
    with (
        sigstore_stand_in() as services,
        registry_with(folder / "registry", lambda configuration: None) as host,
        pytest.MonkeyPatch.context() as patch,
    ):
        services.ambient(patch)
        config, root = services.files(folder / "trust")
        push = Push(registry=host, repository=REPOSITORY, timeout_s=300, keyless=True, trust_config=config)
        pushed = PushBench(engine=archived, folder=folder / "push", push=push).run()
        assert pushed.status is Status.PASS, pushed.said
        assert pushed.examination is not None
        assert pushed.examination.metrics["signing_identity"] == WORKFLOW
        yield Signed(host, services, root, folder)


def test_it_verifies_by_identity_and_issuer_from_a_file_alone(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = len(signed.services.logged)
    assert signed.verify() == 0
    out = capsys.readouterr().out
    assert f"The identity {WORKFLOW} of {ISSUER} has signed" in out and "may be believed" in out
    assert len(signed.services.logged) == entries == 4


def test_the_referrers_are_bundles_as_cosign_writes_them(signed: Signed) -> None:
    image = signed.manifest()
    index = json.loads(signed.manifest(image.digest.replace(":", "-")).body)
    kinds = [item["annotations"]["dev.sigstore.bundle.predicateType"] for item in index["manifests"]]
    assert kinds[0] == "https://sigstore.dev/cosign/sign/v1" and len(kinds) == 4
    for item in index["manifests"]:
        assert item["artifactType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
        assert json.loads(signed.manifest(item["digest"]).body)["subject"]["digest"] == image.digest


@pytest.mark.parametrize(
    "change",
    [
        {"name": WORKFLOW.replace("main", "other")},
        {"issuer": "https://gitlab.example.org"},
    ],
)
def test_another_identity_or_issuer_is_refused(
    signed: Signed, change: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert signed.verify(**change) == 1
    assert "not to be believed" in capsys.readouterr().out


def test_another_root_of_trust_and_a_key_are_refused(signed: Signed, tmp_path: Path) -> None:
    assert signed.verify(root=StandIn(url="http://127.0.0.1:1").files(tmp_path)[1]) == 1
    public = key_file(tmp_path)[0].with_suffix(".pub")
    assert signed.run("verify", "--image", signed.image, "--key", str(public)) == 1


def test_only_what_verifies_is_promoted(signed: Signed) -> None:
    believed = ("--identity", WORKFLOW, "--issuer", ISSUER, "--trusted-root", signed.root)
    assert signed.run("promote", signed.image, "--to", "production", *believed) == 0
    assert signed.manifest("production") == signed.manifest()
    stranger = ("--identity", "somebody", "--issuer", ISSUER, "--trusted-root", signed.root)
    assert signed.run("promote", signed.image, "--to", "stolen", *stranger) == 1
    registry = client(signed.host, REPOSITORY)
    assert registry.manifest("stolen") is None and is_whole(registry, signed.manifest("production"))
    registry.close()


def test_a_copy_in_a_folder_verifies_without_any_registry(signed: Signed, tmp_path: Path) -> None:
    name = signed.manifest().digest.replace(":", "-")
    index = json.loads(signed.manifest(name).body)
    digests = [f"@{item['digest']}" for item in index["manifests"]]
    for number, reference in enumerate((f":{TAGS[0]}", *digests)):
        source, target = f"docker://{signed.host}/{REPOSITORY}{reference}", f"oci:{tmp_path / 'layout'}:{number}"
        words = (debian_program("skopeo"), "--insecure-policy", "copy", "--src-tls-verify=false", source, target)
        subprocess.run(words, check=True, capture_output=True, timeout=300)
    assert signed.verify(image=f"oci:{tmp_path / 'layout'}:0") == 0


def test_what_does_not_belong_together_is_refused(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    both = ("--key", "some.pub", "--identity", WORKFLOW)
    assert signed.run("verify", "--image", signed.image, *both) == 2
    assert "Either a key is believed or an identity" in capsys.readouterr().err
    assert signed.run("verify", "--image", signed.image, "--identity", WORKFLOW) == 2
    assert "only together with who vouches for it" in capsys.readouterr().err
    assert signed.run("verify", "--image", signed.image, "--issuer", ISSUER) == 2
    assert "are about an identity" in capsys.readouterr().err
