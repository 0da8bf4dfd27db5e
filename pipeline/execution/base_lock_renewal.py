"""Renews the lock of the base images: the newest version of each named package, from the archive's own signed lists."""

from __future__ import annotations

import hashlib
import io
import lzma
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import requests

from pipeline.errors import FetchTrouble
from pipeline.execution.debian_archive import DebianArchive, Progress, fetching_session
from pipeline.images.baselock import BaseLock, LockedPackage
from pipeline.images.release_files import IndexFile, Release, parse_packages, parse_release, signed_text
from pipeline.images.versions import DebianVersion

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_TIMEOUT_S = (10.0, 60.0)
_LARGEST_INDEX = 512 * 1024 * 1024
_LARGEST_RELEASE = 16 * 1024 * 1024
_ARCHITECTURE_INDEPENDENT = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How InRelease files are verified.

    ``run`` runs a command and returns its exit code; ``gpgv`` is that program's path. With ``gpgv`` empty no signature
    is checked, and the renewal says so. ``now`` is what a list's expiry is compared with.
    """

    gpgv: str
    keyring: Path
    run: Callable[[Sequence[str]], int]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to lock: of which release ("trixie") and architecture ("amd64") which package names for each base."""

    release: str
    architecture: str
    names: Mapping[str, Sequence[str]]

    def all_names(self) -> set[str]:
        """Every package name, once."""
        return {name for names in self.names.values() for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A new lock; ``changes`` has a line for each difference; ``trust`` is a sentence on what vouches for it."""

    lock: BaseLock
    changes: tuple[str, ...]
    trust: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    codename: str
    label: str
    archive: str
    base: str


def renew_lock(
    wanted: Wanted, archive: DebianArchive, old: BaseLock | None, trust: Trust, progress: Progress
) -> Renewal:
    """Look up the newest version of every wanted package in the release, its updates and its security updates.

    With nothing changed the old lock comes back as it was, date included, so that the images keep their ids. Raises
    ``FetchTrouble`` when a list can't be had, is not what the signed Release file says, is signed wrongly, has expired,
    or lacks a package.
    """
    newest: dict[str, LockedPackage] = {}
    dates: list[datetime] = []
    with fetching_session() as session:
        for suite in _suites(wanted.release, archive):
            progress(f"Reading the package list of {suite.codename}")
            published = _release(session, suite, trust)
            dates.append(published.date)
            for package in _packages(session, suite, published, wanted):
                _keep_newest(newest, package)
    if missing := sorted(wanted.all_names() - set(newest)):
        raise FetchTrouble(f"Debian {wanted.release} has no {', '.join(missing)} for {wanted.architecture}.")
    lock = BaseLock(
        release=wanted.release,
        architecture=wanted.architecture,
        taken=int(max(dates).timestamp()),
        images={image: tuple(sorted(names)) for image, names in wanted.names.items()},
        packages=tuple(newest[name] for name in sorted(newest)),
    )
    if old is not None and lock == replace(old, taken=lock.taken):
        lock = old
    return Renewal(lock=lock, changes=tuple(_changes(old, lock)), trust=_trust(trust))


def _suites(release: str, archive: DebianArchive) -> tuple[_Suite, ...]:
    security = archive.require_security("the newest packages")
    return (
        _Suite(codename=release, label="Debian", archive="main", base=archive.main),
        _Suite(codename=f"{release}-updates", label="Debian", archive="main", base=archive.main),
        _Suite(codename=f"{release}-security", label="Debian-Security", archive="security", base=security),
    )


def _release(session: requests.Session, suite: _Suite, trust: Trust) -> Release:
    url = f"{suite.base}/dists/{suite.codename}/InRelease"
    content = _get(session, url, _LARGEST_RELEASE)
    _verify(content, url, trust)
    published = parse_release(signed_text(content.decode()))
    if (published.origin, published.label, published.codename) != ("Debian", suite.label, suite.codename):
        raise FetchTrouble(f"{url} is not about {suite.label} {suite.codename}.")
    if published.valid_until is not None and published.valid_until < trust.now:
        raise FetchTrouble(
            f"{url} was valid until {published.valid_until}.", why="The mirror is stale, or the clock is wrong."
        )
    return published


def _verify(content: bytes, url: str, trust: Trust) -> None:
    if not trust.gpgv:
        return
    with tempfile.NamedTemporaryFile(suffix=".InRelease") as file:
        file.write(content)
        file.flush()
        if trust.run((trust.gpgv, "--quiet", "--keyring", str(trust.keyring), file.name)) != 0:
            raise FetchTrouble(f"The signature of {url} is not one that {trust.keyring} knows, or it is wrong.")


def _packages(session: requests.Session, suite: _Suite, published: Release, wanted: Wanted) -> Iterator[LockedPackage]:
    # The security archive's Release calls its component updates/main and its indexes main/...
    path = f"main/binary-{wanted.architecture}/Packages.xz"
    index = published.indexes.get(path)
    if index is None:
        raise FetchTrouble(f"The Release file of {suite.codename} lists no {path}.")
    content = _get(session, f"{suite.base}/dists/{suite.codename}/{path}", _LARGEST_INDEX)
    _compare(content, index, f"{suite.codename}/{path}")
    names = wanted.all_names()
    try:
        with io.TextIOWrapper(lzma.open(io.BytesIO(content)), "utf-8") as lines:
            for fields in parse_packages(lines):
                if fields.get("Package") in names:
                    yield _locked(fields, suite, wanted.architecture)
    except (lzma.LZMAError, EOFError, UnicodeDecodeError) as trouble:
        raise FetchTrouble(f"{path} of {suite.codename} can't be read.", why=f"{trouble}.") from trouble


def _locked(fields: Mapping[str, str], suite: _Suite, architecture: str) -> LockedPackage:
    try:
        package = LockedPackage(
            name=fields["Package"],
            version=fields["Version"],
            architecture=fields["Architecture"],
            archive=suite.archive,
            path=fields["Filename"],
            size=int(fields["Size"]),
            sha256=fields["SHA256"],
        )
    except (KeyError, ValueError) as trouble:
        raise FetchTrouble(f"The entry of {fields.get('Package')} in {suite.codename} lacks {trouble}.") from trouble
    if package.architecture not in (architecture, _ARCHITECTURE_INDEPENDENT):
        raise FetchTrouble(f"{package} in {suite.codename} is for {package.architecture}, not {architecture}.")
    return package


def _keep_newest(newest: dict[str, LockedPackage], package: LockedPackage) -> None:
    held = newest.get(package.name)
    if held is None or DebianVersion(held.version) < DebianVersion(package.version):
        newest[package.name] = package


def _get(session: requests.Session, url: str, largest: int) -> bytes:
    try:
        with session.get(url, stream=True, timeout=_TIMEOUT_S) as answer:
            answer.raise_for_status()
            content = bytearray()
            for chunk in answer.iter_content(1024 * 1024):
                content += chunk
                if len(content) > largest:
                    raise FetchTrouble(f"{url} is larger than {largest} bytes.")
    except requests.RequestException as trouble:
        raise FetchTrouble(f"{url} could not be fetched.", why=f"{trouble}.") from trouble
    return bytes(content)


def _compare(content: bytes, index: IndexFile, what: str) -> None:
    if len(content) != index.size or hashlib.sha256(content).hexdigest() != index.sha256:
        raise FetchTrouble(
            f"{what} is not what its Release file says.",
            why="The mirror may be updating.",
            advice="Try again in a few minutes.",
        )


def _changes(old: BaseLock | None, new: BaseLock) -> Iterator[str]:
    before = {package.name: package for package in old.packages} if old else {}
    after = {package.name: package for package in new.packages}
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"{name}: removed"
        elif name not in before:
            yield f"{name}: new, {after[name].version}"
        elif before[name] != after[name]:
            yield f"{name}: {before[name].version} -> {after[name].version}"


def _trust(trust: Trust) -> str:
    if trust.gpgv:
        return f"The lists were verified with gpgv against {trust.keyring}."
    return (
        "The signatures of the lists were NOT checked, as gpgv or Debian's keyring is not on this host: "
        "this lock trusts the mirror, once; what is built from it later is held to the SHA-256 sums in it."
    )
