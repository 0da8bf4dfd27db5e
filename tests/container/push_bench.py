"""Pushes without a container engine, to a real registry: an image made by hand, and a service that answers for it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.attestation.checking import checked
from pipeline.attestation.demands import usual
from pipeline.attestation.keys import PublicKey, read_public_key
from pipeline.attestation.reading import held
from pipeline.attestation.trust import ByKey
from pipeline.cli import run_command
from pipeline.core.containers import ContainerEngine, Image, Layer, Manifest
from pipeline.core.oci_manifest import digest_of, image_content
from pipeline.core.ports import Clock
from pipeline.core.stage import Examination, Status
from pipeline.core.verdict import conclude
from pipeline.core.verification import Answer
from pipeline.engines.registry_auth import Credentials
from pipeline.engines.registry_client import RegistryClient
from pipeline.engines.registry_transport import Address, RegistryTransport
from pipeline.errors import RegistryTrouble
from pipeline.execution.clock import SystemClock
from pipeline.settings_push import Push
from pipeline.stages.push import PushStage
from pipeline.testing import FakeContainer, FakeEngine
from tests.container.registry_kit import Bench, QuickClock
from tests.docker_archives import layer
from tests.scripted_http import Reply, scripted_http

NEEDS = ("test", "build", "smoke", "canary")
TAGS = ("1.2.3_local", "c" * 12)
REPOSITORY = "team/service"


def docker_archive(*contents: bytes) -> tuple[str, bytes]:
    """The id of an image with a layer for each content, and its archive."""
    layers = [layer(("data", content, 0o644)) for content in contents]
    diff_ids = [digest_of(tar) for tar in layers]
    configuration = json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    ).encode()
    name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    names = [f"{number}.tar" for number, _ in enumerate(layers)]
    manifest = json.dumps([{"Config": name, "Layers": names, "RepoTags": None}]).encode()
    members = [("manifest.json", manifest), (name, configuration), *zip(names, layers, strict=True)]
    return digest_of(configuration), layer(*((path, body, 0o644) for path, body in members))


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that no compressor makes smaller; the same for the same seed."""
    return hashlib.shake_256(bytes((seed,))).digest(size)


@dataclass(kw_only=True)
class ArchiveEngine(FakeEngine):
    """Has one image, pulls it whatever is asked for, and its containers answer at ``base_url``."""

    image_id: str

    def pull(self, reference: str, credentials: Mapping[str, str], *, timeout_s: float = 600.0) -> str:
        """As if it had."""
        del reference, credentials, timeout_s
        return self.image_id


@contextlib.contextmanager
def archive_engine(*contents: bytes) -> Iterator[ArchiveEngine]:
    """An engine with an image of these layers."""
    identity, archive = docker_archive(*contents)
    image = Image(
        id=identity,
        size_bytes=len(archive),
        layers=(Layer(created_by="hand", size_bytes=1),),
        user="65532",
        labels={},
        architecture="amd64",
        configuration={},
    )
    with scripted_http(lambda asked: Reply(body=b"ok\n")) as service:
        yield ArchiveEngine(
            images={identity: image},
            archive=archive,
            image_id=identity,
            container=FakeContainer(base_url=f"http://{service.host}"),
        )


@dataclass
class Pushed:
    """What came of a push: the status, or trouble; and the key that signed, if there was one."""

    status: Status
    said: str
    examination: Examination | None = None


@dataclass
class PushBench:
    """Pushes of one engine's image; a push of an earlier ``bench`` is repeated with ``again``."""

    engine: ContainerEngine
    folder: Path
    push: Push
    environ: dict[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=QuickClock)

    def run(self) -> Pushed:
        """One push, by an own checkout."""
        identity = getattr(self.engine, "image_id", "")
        bench = Bench(engine=self.engine, folder=self.folder, push=self.push, environ=self.environ)
        bench.runs = len([*self.folder.glob("run-*")])
        try:
            context = bench.context(identity)
            ports = replace(context.ports, clock=self.clock)
            examination = PushStage(needs=NEEDS).run(replace(context, ports=ports))
        except RegistryTrouble as trouble:
            return Pushed(Status.INCONCLUSIVE, str(trouble))
        finally:
            bench.close()
        outcome, reasons = conclude(examination)
        return Pushed(outcome, " ".join(reasons), examination)


def client(host: str, repository: str, *, credentials: Credentials | None = None, ca_file: str = "") -> RegistryClient:
    """Straight to a registry."""
    login = credentials or Credentials()
    transport = RegistryTransport(
        Address(host=host, ca_file=ca_file), login, clock=QuickClock(), timeout_s=300, hide=lambda secret: None
    )
    return RegistryClient(transport, repository, rehearsal=False, credentials=login.for_engine)


def is_whole(registry: RegistryClient, manifest: Manifest) -> bool:
    """Whether the image can be read by its digest, all of it."""
    by_digest = registry.manifest(manifest.digest)
    return by_digest == manifest and registry.verify_blobs(manifest) == image_content(manifest).size


def is_signed(registry: RegistryClient, manifest: Manifest, key: PublicKey) -> bool:
    """Whether what lies in the registry about the image may be believed."""
    found = checked(held(registry, manifest), ByKey(key), usual(NEEDS), SystemClock().now())
    return not {finding.answer for finding in found} & {Answer.CONTRADICTED, Answer.OUTDATED}


def holds_signed(registry: RegistryClient, key: PublicKey, tag: str = TAGS[0]) -> bool:
    """Whether what the tag names can be read, all of it, and may be believed."""
    manifest = registry.manifest(tag)
    return manifest is not None and is_whole(registry, manifest) and is_signed(registry, manifest, key)


def key_file(folder: Path) -> tuple[Path, PublicKey]:
    """A new key in a file, made by OpenSSL, and its public half."""
    path, public = folder / "signing-key.pem", folder / "signing-key.pub"
    for command in (
        ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path)),
        ("pkey", "-in", str(path), "-pubout", "-out", str(public)),
    ):
        subprocess.run(("openssl", *command), check=True, capture_output=True)
    return path, read_public_key(public.read_bytes(), str(public))


def signing_bench(
    engine: ArchiveEngine, folder: Path, host: str, key: tuple[Path, PublicKey], **push: Any
) -> PushBench:
    """Pushes that are signed with this key."""
    return PushBench(
        engine=engine,
        folder=folder,
        push=Push(registry=host, repository=REPOSITORY, timeout_s=300, key_file=str(key[0]), **push),
    )


def verify(reference: str, key: tuple[Path, PublicKey], folder: Path, *more: str) -> int:
    """``pipeline verify --image`` where there is no project."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        return run_command(["verify", "--image", reference, "--key", str(key[0].with_suffix(".pub")), *more])
    finally:
        os.chdir(before)


def policy(folder: Path, text: str = "") -> str:
    """A file that demands the stages of :data:`NEEDS`, and more."""
    path = folder / "policy.toml"
    path.write_text(f'stages = ["test", "build", "smoke", "canary"]\n{text}', encoding="utf-8")
    return str(path)
