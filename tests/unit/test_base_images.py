"""The bases are made once, loaded where they are missing, and are what their lock says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline import base_images
from pipeline.base_images import LockedBases
from pipeline.core.containers import Image
from pipeline.errors import EngineTrouble, StorageTrouble
from pipeline.images.baselock import BaseLock, LockedPackage, shipped_lock
from pipeline.images.builder import BaseImage
from pipeline.testing import FakeEngine, SilentProgress

LOCK = shipped_lock()
IDS = {"builder": "sha256:b", "runtime": "sha256:r", "outline": "sha256:o"}


@pytest.fixture(name="made")
def _made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made, with a maker that needs no network."""
    made: list[str] = []

    def make(name: str, lock: BaseLock, debs: Mapping[str, Path], path: Path) -> BaseImage:
        assert set(debs) == {package.name for package in lock.packages_of(name)}
        made.append(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
        return image(name, lock, path)

    def find(name: str, lock: BaseLock, path: Path) -> BaseImage | None:
        return image(name, lock, path) if path.exists() else None

    def image(name: str, lock: BaseLock, path: Path) -> BaseImage:
        return BaseImage(
            name=name, image_id=IDS[name], reference=f"x/{name}", archive=path, size_bytes=1,
            packages=lock.packages_of(name), reused=True )  # fmt: skip

    def fetch(packages: Sequence[LockedPackage], archive: Any, cache: Path, **_: Any) -> dict[str, Path]:
        archive()
        return {package.name: cache / package.name for package in packages}

    def outline(base: Path, path: Path) -> str:
        assert base.read_text(encoding="utf-8") == "runtime"
        path.write_text("outline", encoding="utf-8")
        return IDS["outline"]

    monkeypatch.setattr(base_images, "ensure_outline", outline)
    monkeypatch.setattr(base_images, "make_base", make)
    monkeypatch.setattr(base_images, "find_base", find)
    monkeypatch.setattr(base_images, "fetch_packages", fetch)
    monkeypatch.setattr(base_images, "find_archive", lambda release, **_: made.append(f"asked for {release}"))
    return made


class LoadingEngine(FakeEngine):
    """An engine that has what it was given to load; a file's content is its base's name."""

    def load(self, archive: Path) -> None:
        """Take it up."""
        super().load(archive)
        identity = IDS[archive.read_text(encoding="utf-8")]
        self.images[identity] = Image(
            id=identity, size_bytes=1, layers=(), user="", labels={}, architecture="amd64", configuration={}
        )


def test_bases_are_made_and_loaded_once(made: list[str], tmp_path: Path) -> None:
    engine = LoadingEngine()
    for _ in range(2):
        bases = LockedBases(tmp_path, mirror="").ensure(engine, SilentProgress())
    assert made == ["asked for trixie", "builder", "asked for trixie", "runtime"]
    assert len(engine.asked) == 3
    assert bases.outline is not None and bases.outline.image == "sha256:o"
    assert bases.outline.base.read_text(encoding="utf-8") == "runtime"
    assert dict(bases.arguments) == {"BUILDER_IMAGE": "sha256:b", "RUNTIME_IMAGE": "sha256:r"}
    assert (bases.python, bases.release, bases.architecture) == ("3.13", LOCK.release, LOCK.architecture)
    assert bases.lock_digest == LOCK.digest
    assert any(package.startswith("libc6 ") for package in bases.packages)


def test_an_engine_that_takes_a_base_and_does_not_have_it_is_trouble(made: list[str], tmp_path: Path) -> None:
    del made
    with pytest.raises(EngineTrouble, match="does not have it"):
        LockedBases(tmp_path, mirror="").ensure(FakeEngine(), SilentProgress())


def test_a_cache_that_can_not_be_written_is_said(made: list[str], tmp_path: Path) -> None:
    del made
    (tmp_path / "bases").write_text("a file", encoding="utf-8")
    with pytest.raises(StorageTrouble, match="could not be written"):
        LockedBases(tmp_path, mirror="").ensure(FakeEngine(), SilentProgress())
