"""An archive that has lost a locked package: the newer one is taken from its signed lists, said, or refused."""

from __future__ import annotations

import hashlib
import lzma
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline import base_images
from pipeline.base_images import LockedBases
from pipeline.base_renewal import in_need, trust_of
from pipeline.core.bases import BaseSet
from pipeline.core.containers import Image
from pipeline.errors import FetchTrouble
from pipeline.execution.base_lock_renewal import Trust
from pipeline.images import recipe
from pipeline.images.baselock import BaseLock, LockedPackage
from pipeline.images.builder import BaseImage
from pipeline.testing import FakeEngine, FixedClock, ScriptedRunner, SilentProgress, outcome

NAMES = ("libc6", "python3.13-minimal")
OLD, NEW = "2.41-1", "2.41-2"


def package(name: str, version: str) -> LockedPackage:
    """A package whose file holds its own name and version."""
    content = f"{name} {version}".encode()
    return LockedPackage(
        name=name, version=version, architecture="amd64", archive="main", path=f"pool/main/{name}_{version}.deb",
        size=len(content), sha256=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip


LOCK = BaseLock(
    release="trixie",
    architecture="amd64",
    taken=1_700_000_000,
    images={"builder": NAMES, "runtime": NAMES},
    packages=tuple(package(name, OLD) for name in NAMES),
)


def published(codename: str, label: str, packages: list[LockedPackage]) -> dict[str, bytes]:
    """A suite's lists, "signed"."""
    stanzas = "".join(
        f"Package: {p.name}\nVersion: {p.version}\nArchitecture: {p.architecture}\nFilename: {p.path}\n"
        f"Size: {p.size}\nSHA256: {p.sha256}\n\n"
        for p in packages
    )
    index = lzma.compress(stanzas.encode())
    text = (
        f"Origin: Debian\nLabel: {label}\nCodename: {codename}\nDate: Sat, 03 Jan 2026 10:00:00 UTC\nSHA256:\n"
        f" {hashlib.sha256(index).hexdigest()} {len(index)} main/binary-amd64/Packages.xz\n"
    )
    signed = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{text}-----BEGIN PGP SIGNATURE-----\n\nxyz\n"
    return {
        f"/debian/dists/{codename}/InRelease": signed.encode(),
        f"/debian/dists/{codename}/main/binary-amd64/Packages.xz": index,
    }


@pytest.fixture(name="archive")
def _archive() -> Iterator[str]:
    """The address of an archive on loopback that has the new packages only."""
    new = [package(name, NEW) for name in NAMES]
    pages = published("trixie", "Debian", new) | published("trixie-updates", "Debian", [])
    security = published("trixie-security", "Debian-Security", [])
    pages |= {path.replace("/debian/", "/debian-security/", 1): body for path, body in security.items()}
    pages |= {f"/debian/{p.path}": f"{p.name} {p.version}".encode() for p in new}

    class Handler(BaseHTTPRequestHandler):
        """Answers with a page, or 404."""

        def do_GET(self) -> None:  # pylint: disable=invalid-name  # the name is http.server's
            """One answer."""
            body = pages.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/debian"
        server.shutdown()


class Loading(FakeEngine):
    """An engine that takes any base."""

    def load(self, archive: Path) -> None:
        """Hold it by its file's name."""
        self.images[archive.name] = Image(
            id=archive.name, size_bytes=1, layers=(), user="", labels={}, architecture="amd64", configuration={}
        )


@pytest.fixture(name="parts", autouse=True)
def _parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Bases of whatever packages there are; returns the keyring's path, where a file is."""

    def make(name: str, lock: BaseLock, debs: Mapping[str, Path], path: Path) -> BaseImage:
        for locked in lock.packages_of(name):
            assert debs[locked.name].read_text(encoding="utf-8") == str(locked)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
        return BaseImage(
            name=name, image_id=path.name, reference=f"x/{name}:1", archive=path, size_bytes=1,
            packages=lock.packages_of(name), reused=False,
        )  # fmt: skip

    monkeypatch.setattr(base_images, "make_base", make)
    monkeypatch.setattr(base_images, "ensure_outline", lambda base, path: base.name)
    monkeypatch.setattr(recipe, "PACKAGE_NAMES", {"builder": NAMES, "runtime": NAMES})
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/gpgv")
    keyring = tmp_path / "keyring.gpg"
    keyring.write_bytes(b"keys")
    return keyring


def ensured(tmp_path: Path, archive: str, runner: ScriptedRunner, keyring: Path) -> tuple[BaseSet, SilentProgress]:
    """The bases, and what was said on the way."""
    progress = SilentProgress()
    renewing = in_need(runner, FixedClock(), keyring)
    bases = LockedBases(tmp_path / "cache", mirror=archive, lock=LOCK, renewing=renewing)
    return bases.ensure(Loading(), progress), progress


def test_the_newer_packages_are_taken_from_lists_whose_signature_was_verified(
    tmp_path: Path, archive: str, parts: Path
) -> None:
    runner = ScriptedRunner([outcome(0)] * 3)
    bases, progress = ensured(tmp_path, archive, runner, parts)
    assert bases.packages == tuple(f"{name} {NEW}" for name in NAMES)
    assert bases.replaced == tuple(f"{name}: {OLD} -> {NEW}" for name in NAMES)
    assert bases.lock_digest != LOCK.digest
    assert [line for line in progress.said if line.startswith("NOT AS LOCKED")] == [
        f"NOT AS LOCKED: {name}: {OLD} -> {NEW}" for name in NAMES
    ]
    assert all(request.argv[:2] == ("/usr/bin/gpgv", "--quiet") for request in runner.requests)
    listed = {item.name: item for item in bases.inputs}
    assert listed["libc6"].sha256 == package("libc6", NEW).sha256
    assert (listed["base.lock"].sha256, listed["x/runtime:1"].name) == (bases.lock_digest, bases.name)


def test_lists_with_a_wrong_signature_are_not_believed(tmp_path: Path, archive: str, parts: Path) -> None:
    with pytest.raises(FetchTrouble, match=r"The signature of .* is wrong"):
        ensured(tmp_path, archive, ScriptedRunner([outcome(1)]), parts)


def test_without_a_keyring_nothing_newer_is_believed(tmp_path: Path, archive: str, parts: Path) -> None:
    parts.unlink()
    with pytest.raises(FetchTrouble, match="no newer one can be trusted"):
        ensured(tmp_path, archive, ScriptedRunner([]), parts)


def test_a_strict_build_takes_no_other_package_than_the_locked_one(tmp_path: Path, archive: str) -> None:
    with pytest.raises(FetchTrouble, match="is no longer in the archive"):
        LockedBases(tmp_path / "cache", mirror=archive, lock=LOCK).ensure(Loading(), SilentProgress())


def test_a_verdict_on_signatures_is_the_programs_exit_code(tmp_path: Path) -> None:
    trust: Trust = trust_of(ScriptedRunner([outcome(0), outcome(2)]), FixedClock(), tmp_path)
    assert [trust.run(("gpgv", "x")) for _ in range(2)] == [0, 2]
    assert (trust.keyring, trust.now) == (tmp_path, FixedClock().now())
