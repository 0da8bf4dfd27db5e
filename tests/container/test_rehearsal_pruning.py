"""The rehearsal's storage is pruned beside a real registry, and attestations of many pushes of one image stay few."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.attestation import artifacts
from pipeline.attestation.artifacts import tag_of
from pipeline.attestation.keys import PublicKey
from pipeline.core.containers import Manifest
from pipeline.core.stage import Status
from pipeline.execution.clock import SystemClock
from pipeline.execution.processes import process_started
from pipeline.execution.rehearsal import RehearsalRegistry
from pipeline.execution.rehearsal_storage import RehearsalStorage, is_served
from pipeline.settings_push import Push
from pipeline.testing import SilentProgress
from tests.container.push_bench import (
    REPOSITORY,
    TAGS,
    ArchiveEngine,
    PushBench,
    archive_engine,
    client,
    is_signed,
    is_whole,
    noise,
    signing_bench,
)
from tests.container.registry_kit import registry_with

pytestmark = pytest.mark.container


@pytest.fixture(name="engines", scope="module")
def engines_fixture() -> Iterator[list[ArchiveEngine]]:
    """Three images with one layer in common."""
    with (
        archive_engine(b"base" * 1000, noise(20_000, 1)) as first,
        archive_engine(b"base" * 1000, noise(20_000, 2)) as second,
        archive_engine(b"base" * 1000, noise(20_000, 3)) as third,
    ):
        yield [first, second, third]


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("data"))


def rehearsal(folder: Path) -> RehearsalRegistry:
    return RehearsalRegistry(folder / "registry", folder / "state", clock=SystemClock(), progress=SilentProgress())


def pushed(folder: Path, engine: ArchiveEngine, key: tuple[Path, PublicKey], number: int) -> Manifest:
    """One signed push into the storage; the image gets a tag of its own there."""
    with rehearsal(folder) as registry:
        host = registry.start()
        bench = PushBench(
            engine=engine,
            folder=folder / f"push-{number}",
            push=Push(registry=host, repository=REPOSITORY, timeout_s=300, key_file=str(key[0])),
        )
        outcome = bench.run()
        assert outcome.status is Status.PASS, outcome.said
        direct = client(host, REPOSITORY)
        manifest = direct.manifest(TAGS[0])
        assert manifest is not None
        direct.put_manifest(f"build-{number}", manifest)
        direct.close()
    for path in (folder / "registry").rglob(f"revisions/sha256/{manifest.digest[7:]}/link"):
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    return manifest


def test_the_newest_and_the_release_stay_whole_and_signed_and_the_rest_can_be_pushed_again(
    engines: list[ArchiveEngine], key: tuple[Path, PublicKey], tmp_path: Path
) -> None:
    manifests = [pushed(tmp_path, engine, key, number) for number, engine in enumerate(engines)]
    before = size_of(tmp_path)
    storage = RehearsalStorage(tmp_path / "registry")
    assert not storage.prune(3, ()).images
    assert size_of(tmp_path) == before
    removed = storage.prune(1, (manifests[0].digest,))
    assert removed.images == (manifests[1].digest,)
    assert removed.size == before - size_of(tmp_path) > 20_000
    with rehearsal(tmp_path) as registry:
        direct = client(registry.start(), REPOSITORY)
        assert is_served(tmp_path / "state")
        for manifest in (manifests[0], manifests[2]):
            assert is_whole(direct, manifest) and is_signed(direct, manifest, key[1])
        assert direct.manifest(manifests[1].digest) is None and direct.manifest("build-1") is None
        assert direct.manifest(tag_of(manifests[1].digest, ".att")) is None
        direct.close()
    assert pushed(tmp_path, engines[1], key, 4) == manifests[1]
    assert storage.prune(1, ()).images == tuple(sorted(manifest.digest for manifest in (manifests[0], manifests[2])))
    assert not RehearsalStorage(tmp_path / "nothing").prune(1, ()).images


def test_a_registry_whose_owner_is_gone_is_not_served(tmp_path: Path) -> None:
    record = tmp_path / "rehearsal" / "child-1.json"
    record.parent.mkdir()
    assert not is_served(tmp_path)
    record.write_text(json.dumps({"owner": os.getpid(), "owner_started": "another"}), encoding="utf-8")
    assert not is_served(tmp_path)
    mine = {"owner": os.getpid(), "owner_started": process_started(os.getpid())}
    record.write_text(json.dumps(mine), encoding="utf-8")
    assert is_served(tmp_path)


def test_pushes_of_one_image_do_not_grow_what_is_attached_without_bound(
    engines: list[ArchiveEngine], key: tuple[Path, PublicKey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "KEPT", 2)
    with registry_with(tmp_path, lambda configuration: None) as host:
        for number in range(4):
            outcome = signing_bench(engines[0], tmp_path / f"push-{number}", host, key).run()
            assert outcome.status is Status.PASS, outcome.said
        registry = client(host, REPOSITORY)
        manifest = registry.manifest(TAGS[0])
        assert manifest is not None and is_signed(registry, manifest, key[1])
        counted = {}
        for suffix, field in (("", "manifests"), (".att", "layers"), (".sig", "layers")):
            found = registry.manifest(tag_of(manifest.digest, suffix))
            assert found is not None
            counted[suffix] = len(json.loads(found.body)[field])
        # Provenance, test result and summary of each of the newest pushes; and their signatures.
        assert counted == {"": 3 * 2, ".att": 3 * 2, ".sig": 2}
        registry.close()
