"""A base is the same file for the same lock, is taken again only when it is whole, and says what it is."""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError, FetchTrouble
from pipeline.images import builder
from pipeline.images.baselock import BaseLock, LockedPackage
from tests.unit.images.debs import deb, entry

CONTENTS = {
    "libc6": deb(entry("./usr/lib/libc.so.6", b"library"), entry("./usr/share/man/x", b"manual"), name="libc6"),
    "certs": deb(
        entry("./usr/share/ca-certificates/b.crt", b"B"),
        entry("./usr/share/ca-certificates/a.crt", b"A\n"),
        name="certs",
    ),
    "shell": deb(entry("./usr/bin/dash", b"shell", mode=0o755), name="shell"),
}


@pytest.fixture(name="debs")
def _debs(tmp_path: Path) -> dict[str, Path]:
    files = {name: tmp_path / f"{name}.deb" for name in CONTENTS}
    for name, file in files.items():
        file.write_bytes(CONTENTS[name])
    return files


def lock_of(*names: str) -> BaseLock:
    packages = tuple(
        LockedPackage(
            name=name,
            version="1.0-1",
            architecture="all",
            archive="main",
            path=f"pool/{name}.deb",
            size=len(CONTENTS[name]),
            sha256=hashlib.sha256(CONTENTS[name]).hexdigest(),
        )
        for name in sorted(names)
    )
    return BaseLock(
        release="trixie",
        architecture="amd64",
        taken=1_700_000_000,
        images={"runtime": tuple(sorted(names))},
        packages=packages,
    )


LOCK = lock_of("libc6", "certs", "shell")


def content_of(layer: tarfile.TarFile, info: tarfile.TarInfo) -> bytes | str:
    file = layer.extractfile(info) if info.isreg() else None
    return file.read() if file else info.linkname


def layer_files(archive: Path) -> dict[str, bytes | str]:
    with tarfile.open(archive) as outer:
        manifest = outer.extractfile("manifest.json")
        assert manifest is not None
        (image,) = json.load(manifest)
        with tarfile.open(fileobj=outer.extractfile(image["Layers"][0])) as layer:
            return {info.name: content_of(layer, info) for info in layer if not info.isdir()}


def test_the_same_lock_gives_the_same_bytes(tmp_path: Path, debs: dict[str, Path]) -> None:
    one = builder.make_base("runtime", LOCK, debs, tmp_path / "one" / "base.tar")
    two = builder.make_base("runtime", LOCK, debs, tmp_path / "two" / "base.tar")
    assert one.archive.read_bytes() == two.archive.read_bytes()
    assert one.image_id == two.image_id
    assert not one.reused and not two.reused


def test_the_configuration_names_the_base_and_its_lock(tmp_path: Path, debs: dict[str, Path]) -> None:
    base = builder.make_base("runtime", LOCK, debs, tmp_path / "base.tar")
    with tarfile.open(base.archive) as outer:
        source = outer.extractfile(base.image_id.removeprefix("sha256:") + ".json")
        assert source is not None
        content = source.read()
    assert "sha256:" + hashlib.sha256(content).hexdigest() == base.image_id
    config = json.loads(content)
    assert config["created"] == "2023-11-14T22:13:20Z"
    assert config["config"]["Labels"]["pipeline.base"] == "runtime"
    assert config["config"]["Labels"]["pipeline.base.lock"] == f"sha256:{LOCK.digest}"


def test_the_scripts_work_is_done_and_the_rest_is_left_out(tmp_path: Path, debs: dict[str, Path]) -> None:
    files = layer_files(builder.make_base("runtime", LOCK, debs, tmp_path / "base.tar").archive)
    assert files["etc/ssl/certs/ca-certificates.crt"] == b"A\nB\n"
    assert files["bin"] == "usr/bin" and files["lib64"] == "usr/lib64"
    assert b"nonroot:x:65532:65532:" in bytes(files["etc/passwd"])  # type: ignore[arg-type]  # no link
    assert "var/lib/dpkg/status.d/libc6" in files
    assert not {"usr/bin/dash", "usr/share/man/x", "usr/share/ca-certificates/a.crt"} & set(files)


def test_a_whole_archive_is_taken_again(tmp_path: Path, debs: dict[str, Path]) -> None:
    path = tmp_path / "base.tar"
    first = builder.make_base("runtime", LOCK, debs, path)
    again = builder.make_base("runtime", LOCK, {}, path)
    assert again == replace(first, reused=True)
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other lock"])
def test_a_damaged_or_foreign_archive_is_made_anew(tmp_path: Path, debs: dict[str, Path], damage: str) -> None:
    path = tmp_path / "base.tar"
    good = builder.make_base("runtime", LOCK, debs, path)
    content = path.read_bytes()
    position = content.index(b"library")
    damaged = {
        "cut": content[:position],
        "flipped": content[:position] + b"L" + content[position + 1 :],
        "empty": b"",
        "other lock": builder.make_base(
            "runtime", lock_of("libc6", "certs"), debs, tmp_path / "o"
        ).archive.read_bytes(),
    }[damage]
    path.write_bytes(damaged)
    assert builder.find_base("runtime", LOCK, path) is None
    again = builder.make_base("runtime", LOCK, debs, path)
    assert not again.reused and again.image_id == good.image_id


def test_trouble_leaves_no_file(tmp_path: Path, debs: dict[str, Path]) -> None:
    debs["shell"].write_bytes(b"!<arch>\nbroken")
    with pytest.raises(FetchTrouble, match=r"shell 1\.0-1 is not a Debian package"):
        builder.make_base("runtime", LOCK, debs, tmp_path / "cache" / "base.tar")
    assert not list((tmp_path / "cache").iterdir())


def test_a_missing_package_and_an_unknown_base_are_named(tmp_path: Path) -> None:
    with pytest.raises(FetchTrouble, match=r"certs 1\.0-1 of the base images was not fetched"):
        builder.make_base("runtime", LOCK, {}, tmp_path / "base.tar")
    with pytest.raises(ConfigurationError, match="no base image named 'web'"):
        builder.make_base("web", LOCK, {}, tmp_path / "base.tar")


def test_the_cache_name_follows_the_lock() -> None:
    assert builder.archive_name("runtime", LOCK) != builder.archive_name("runtime", lock_of("libc6"))
