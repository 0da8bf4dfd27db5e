"""The size gates: compressed, and grown since the last release, which must be known to be compared with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.component import Component, ComponentKind
from pipeline.errors import StorageTrouble
from pipeline.images.contents import ImageContents, ImageFile
from pipeline.settings import Build, Settings
from pipeline.stages.context import Context
from pipeline.stages.image_size import Sizes, left_open, measured, size_gates, sizes_by_package
from tests.support import make_context, write_files

SIZES = {"a": 10, "b": 20, "c": 30}
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


@dataclass
class Released:
    """Releases of which one was last."""

    digest: str | None

    def last(self, place: str) -> str | None:
        """It."""
        assert place == "rehearsal/sample"
        return self.digest

    def record(self, place: str, digest: str) -> None:
        """Nobody releases here."""
        raise AssertionError((place, digest))


@pytest.fixture(name="context")
def _context(tmp_path: Path) -> Context:
    settings = Settings()
    settings = replace(settings, push=replace(settings.push, repository="sample"))
    return make_context(tmp_path / "run", write_files(tmp_path / "tree", {"a": ""}), settings)


def after(context: Context, released: str | None, manifest: str, plain: int) -> Sizes:
    """The sizes of a build after a release."""
    ports = replace(context.ports, releases=Released(released))
    return measured(replace(context, ports=ports), manifest, plain, plain // 3)


def with_limits(**limits: Any) -> Settings:
    """Settings with these limits."""
    return replace(Settings(), build=Build(**limits))


def test_growth_is_measured_against_the_release_that_was_built_here(context: Context) -> None:
    assert after(context, None, ONE, 1000).before is None
    sizes = after(context, ONE, TWO, 1101)
    assert (sizes.before, sizes.compressed) == (1000, 367)
    gate = size_gates(sizes, Settings())[0]
    assert (gate.passed, gate.allowed, gate.found) == (False, "at most 10.0 %", "10.1 %")
    assert size_gates(replace(sizes, plain=1100), Settings())[0].passed
    assert size_gates(replace(sizes, plain=500), Settings())[0].passed
    assert size_gates(sizes, with_limits(max_growth_percent=10.2))[0].passed
    assert not left_open(sizes)


def test_what_can_not_be_compared_is_said(context: Context) -> None:
    first = left_open(after(context, None, ONE, 1000))[0]
    assert "first release" in first.reason
    unknown = left_open(after(context, "sha256:" + "9" * 64, ONE, 1000))[0]
    assert "was not built on this machine" in unknown.reason


def test_the_size_of_the_release_stays_known_however_many_images_are_built(context: Context) -> None:
    after(context, None, ONE, 1000)
    for number in range(220):
        sizes = after(context, ONE, f"sha256:{number:064d}", 5)
    assert sizes.before == 1000


def test_the_compressed_size_has_a_ceiling_of_its_own() -> None:
    sizes = Sizes(plain=40_000_000, compressed=15_000_000)
    assert size_gates(sizes, with_limits(max_compressed_mb=15.0))[0].passed
    gate = size_gates(sizes, with_limits(max_compressed_mb=14.9))[0]
    assert (gate.passed, gate.what) == (False, "compressed size of the image")


@pytest.mark.parametrize("damaged", ["[]", "{", '{"x": "y"}'])
def test_a_damaged_record_is_begun_anew(context: Context, damaged: str) -> None:
    (context.state / "image-sizes.json").write_text(damaged, encoding="utf-8")
    assert after(context, None, ONE, 1000).before is None
    assert after(context, ONE, TWO, 1000).before == 1000


def test_a_record_that_can_not_be_written_is_said(context: Context) -> None:
    with pytest.raises(StorageTrouble, match="could not be written"):
        after(replace(context, state=context.state / "missing"), None, ONE, 1)


def test_each_package_is_told_with_the_bytes_of_its_files() -> None:
    held = {path: ImageFile(path=path, mode=0, uid=0, gid=0, size=size, sha256="0") for path, size in SIZES.items()}
    contents = ImageContents(files=held, folders=frozenset(), layer_sizes=())

    def component(name: str, *paths: str) -> Component:
        files = tuple(f"{'0' * 64}  /{path}" for path in paths)
        return Component(kind=ComponentKind.DEBIAN, name=name, version="1", files=files)

    components = (component("small", "a"), component("large", "b", "c"), component("none"), component("gone", "d"))
    assert sizes_by_package(components, contents) == {
        "package_sizes": [
            {"kind": "deb", "name": "large", "version": "1", "size_bytes": 50},
            {"kind": "deb", "name": "small", "version": "1", "size_bytes": 10},
        ]
    }
