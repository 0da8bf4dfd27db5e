"""A renewed lock has the newest versions from lists that a Release file vouches for, and says who vouches for that."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from pipeline.errors import FetchTrouble
from pipeline.execution import base_lock_renewal
from pipeline.execution.base_lock_renewal import Trust, Wanted, renew_lock
from pipeline.execution.debian_archive import DebianArchive

ARCHIVE = DebianArchive(main="http://main", security="http://security", found_in="a test")
WANTED = Wanted(release="trixie", architecture="amd64", names={"runtime": ("zlib1g", "libc6")})
NOW = datetime(2026, 1, 10, tzinfo=UTC)


def stanza(name: str, version: str, architecture: str = "amd64") -> str:
    digest = hashlib.sha256(f"{name} {version}".encode()).hexdigest()
    return (
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nDescription: text\n more text\n"
        f"Filename: pool/main/{name}_{version}.deb\nSize: 7\nSHA256: {digest}\n\n"
    )


def publish(web: dict[str, bytes], base: str, codename: str, label: str, packages: str, *, extra: str = "") -> None:
    index = lzma.compress(packages.encode())
    text = (
        f"Origin: Debian\nLabel: {label}\nCodename: {codename}\nDate: Sat, 03 Jan 2026 10:00:00 UTC\n{extra}SHA256:\n"
        f" {hashlib.sha256(index).hexdigest()} {len(index)} main/binary-amd64/Packages.xz\n"
    )
    signed = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{text}-----BEGIN PGP SIGNATURE-----\n\nxyz\n"
    web[f"{base}/dists/{codename}/InRelease"] = signed.encode()
    web[f"{base}/dists/{codename}/main/binary-amd64/Packages.xz"] = index


@pytest.fixture(name="web")
def _web(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """Addresses and what they answer, in place of the network."""
    pages: dict[str, bytes] = {}
    publish(
        pages,
        "http://main",
        "trixie",
        "Debian",
        stanza("libc6", "2.41-9") + stanza("zlib1g", "1:1.3-1") + stanza("x", "1"),
    )
    publish(pages, "http://main", "trixie-updates", "Debian", stanza("libc6", "2.41-10"))
    publish(pages, "http://security", "trixie-security", "Debian-Security", stanza("zlib1g", "1:1.3-1+deb13u1"))

    def get(_session: requests.Session, url: str, _largest: int) -> bytes:
        if url not in pages:
            raise FetchTrouble(f"{url} could not be fetched.")
        return pages[url]

    monkeypatch.setattr(base_lock_renewal, "_get", get)
    yield pages


def silent(_text: str) -> None:
    """Progress that nobody reads."""


def nothing(_argv: Sequence[str]) -> int:
    raise AssertionError("a command was run")


UNCHECKED = Trust(gpgv="", keyring=Path("/keyring"), run=nothing, now=NOW)


def test_the_newest_version_of_three_suites_is_locked(web: dict[str, bytes]) -> None:
    assert len(web) == 6
    renewal = renew_lock(WANTED, ARCHIVE, None, UNCHECKED, silent)
    assert [(package.name, package.version, package.archive) for package in renewal.lock.packages] == [
        ("libc6", "2.41-10", "main"),
        ("zlib1g", "1:1.3-1+deb13u1", "security"),
    ]
    assert renewal.lock.images == {"runtime": ("libc6", "zlib1g")}
    assert renewal.changes == ("libc6: new, 2.41-10", "zlib1g: new, 1:1.3-1+deb13u1")
    assert "NOT checked" in renewal.trust


def test_with_nothing_new_the_old_lock_stays_as_it_is(web: dict[str, bytes]) -> None:
    old = replace(renew_lock(WANTED, ARCHIVE, None, UNCHECKED, silent).lock, taken=5)
    again = renew_lock(WANTED, ARCHIVE, old, UNCHECKED, silent)
    assert again.lock == old
    assert not again.changes
    publish(web, "http://main", "trixie-updates", "Debian", stanza("libc6", "2.41-11"))
    newer = renew_lock(WANTED, ARCHIVE, old, UNCHECKED, silent)
    assert newer.changes == ("libc6: 2.41-10 -> 2.41-11",)
    assert newer.lock.taken == int(datetime(2026, 1, 3, 10, tzinfo=UTC).timestamp())


def test_signatures_are_checked_where_gpgv_is(web: dict[str, bytes]) -> None:
    assert web
    seen: list[Sequence[str]] = []

    def run(argv: Sequence[str]) -> int:
        seen.append(argv)
        assert Path(argv[-1]).read_bytes().startswith(b"-----BEGIN PGP SIGNED MESSAGE-----")
        return 0

    renewal = renew_lock(WANTED, ARCHIVE, None, replace(UNCHECKED, gpgv="/usr/bin/gpgv", run=run), silent)
    assert [argv[:-1] for argv in seen] == [("/usr/bin/gpgv", "--quiet", "--keyring", "/keyring")] * 3
    assert renewal.trust == "The lists were verified with gpgv against /keyring."
    with pytest.raises(FetchTrouble, match="The signature of http://main/dists/trixie/InRelease"):
        renew_lock(WANTED, ARCHIVE, None, replace(UNCHECKED, gpgv="/usr/bin/gpgv", run=lambda _argv: 2), silent)


def replaced(url: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], None]:
    def change(web: dict[str, bytes]) -> None:
        assert old in web[url]
        web[url] = web[url].replace(old, new, 1)

    return change


RELEASE = "http://main/dists/trixie/InRelease"
INDEX = "http://main/dists/trixie/main/binary-amd64/Packages.xz"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced(RELEASE, b"Origin: Debian", b"Origin: Other"), "is not about Debian trixie"),
        (replaced(RELEASE, b"Date: Sat, 03 Jan 2026", b"Date: someday"), "Release file can't be read"),
        (replaced(RELEASE, b"Label: Debian\n", b""), "Release file can't be read"),
        (replaced(RELEASE, b"-----BEGIN PGP SIGNED", b"evil\n-----BEGIN PGP SIGNED"), "not one signed message"),
        (replaced(RELEASE, b"-----BEGIN PGP SIGNATURE", b"-----"), "not one signed message"),
        (replaced(RELEASE, b"Hash: SHA256", b"Package: x"), "not one signed message"),
        (replaced(RELEASE, b"binary-amd64", b"binary-arm64"), "lists no main/binary-amd64/Packages.xz"),
        (replaced(RELEASE, b"SHA256:\n", b"Valid-Until: Fri, 09 Jan 2026 10:00:00 UTC\nSHA256:\n"), "was valid until"),
        (lambda web: web.update({INDEX: web[INDEX] + b"x"}), "not what its Release file says"),
        (
            lambda web: publish(web, "http://main", "trixie", "Debian", stanza("libc6", "9", "arm64")),
            "is for arm64, not amd64",
        ),
        (
            lambda web: publish(web, "http://main", "trixie", "Debian", "Package: libc6\nVersion: 9\n"),
            "libc6 in trixie lacks",
        ),
        (lambda web: web.pop(INDEX), "could not be fetched"),
    ],
)
def test_lists_that_are_wrong_are_refused(
    web: dict[str, bytes], change: Callable[[dict[str, bytes]], object], message: str
) -> None:
    change(web)
    with pytest.raises(FetchTrouble, match=message):
        renew_lock(WANTED, ARCHIVE, None, UNCHECKED, silent)


def test_a_package_that_is_nowhere_is_named(web: dict[str, bytes]) -> None:
    assert web
    with pytest.raises(FetchTrouble, match="Debian trixie has no nonesuch for amd64"):
        renew_lock(replace(WANTED, names={"runtime": ("nonesuch",)}), ARCHIVE, None, UNCHECKED, silent)
