"""The outline of a base has all of it but what is in its files, and an image built on it is the image on the base."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import EngineTrouble, FetchTrouble
from pipeline.images.archive import check_archive
from pipeline.images.canonical_configuration import Origin
from pipeline.images.outline import ensure_outline, traits_of, whole_base
from pipeline.images.reassembly import reassembled
from tests import docker_archives
from tests.docker_archives import Member, layer

MEMBERS: tuple[Member, ...] = (
    ("app", None, 0o755),
    ("bin", "usr/bin"),
    ("etc/passwd", b"nonroot:x:65532:65532::/:\n", 0o644),
    ("usr/bin/python3", b"python" * 1000, 0o755),
)
APPLICATION = layer(("app", None, 0o755), ("app/app.py", b"APP = 1\n", 0o644), ("usr/bin/python3", b"other", 0o755))
CONFIG: dict[str, Any] = {
    "config": {"Labels": {"pipeline.base.lock": "sha256:1"}, "Env": ["PATH=/usr/bin"]},
    "history": [],
}


def stored(folder: Path, *members: Member, name: str = "base.tar", lock: str = "sha256:1") -> Path:
    """A base's archive as the cache has it."""
    data = docker_archives.archive(
        [layer(*members)], {**CONFIG, "config": {**CONFIG["config"], "Labels": {"pipeline.base.lock": lock}}}
    )
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        parts = {info.name: (tar.extractfile(info) or io.BytesIO()).read() for info in tar}
    (image,) = json.loads(parts["manifest.json"])
    parts["manifest.json"] = json.dumps([{**image, "RepoTags": ["base:1"]}]).encode()
    (folder / name).write_bytes(layer(*((part, content, 0o644) for part, content in parts.items())))
    return folder / name


def opened(archive: Path) -> tarfile.TarFile:
    """The only layer in an archive."""
    with tarfile.open(archive) as outer:
        (image,) = json.loads(content(outer, "manifest.json"))
        return tarfile.open(fileobj=io.BytesIO(content(outer, image["Layers"][0])))


def content(tar: tarfile.TarFile, name: str) -> bytes:
    """A file of a tar."""
    source = tar.extractfile(name)
    assert source is not None
    return source.read()


def test_an_outline_has_every_node_and_the_content_of_the_accounts_only(tmp_path: Path) -> None:
    base = stored(tmp_path, *MEMBERS)
    identity = ensure_outline(base, tmp_path / "outline.tar")
    outline = opened(tmp_path / "outline.tar")
    assert traits_of(outline) == traits_of(opened(base))
    assert content(outline, "etc/passwd").startswith(b"nonroot:")
    assert content(outline, "usr/bin/python3") == b""
    with (tmp_path / "outline.tar").open("rb") as stream:
        assert check_archive(stream).image_id == identity


def test_an_outline_has_the_configuration_of_its_base(tmp_path: Path) -> None:
    identity = ensure_outline(stored(tmp_path, *MEMBERS), tmp_path / "outline.tar")
    with tarfile.open(tmp_path / "outline.tar") as tar:
        told = json.loads(content(tar, f"{identity.removeprefix('sha256:')}.json"))
        (image,) = json.loads(content(tar, "manifest.json"))
    assert {name: told[name] for name in CONFIG} == CONFIG
    assert image["RepoTags"] == ["base:1-outline"]


@pytest.mark.parametrize("damage", ["none", "cut", "other base"])
def test_a_stored_outline_is_taken_again_only_if_it_is_whole_and_the_bases(tmp_path: Path, damage: str) -> None:
    base, path = stored(tmp_path, *MEMBERS), tmp_path / "outline.tar"
    first = ensure_outline(base, path)
    # Held open, so that no other file gets its number when it is gone.
    with path.open("rb") as held:
        if damage == "cut":
            path.write_bytes(path.read_bytes()[:900])
        if damage == "other base":
            other = stored(tmp_path, *MEMBERS[:2], name="other.tar", lock="sha256:2")
            path.unlink()
            assert ensure_outline(other, path) != first
        assert ensure_outline(base, path) == first
        assert os.path.samestat(os.fstat(held.fileno()), path.stat()) == (damage == "none")


def test_what_no_outline_can_hold_is_said(tmp_path: Path) -> None:
    base = stored(tmp_path, *MEMBERS, ("usr/bin/python", "=usr/bin/python3"))
    with pytest.raises(FetchTrouble, match="No outline"):
        ensure_outline(base, tmp_path / "outline.tar")
    assert not (tmp_path / "outline.tar").exists()


def test_a_base_that_is_not_what_its_configuration_names_is_refused(tmp_path: Path) -> None:
    base = stored(tmp_path, *MEMBERS)
    base.write_bytes(base.read_bytes().replace(b"pythonpython", b"pythonPYTHON", 1))
    with pytest.raises(ValueError, match="not the one that the configuration names"), whole_base(base):
        pass


def on_base(archive: bytes, base: Path | None) -> bytes:
    """The canonical archive of an image that stands on a base of one layer, or on its outline."""
    out, origin = io.BytesIO(), Origin(created=0, base_layers=1)
    if base is None:
        with reassembled(io.BytesIO(archive), origin) as image:
            image.write(out, "sample:1")
        return out.getvalue()
    with whole_base(base) as below, reassembled(io.BytesIO(archive), origin, below) as image:
        image.write(out, "sample:1")
    return out.getvalue()


def outlined(folder: Path, *members: Member) -> bytes:
    """What an engine exports that has built the application on the outline of a base of these members."""
    ensure_outline(stored(folder, *members, name="of.tar"), folder / "outline.tar")
    with tarfile.open(folder / "outline.tar") as tar:
        (image,) = json.loads(content(tar, "manifest.json"))
        return docker_archives.archive([content(tar, image["Layers"][0]), APPLICATION], CONFIG)


def test_an_image_on_the_outline_becomes_the_very_image_on_the_base(tmp_path: Path) -> None:
    base = stored(tmp_path, *MEMBERS)
    on_the_base_itself = docker_archives.archive([layer(*MEMBERS), APPLICATION], CONFIG)
    assert on_base(outlined(tmp_path, *MEMBERS), base) == on_base(on_the_base_itself, None)


@pytest.mark.parametrize(
    "other",
    [
        (*MEMBERS[1:],),
        (("app", None, 0o700), *MEMBERS[1:]),
        (MEMBERS[0], ("bin", "usr/sbin"), *MEMBERS[2:]),
        (*MEMBERS, ("usr/bin/more", b"", 0o755)),
        (*MEMBERS[:2], ("etc/passwd", b"nonroot:x:0:0::/:\n", 0o644), MEMBERS[3]),
    ],
)
def test_an_outline_of_another_base_is_refused(tmp_path: Path, other: tuple[Member, ...]) -> None:
    base = stored(tmp_path, *MEMBERS)
    with pytest.raises(EngineTrouble, match="can't be read") as trouble:
        on_base(outlined(tmp_path, *other), base)
    assert "something else than the outline" in str(trouble.value)


def test_an_image_that_stands_on_something_else_is_refused(tmp_path: Path) -> None:
    data = docker_archives.archive([APPLICATION])
    with (
        whole_base(stored(tmp_path, *MEMBERS)) as below,
        pytest.raises(EngineTrouble, match="can't be read"),
        reassembled(io.BytesIO(data), Origin(created=0, base_layers=0), below),
    ):
        pass
