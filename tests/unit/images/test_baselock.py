"""The lock says exactly what it means, or is refused with the reason and the command that renews it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.errors import ConfigurationError
from pipeline.images.baselock import BaseLock, LockedPackage, parse_lock, render_lock, shipped_lock
from pipeline.images.recipe import PACKAGE_NAMES

PACKAGE = LockedPackage(
    name="libc6",
    version="2.41-12",
    architecture="amd64",
    archive="main",
    path="pool/main/g/glibc/libc6_2.41-12_amd64.deb",
    size=10,
    sha256="a" * 64,
)
LOCK = BaseLock(
    release="trixie", architecture="amd64", taken=1_700_000_000, images={"runtime": ("libc6",)}, packages=(PACKAGE,)
)
TEXT = render_lock(LOCK)


def test_a_lock_survives_writing_and_reading() -> None:
    assert parse_lock(TEXT, "base.lock") == LOCK
    assert parse_lock(TEXT, "base.lock").digest == LOCK.digest


def test_the_digest_changes_with_the_content() -> None:
    other = replace(LOCK, packages=(replace(PACKAGE, sha256="b" * 64),))
    assert other.digest != LOCK.digest


def test_the_shipped_lock_is_canonical_and_has_what_the_recipe_names() -> None:
    lock = shipped_lock()
    assert {name: set(names) for name, names in lock.images.items()} == {
        name: set(names) for name, names in PACKAGE_NAMES.items()
    }
    assert parse_lock(render_lock(lock), "x").digest == lock.digest
    assert "://" not in render_lock(lock)


def test_an_unknown_image_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"no base image named 'web'.*The lock has runtime"):
        LOCK.packages_of("web")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("format = 1", "format = 2", "its format is 2"),
        ("format = 1", "format = [", "not TOML"),
        ("format = 1", "format = 1\nmirror = 'x'", "has mirror, which this version does not know"),
        ('release = "trixie"\n', "", "lacks release"),
        ('release = "trixie"', "release = 13", "release is 13"),
        ("taken = 2023-11-14T22:13:20Z", "taken = 2023-11-14", "taken is not a date"),
        ("[[package]]", "[package]", "no \\[\\[package\\]\\]"),
        ("size = 10", "size = -1", "the size -1"),
        ("size = 10", "size = true", "the size True"),
        ("size = 10\n", "", "lacks size"),
        ("a" * 64, "a" * 63, "sha256 is"),
        ("2.41-12_amd64.deb", "../../../etc/passwd", "path is"),
        ("pool/main", "/pool/main", "path is"),
        ("pool/main/g", "pool/../g", "path is"),
        ('archive = "main"', 'archive = "elsewhere"', "the archive 'elsewhere'"),
        ('version = "2.41-12"', 'version = "new"', "'new' is not a Debian package version"),
        ('    "libc6",', '    "libc6", "zlib1g",', "names zlib1g, which it does not lock"),
        ('    "libc6",\n', "", "no image uses libc6"),
        ("runtime = [", "other = 1\nruntime = [", "images.other is not a list"),
    ],
)
def test_a_lock_that_is_wrong_is_refused(old: str, new: str, reason: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigurationError, match=f"The base lock base.lock can't be used: .*{reason}.*Renew it with"):
        parse_lock(TEXT.replace(old, new), "base.lock")


def test_a_package_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="one is there twice"):
        parse_lock(TEXT + TEXT[TEXT.index("[[package]]") :], "base.lock")
