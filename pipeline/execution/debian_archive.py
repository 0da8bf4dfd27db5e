"""Finds Debian's archive and fetches locked packages from it, by SHA-256, into a cache that the caller owns."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

from pipeline.errors import FetchTrouble
from pipeline.execution.debian_sources import apt_addresses, tool_addresses
from pipeline.images.baselock import RENEWAL_COMMAND, LockedPackage
from pipeline.images.release_files import head_fields
from pipeline.images.whole_file import appearing

SETTING_ADVICE = (
    "Set debian_mirror under [tool.pipeline.build], or PIPELINE_BUILD_DEBIAN_MIRROR, to the address of a Debian "
    "archive: the folder that has dists/ and pool/ in it; a second address after a space is the security archive."
)
_TIMEOUT_S = (10.0, 30.0)
_HEAD_BYTES = 16 * 1024
_CHUNK = 256 * 1024
_WORKERS = 4
_GONE = (404, 410)
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianArchive:
    """Where Debian's packages are. ``security`` is empty when none was found; ``found_in`` says who knew it."""

    main: str
    security: str
    found_in: str

    def address(self, package: LockedPackage) -> str:
        """Return a package's URL. Raises ``FetchTrouble`` for a security update when no such archive is known."""
        if package.archive == "main":
            return f"{self.main}/{package.path}"
        return f"{self.require_security(str(package))}/{package.path}"

    def require_security(self, purpose: str) -> str:
        """Return the security archive's address. Raises ``FetchTrouble``, naming ``purpose``, when there is none."""
        if not self.security:
            raise FetchTrouble(
                f"Debian's security archive is needed for {purpose} and was not found.", advice=SETTING_ADVICE
            )
        return self.security


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a download is tried, and the first pause in seconds; each further one is twice as long."""

    attempts: int = 4
    pause_s: float = 0.5


class PackageGone(FetchTrouble):
    """The archive has another version by now; the locked one can't be had any more."""


_PATIENCE = Patience()


def find_archive(release: str, *, setting: str, progress: Progress, root: Path = Path("/")) -> DebianArchive:
    """Find an archive that holds ``release`` ("trixie"), by asking each candidate for its InRelease file.

    ``setting`` is the value of ``build.debian_mirror``: empty, one address, or main and security separated by a space.
    Then come apt's configuration below ``root`` and tools that carry an address. Nobody is asked twice, and nobody
    after both archives are found. Raises ``FetchTrouble`` when no candidate answers as Debian, saying what each one
    answered.
    """
    main, security, found_in = "", "", ""
    answers: dict[str, str] = {}
    for source, addresses in _candidates(setting.split(), root):
        for address in addresses:
            if not main and _is(address, release, "Debian", answers):
                main, found_in = address, source
            if not security and _is(address, f"{release}-security", "Debian-Security", answers):
                security = address
            if main and security:
                break
        # Debian's mirrors keep the security archive beside the main one, under this name.
        if main and not security and _is(f"{main}-security", f"{release}-security", "Debian-Security", answers):
            security = f"{main}-security"
        if main and security:
            break
    if not main:
        tried = "; ".join(f"{url}: {answer}" for url, answer in answers.items() if f"/dists/{release}/" in url)
        raise FetchTrouble(
            f"No Debian archive with {release} was found.",
            why=f"Asked: {tried}." if tried else "Neither apt's configuration nor an installed tool names one.",
            advice=SETTING_ADVICE,
        )
    progress(f"Debian archive: {main} (from {found_in})" + (f", security: {security}" if security else ""))
    return DebianArchive(main=main, security=security, found_in=found_in)


def fetch_packages(
    packages: Sequence[LockedPackage],
    archive: Callable[[], DebianArchive],
    cache: Path,
    *,
    progress: Progress,
    patience: Patience = _PATIENCE,
) -> dict[str, Path]:
    """Return each package's verified file by name, from the cache (``<sha256>.deb``) or from the archive.

    ``archive`` is asked only when something is missing. Several are fetched at once, each tried ``attempts`` times with
    a pause that doubles. Raises ``FetchTrouble`` for the first that can't be had: gone from the archive, not what the
    lock says, or not reachable; ``OSError`` when the cache can't be written.
    """
    cache.mkdir(parents=True, exist_ok=True)
    files = {package.name: cache / f"{package.sha256}.deb" for package in packages}
    missing = [package for package in packages if not is_file(files[package.name], package.sha256)]
    if not missing:
        return files
    source = archive()
    stop = threading.Event()

    def fetch(package: LockedPackage) -> str:
        with fetching_session() as session:
            fetcher = _Fetcher(session=session, stop=stop, patience=patience)
            fetcher.fetch(package, source.address(package), files[package.name])
        return f"{package} ({package.size / 1e6:.1f} MB)"

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="debian") as pool:
        jobs = [pool.submit(fetch, package) for package in missing]
        try:
            for number, job in enumerate(jobs, 1):
                progress(f"Debian package {number} of {len(missing)}: {job.result()}")
        finally:
            # The first trouble, and Ctrl-C, end the others at their next chunk; nothing is left half-written.
            stop.set()
            for job in jobs:
                job.cancel()
    return files


def fetching_session() -> requests.Session:
    """Return a session that honours the proxy variables, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE."""
    session = requests.Session()
    bundle = next((os.environ[name] for name in _BUNDLES if os.environ.get(name)), "")
    if bundle:
        session.verify = bundle
    return session


def is_file(path: Path, sha256: str) -> bool:
    """Say whether ``path`` is a file with this SHA-256 (hex)."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except OSError:
        return False


class _PassingError(Exception):
    """Trouble that another attempt may not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetcher:
    session: requests.Session
    stop: threading.Event
    patience: Patience

    def fetch(self, package: LockedPackage, url: str, path: Path) -> None:
        """Fetch one package into ``path``, verified; the exceptions are those of ``fetch_packages``."""
        for attempt in range(self.patience.attempts):
            try:
                with appearing(path) as unfinished:
                    self._once(package, url, unfinished)
                return
            except (_PassingError, requests.RequestException) as trouble:
                reason = str(trouble)
            if attempt + 1 < self.patience.attempts and self.stop.wait(self.patience.pause_s * 2**attempt):
                break
        raise FetchTrouble(f"The Debian package {package} could not be fetched from {url}.", why=f"{reason}.")

    def _once(self, package: LockedPackage, url: str, path: Path) -> None:
        with self.session.get(url, stream=True, timeout=_TIMEOUT_S) as answer, path.open("wb") as out:
            if answer.status_code in _GONE:
                raise PackageGone(
                    f"The locked Debian package {package} is no longer in the archive ({url}).",
                    why="Debian keeps only the current version of a package.",
                    advice=f"Renew the lock with `{RENEWAL_COMMAND}`.",
                )
            if answer.status_code >= 500 or answer.status_code == 429:
                raise _PassingError(f"The server answered {answer.status_code}")
            if answer.status_code != 200:
                raise FetchTrouble(f"The Debian package {package} was refused: {url} answered {answer.status_code}.")
            digest, size = hashlib.sha256(), 0
            for chunk in answer.iter_content(_CHUNK):
                size += len(chunk)
                if self.stop.is_set() or size > package.size:
                    break
                digest.update(chunk)
                out.write(chunk)
        if size != package.size or digest.hexdigest() != package.sha256:
            raise _PassingError(
                f"What was sent is not the locked file: {size} bytes with SHA-256 {digest.hexdigest()}, "
                f"while the lock says {package.size} bytes and {package.sha256}"
            )


def _candidates(setting: list[str], root: Path) -> Iterator[tuple[str, list[str]]]:
    if setting:
        yield "the setting build.debian_mirror", [address.rstrip("/") for address in setting]
    yield "apt's configuration", apt_addresses(root)
    yield from tool_addresses(root).items()


def _is(address: str, codename: str, label: str, answers: dict[str, str]) -> bool:
    """Ask whether the archive at ``address`` has this suite of Debian; the answer's gist goes into ``answers``."""
    url = f"{address}/dists/{codename}/InRelease"
    if url not in answers:
        answers[url] = _ask(url)
    return answers[url] == f"{label} {codename}"


def _ask(url: str) -> str:
    try:
        with fetching_session() as session, session.get(url, stream=True, timeout=_TIMEOUT_S) as answer:
            if answer.status_code != 200:
                return f"answered {answer.status_code}"
            head = next(answer.iter_content(_HEAD_BYTES), b"")
    except (requests.RequestException, ValueError) as trouble:
        return f"did not answer ({type(trouble).__name__})"
    fields = head_fields(head.decode("utf-8", errors="replace"))
    if fields.get("Origin") != "Debian":
        return "is not Debian's"
    return f"{fields.get('Label', '')} {fields.get('Codename', '')}"
