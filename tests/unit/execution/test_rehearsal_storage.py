"""Which of the rehearsal's files stay, laid out by hand; the container tests ask a real registry."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.oci_manifest import digest_of
from pipeline.errors import StorageTrouble
from pipeline.execution.rehearsal_storage import RehearsalStorage

BASE = b"a layer of all images"


class Storage:
    """A repository as the distribution project lays it out."""

    def __init__(self, folder: Path, repository: str = "team/echo") -> None:
        self.folder = folder
        self.root = folder / "docker/registry/v2"
        self.repository = self.root / "repositories" / repository

    def blob(self, body: bytes) -> str:
        """Keep bytes, and link them."""
        digest = digest_of(body)
        path = self.root / "blobs/sha256" / digest[7:9] / digest[7:]
        path.mkdir(parents=True, exist_ok=True)
        (path / "data").write_bytes(body)
        self._link(f"_layers/sha256/{digest[7:]}/link", digest)
        return digest

    def manifest(self, tag: str = "", **document: object) -> str:
        """Keep a manifest, under a tag or under none."""
        digest = self.blob(json.dumps(document).encode())
        self._link(f"_manifests/revisions/sha256/{digest[7:]}/link", digest)
        if tag:
            self._link(f"_manifests/tags/{tag}/current/link", digest)
        return digest

    def image(self, number: int) -> str:
        """An image with a signature, and an attestation as a referrer; a greater number is newer."""
        layers = [{"digest": self.blob(BASE)}, {"digest": self.blob(b"layer %d" % number)}]
        configuration = {"digest": self.blob(b"configuration %d" % number)}
        image = self.manifest(f"build-{number}", config=configuration, layers=layers)
        name = image.replace(":", "-")
        self.manifest(f"{name}.sig", layers=[{"digest": self.blob(b"signature %d" % number)}])
        child = self.manifest(layers=[{"digest": self.blob(b"bundle %d" % number)}], subject={"digest": image})
        self.manifest(name, manifests=[{"digest": child}])
        link = self.repository / f"_manifests/revisions/sha256/{image[7:]}/link"
        os.utime(link, (1_000_000 + number, 1_000_000 + number))
        return image

    def held(self) -> set[bytes]:
        """Every blob that is there."""
        return {path.read_bytes() for path in self.root.rglob("data")}

    def _link(self, path: str, digest: str) -> None:
        link = self.repository / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.write_text(digest, encoding="ascii")


def parts(number: int) -> set[bytes]:
    return {f"{what} {number}".encode() for what in ("layer", "configuration", "signature", "bundle")}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(count=st.integers(1, 4), keep=st.integers(1, 4), released=st.integers(0, 3), seed=st.integers(0, 10**9))
def test_the_newest_and_the_released_stay_with_all_that_belongs_to_them_and_nothing_else(
    tmp_path: Path, count: int, keep: int, released: int, seed: int
) -> None:
    storage = Storage(tmp_path / f"{seed}-{count}-{keep}-{released}")
    images = [storage.image(number) for number in range(count)]
    storage.manifest(layers=[{"digest": storage.blob(b"of a push that was cut")}])
    removed = RehearsalStorage(storage.folder).prune(keep, images[released : released + 1])
    stay = {*range(count)[-keep:], *range(count)[released : released + 1]}
    assert set(removed.images) == {images[number] for number in range(count) if number not in stay}
    held = storage.held()
    assert BASE in held and b"of a push that was cut" not in held
    assert all((parts(number) <= held) == (number in stay) for number in range(count))
    assert not any(parts(number) & held for number in range(count) if number not in stay)
    assert RehearsalStorage(storage.folder).prune(keep, images).size == 0


def test_a_blob_that_another_repository_names_stays(tmp_path: Path) -> None:
    one, two = Storage(tmp_path), Storage(tmp_path, "team/other")
    kept = two.image(2)
    one.image(1)
    one.image(2)
    removed = RehearsalStorage(tmp_path).prune(1, ())
    assert len(removed.images) == 1 and kept not in removed.images
    assert parts(2) <= one.held()


def test_tags_without_a_manifest_and_manifests_of_another_form_do_no_harm(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    image = storage.image(1)
    storage.manifest("odd", layers=[{"no": "digest"}])
    storage.manifest("index", manifests=[{"digest": "sha256:" + "0" * 64}], layers=None)
    (storage.repository / "_manifests/tags/empty").mkdir()
    link = storage.repository / "_manifests/tags/strange/current/link"
    link.parent.mkdir(parents=True)
    link.write_text("no digest", encoding="ascii")
    RehearsalStorage(tmp_path).prune(9, ())
    assert parts(1) <= storage.held()
    assert image


def test_what_can_not_be_removed_is_trouble_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(tmp_path)
    storage.image(1)
    storage.image(2)

    def full(path: Path) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr("shutil.rmtree", full)
    with pytest.raises(StorageTrouble, match=r"Read-only file system.*may be removed as a whole"):
        RehearsalStorage(tmp_path).prune(1, ())
