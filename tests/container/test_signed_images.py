"""Signed images in a real registry: judged by others than ourselves, promoted, tampered with; guarded registries."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope as ForeignEnvelope

from pipeline.attestation.attaching import SETTLE_S
from pipeline.attestation.keys import PublicKey
from pipeline.cli import run_command
from pipeline.core.containers import Manifest
from pipeline.core.oci_manifest import Descriptor, digest_of
from pipeline.core.stage import Status
from tests.container.push_bench import (
    REPOSITORY,
    TAGS,
    ArchiveEngine,
    archive_engine,
    client,
    is_signed,
    is_whole,
    key_file,
    noise,
    policy,
    signing_bench,
    verify,
)
from tests.container.registry_kit import QuickClock, registry_with
from tests.debian_programs import debian_program

pytestmark = pytest.mark.container


@pytest.fixture(name="host", scope="module")
def host_fixture(
    archived: ArchiveEngine, key: tuple[Path, PublicKey], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A registry with a signed image in it."""
    folder = tmp_path_factory.mktemp("registry")
    with registry_with(folder, lambda configuration: None) as host:
        pushed = signing_bench(archived, tmp_path_factory.mktemp("push"), host, key).run()
        assert pushed.status is Status.PASS, pushed.said
        yield host


def tagged(host: str, tag: str = TAGS[0]) -> Manifest:
    manifest = client(host, REPOSITORY).manifest(tag)
    assert manifest is not None
    return manifest


def test_openssl_verifies_the_signature_as_cosign_lays_it(
    host: str, key: tuple[Path, PublicKey], tmp_path: Path
) -> None:
    image = tagged(host)
    signature = json.loads(tagged(host, image.digest.replace(":", "-") + ".sig").body)
    (layer,) = signature["layers"]
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    (tmp_path / "payload").write_bytes(read_blob(host, layer))
    (tmp_path / "signature").write_bytes(base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"]))
    checked = subprocess.run(
        ("openssl", "dgst", "-sha256", "-verify", str(key[0].with_suffix(".pub")),
         "-signature", str(tmp_path / "signature"), str(tmp_path / "payload")),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "Verified OK" in checked.stdout
    critical = json.loads((tmp_path / "payload").read_text())["critical"]
    assert critical["image"] == {"docker-manifest-digest": image.digest}
    assert critical["identity"] == {"docker-reference": f"{host}/{REPOSITORY}"}


def read_blob(host: str, layer: dict[str, Any]) -> bytes:
    return client(host, REPOSITORY).blob(Descriptor(digest=layer["digest"], size=layer["size"]))


def test_securesystemslib_verifies_each_attestation(host: str, key: tuple[Path, PublicKey]) -> None:
    image = tagged(host)
    attestations = json.loads(tagged(host, image.digest.replace(":", "-") + ".att").body)["layers"]
    # Its types do not say that it exports this name, though its documentation does.
    foreign = import_module("securesystemslib.signer").SSlibKey(
        key[1].id, "ecdsa", "ecdsa-sha2-nistp256", {"public": key[0].with_suffix(".pub").read_text(encoding="ascii")}
    )
    kinds = []
    for layer in attestations:
        envelope = ForeignEnvelope.from_dict(json.loads(read_blob(host, layer)))
        assert envelope.verify([foreign], 1)
        statement = json.loads(envelope.payload)
        assert statement["subject"][0]["digest"] == {"sha256": image.digest.removeprefix("sha256:")}
        assert layer["annotations"]["predicateType"] == statement["predicateType"]
        kinds.append(statement["predicateType"])
    assert kinds == [
        "https://slsa.dev/provenance/v1",
        "https://in-toto.io/attestation/test-result/v0.1",
        "https://slsa.dev/verification_summary/v1",
    ]


def test_skopeo_inspects_and_copies_the_image_and_the_copy_verifies_without_a_network(
    host: str, key: tuple[Path, PublicKey], tmp_path: Path
) -> None:
    image = tagged(host)
    skopeo("inspect", "--tls-verify=false", f"docker://{host}/{REPOSITORY}@{image.digest}")
    name = image.digest.replace(":", "-")
    for tag in (TAGS[0], f"{name}.sig", f"{name}.att"):
        source, target = f"docker://{host}/{REPOSITORY}:{tag}", f"oci:{tmp_path / 'layout'}:{tag}"
        skopeo("copy", "--src-tls-verify=false", source, target)
    layout = f"oci:{tmp_path / 'layout'}:{TAGS[0]}"
    assert verify(layout, key, tmp_path, "--policy", policy(tmp_path)) == 0
    assert verify(layout, key_file(tmp_path), tmp_path, "--policy", policy(tmp_path)) == 1


def skopeo(command: str, *arguments: str) -> None:
    words = (debian_program("skopeo"), "--insecure-policy", command, *arguments)
    subprocess.run(words, check=True, capture_output=True, timeout=300)


def test_the_referrers_tag_lists_the_attestations(host: str) -> None:
    image = tagged(host)
    index = json.loads(tagged(host, image.digest.replace(":", "-")).body)
    assert index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    for item in index["manifests"]:
        assert item["artifactType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
        manifest = json.loads(tagged(host, item["digest"]).body)
        assert manifest["subject"]["digest"] == image.digest
        assert manifest["annotations"] == item["annotations"]


def test_an_image_verifies_by_tag_and_by_digest(
    host: str, key: tuple[Path, PublicKey], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tagged(host)
    for reference in (f"{host}/{REPOSITORY}:{TAGS[0]}", f"{host}/{REPOSITORY}@{image.digest}"):
        assert verify(reference, key, tmp_path, "--policy", policy(tmp_path)) == 0
        assert "may be believed" in capsys.readouterr().out
    assert verify(f"{host}/{REPOSITORY}:{TAGS[0]}", key, tmp_path, "--json", "--policy", policy(tmp_path)) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "pass"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ('builder = "https://ci.example.org"', "Its builder is"),
        ('source = "https://example.org/repository"', "Its source is"),
        ('attestations = ["sbom"]', "There is no SBOM"),
        ("max_age_days = 0.0000001", "days old; at most"),
    ],
)
def test_what_a_policy_demands_and_the_image_has_not_is_refused(
    host: str,
    key: tuple[Path, PublicKey],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: str,
    sentence: str,
) -> None:
    assert verify(f"{host}/{REPOSITORY}:{TAGS[0]}", key, tmp_path, "--policy", policy(tmp_path, more)) == 1
    assert sentence in capsys.readouterr().out


def test_stages_that_have_not_passed_and_images_that_are_not_there_are_refused(
    host: str, key: tuple[Path, PublicKey], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(f"{host}/{REPOSITORY}:{TAGS[0]}", key, tmp_path) == 1
    assert "these stages have passed: lint, scan, secrets, audit." in capsys.readouterr().out
    assert verify(f"{host}/{REPOSITORY}:other", key, tmp_path) == 1
    assert "has no image other" in capsys.readouterr().out


def test_only_what_verifies_is_promoted_and_by_the_same_bytes(
    host: str, key: tuple[Path, PublicKey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = tagged(host)
    public, demanded = str(key[0].with_suffix(".pub")), policy(tmp_path)
    options = ["--key", public, "--policy", demanded]
    assert run_command(["promote", f"{host}/{REPOSITORY}@{image.digest}", "--to", "production", *options]) == 0
    assert tagged(host, "production") == image
    stranger = key_file(tmp_path)[0].with_suffix(".pub")
    refused = ["promote", f"{host}/{REPOSITORY}:{TAGS[0]}", "--to", "stolen", "--key", str(stranger)]
    assert run_command([*refused, "--policy", demanded]) == 1
    # All eight stages are demanded where no policy says otherwise, and this image has passed four.
    assert run_command(["promote", f"{host}/{REPOSITORY}:{TAGS[0]}", "--to", "stolen", "--key", public]) == 1
    assert client(host, REPOSITORY).manifest("stolen") is None
    forged = image.digest.replace(":", "-") + ".sig"
    assert run_command(["promote", f"{host}/{REPOSITORY}:{TAGS[0]}", "--to", forged, *options]) == 2


def test_a_signature_that_is_moved_to_another_image_counts_for_nothing(
    host: str, key: tuple[Path, PublicKey], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry, image = client(host, REPOSITORY), tagged(host)
    body = image.body + b"\n"
    other = Manifest(digest=digest_of(body), media_type=image.media_type, body=body)
    registry.put_manifest(other.digest, other)
    for suffix in (".sig", ".att"):
        moved = registry.manifest(image.digest.replace(":", "-") + suffix)
        assert moved is not None
        registry.put_manifest(other.digest.replace(":", "-") + suffix, moved)
    assert verify(f"{host}/{REPOSITORY}@{other.digest}", key, tmp_path, "--policy", policy(tmp_path)) == 1
    said = capsys.readouterr().out
    assert f"made for another image than {other.digest}" in said
    assert "There is no provenance for this image" in said


class Patient(QuickClock):
    """Of several pushes: each waits, before it looks again, until no other one is between reading and writing.

    That is what the real pause is long enough for, however busy the machine is.
    """

    def __init__(self, pushes: int) -> None:
        self._at_work = pushes
        self._round = 0
        self._changed = threading.Condition()
        self._waiting = 0

    def sleep(self, seconds: float) -> None:
        """Hardly wait, but for that."""
        if seconds < SETTLE_S:
            super().sleep(seconds)
            return
        with self._changed:
            mine, self._waiting = self._round, self._waiting + 1
            self.ended()
            self._changed.wait_for(lambda: self._round != mine)

    def ended(self) -> None:
        """One less is at work; after the last one all that wait go on."""
        with self._changed:
            self._at_work -= 1
            if not self._at_work:
                self._at_work, self._waiting, self._round = self._waiting, 0, self._round + 1
                self._changed.notify_all()


def test_two_commits_that_are_pushed_at_once_both_end_right(
    archived: ArchiveEngine, key: tuple[Path, PublicKey], tmp_path: Path
) -> None:
    with archive_engine(b"base" * 1000, noise(2000, seed=2)) as other, registry_with(tmp_path, lambda _: None) as host:
        benches = [
            signing_bench(one, tmp_path / f"push-{number}", host, key) for number, one in enumerate((archived, other))
        ]
        # The second pair is of one image: everything that is attached to it is written by both.
        benches += [signing_bench(archived, tmp_path / f"push-{number}", host, key) for number in (2, 3)]
        outcomes: dict[int, str] = {}
        clock = Patient(len(benches))

        def run(number: int) -> None:
            benches[number].clock = clock
            try:
                outcome = benches[number].run()
                outcomes[number] = f"{outcome.status} {outcome.said}"
            finally:
                clock.ended()

        threads = [threading.Thread(target=run, args=(number,)) for number in range(len(benches))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        registry = client(host, REPOSITORY)
        assert [said.partition(" ")[0] for said in outcomes.values()] == ["pass"] * 4, outcomes
        for tag in TAGS:
            manifest = tagged(host, tag)
            assert is_whole(registry, manifest) and is_signed(registry, manifest, key[1])
        # One push of one image and three of another, each with three attestations.
        listed = [json.loads(body.body) for body in registry_indexes(host, registry)]
        assert sorted(len(index["manifests"]) for index in listed) == [3, 3 * 3]


def registry_indexes(host: str, registry: Any) -> list[Manifest]:
    return [tagged(host, tag) for tag in registry.tags() if tag.startswith("sha256-") and "." not in tag]
