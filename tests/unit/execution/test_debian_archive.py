"""Debian's archive is found where the host knows it, and what comes from it is exactly what the lock says."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.errors import FetchTrouble
from pipeline.execution.debian_archive import DebianArchive, Patience, fetch_packages, find_archive
from pipeline.execution.debian_sources import apt_addresses, deb822_addresses, one_line_addresses, tool_addresses
from pipeline.images.baselock import LockedPackage

ONE_LINE = """\
# deb http://commented.example.org/debian trixie main
deb http://plain.example.org/debian/ trixie main contrib # a comment
deb [arch=amd64,i386 trusted=yes signed-by=/k.gpg] https://options.example.org/debian trixie main
deb-src http://source.example.org/debian trixie main
  deb   http://spaces.example.org/debian   trixie   main
deb cdrom:[Debian]/ trixie main
debris http://no.example.org/ x
"""
DEB822 = """\
Types: deb deb-src
# URIs: http://commented.example.org/debian
URIs: http://one.example.org/debian
 http://two.example.org/debian
Suites: trixie
Components: main

Types: deb-src
URIs: http://source.example.org/debian

Enabled: no
Types: deb
URIs: http://off.example.org/debian

types: deb
uris: https://lower.example.org/debian
Trusted: yes
"""


def test_one_line_entries() -> None:
    assert list(one_line_addresses(ONE_LINE)) == [
        "http://plain.example.org/debian/",
        "https://options.example.org/debian",
        "http://spaces.example.org/debian",
        "cdrom:[Debian]/",
    ]


def test_deb822_entries() -> None:
    assert list(deb822_addresses(DEB822)) == [
        "http://one.example.org/debian",
        "http://two.example.org/debian",
        "https://lower.example.org/debian",
    ]


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_the_whole_of_apts_configuration_is_read_once_each_http_only(tmp_path: Path) -> None:
    put(tmp_path, "etc/apt/sources.list", "deb http://a.example.org/debian/ x main\ndeb file:/srv/debian x main\n")
    put(
        tmp_path,
        "etc/apt/sources.list.d/b.sources",
        "Types: deb\nURIs: http://a.example.org/debian mirror+file:/etc/m\n",
    )
    put(tmp_path, "etc/apt/sources.list.d/c.list.save", "deb http://saved.example.org/debian x main\n")
    put(tmp_path, "etc/m", "# list\nhttp://c.example.org/debian\tpriority:1\n")
    assert apt_addresses(tmp_path) == ["http://a.example.org/debian", "http://c.example.org/debian"]


def test_a_host_without_apt_has_no_addresses(tmp_path: Path) -> None:
    assert not apt_addresses(tmp_path)
    assert not tool_addresses(tmp_path)


def test_tools_that_carry_an_address(tmp_path: Path) -> None:
    put(tmp_path, "usr/sbin/debootstrap", 'x=1\nDEF_MIRROR="http://boot.example.org/debian"\n')
    put(tmp_path, "usr/share/debootstrap/scripts/sid", "  default_mirror http://sid.example.org/debian\n")
    put(tmp_path, "usr/bin/mmdebstrap", "my $mirror    = 'http://mm.example.org/debian';\n")
    put(tmp_path, "usr/share/python-apt/templates/Debian.info", "Suite: x\nBaseURI: https://info.example.org/debian/\n")
    assert tool_addresses(tmp_path) == {
        "debootstrap": ["http://boot.example.org/debian", "http://sid.example.org/debian"],
        "mmdebstrap": ["http://mm.example.org/debian"],
        "python-apt": ["https://info.example.org/debian"],
    }


class Mirror:
    """An HTTP server on loopback; a test scripts its answers by path as (status, body), the last is repeated."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, bytes]]] = {}
        self.asked: Counter[str] = Counter()
        self.declared_extra = 0
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers as the script says."""

            def do_GET(self) -> None:  # pylint: disable=invalid-name  # the name is http.server's
                """Answer the next of the path's answers."""
                mirror.asked[self.path] += 1
                script = mirror.answers.get(self.path, [(404, b"")])
                status, body = script.pop(0) if len(script) > 1 else script[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) + mirror.declared_extra))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"

    def serve(self, path: str, *answers: tuple[int, bytes]) -> None:
        self.answers[path] = list(answers)

    def suite(self, folder: str, codename: str, label: str, origin: str = "Debian") -> None:
        fields = f"Origin: {origin}\nLabel: {label}\nCodename: {codename}\n"
        head = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{fields}"
        self.serve(f"{folder}/dists/{codename}/InRelease", (200, head.encode() + b"x" * 100_000))


@pytest.fixture(name="mirror")
def _mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    mirror = Mirror()
    thread = threading.Thread(target=mirror.server.serve_forever, args=(0.02,))
    thread.start()
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()
    thread.join()


def silent(_text: str) -> None:
    """Progress that nobody reads."""


def test_apts_own_mirror_is_found_and_others_are_passed_over(mirror: Mirror, tmp_path: Path) -> None:
    mirror.suite("/other", "trixie", "Other", origin="Elsewhere")
    mirror.suite("/debian", "trixie", "Debian")
    mirror.suite("/sec", "trixie-security", "Debian-Security")
    entries = (f"deb {mirror.base}/{folder} bookworm main\n" for folder in ("third", "other", "debian", "sec"))
    put(tmp_path, "etc/apt/sources.list", "".join(entries))
    said: list[str] = []
    archive = find_archive("trixie", setting="", progress=said.append, root=tmp_path)
    assert archive == DebianArchive(
        main=f"{mirror.base}/debian", security=f"{mirror.base}/sec", found_in="apt's configuration"
    )
    assert said == [f"Debian archive: {mirror.base}/debian (from apt's configuration), security: {mirror.base}/sec"]
    assert max(mirror.asked.values()) == 1


def test_the_setting_comes_first_and_the_security_archive_is_looked_for_beside_it(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.suite("/mine", "trixie", "Debian")
    mirror.suite("/mine-security", "trixie-security", "Debian-Security")
    put(tmp_path, "etc/apt/sources.list", f"deb {mirror.base}/debian trixie main\n")
    archive = find_archive("trixie", setting=f"{mirror.base}/mine/", progress=silent, root=tmp_path)
    assert (archive.main, archive.security) == (f"{mirror.base}/mine", f"{mirror.base}/mine-security")
    assert not any(path.startswith("/debian/") for path in mirror.asked)


def test_a_tools_address_is_used_when_apt_knows_none(mirror: Mirror, tmp_path: Path) -> None:
    mirror.suite("/boot", "trixie", "Debian")
    put(tmp_path, "usr/sbin/debootstrap", f'DEF_MIRROR="{mirror.base}/boot"\n')
    archive = find_archive("trixie", setting="", progress=silent, root=tmp_path)
    assert (archive.main, archive.security, archive.found_in) == (f"{mirror.base}/boot", "", "debootstrap")
    with pytest.raises(FetchTrouble, match=r"security archive is needed for the lock.*PIPELINE_BUILD_DEBIAN_MIRROR"):
        archive.require_security("the lock")


def test_nothing_found_says_what_was_asked_and_what_to_set(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path, "etc/apt/sources.list", f"deb {mirror.base}/debian x main\ndeb http://127.0.0.1:1/debian x main\n")
    with pytest.raises(FetchTrouble, match=r"answered 404; .*did not answer.*PIPELINE_BUILD_DEBIAN_MIRROR"):
        find_archive("trixie", setting="", progress=silent, root=tmp_path)
    with pytest.raises(FetchTrouble, match="Neither apt's configuration nor an installed tool names one"):
        find_archive("trixie", setting="", progress=silent, root=tmp_path / "none")


BODY = b"a package's bytes" * 1000
PACKAGE = LockedPackage(
    name="libc6",
    version="2.41-12",
    architecture="amd64",
    archive="main",
    path="pool/l.deb",
    size=len(BODY),
    sha256=hashlib.sha256(BODY).hexdigest(),
)
URL = f"/debian/{PACKAGE.path}"
SWIFT = Patience(attempts=3, pause_s=0.01)


@pytest.fixture(name="fetch")
def _fetch(mirror: Mirror, tmp_path: Path) -> Callable[[], dict[str, Path]]:
    archive = DebianArchive(main=f"{mirror.base}/debian", security="", found_in="a test")
    return lambda: fetch_packages([PACKAGE], lambda: archive, tmp_path / "cache", progress=silent, patience=SWIFT)


@pytest.mark.parametrize(
    "before",
    [
        [],
        [(500, b"")],
        [(503, b""), (429, b"")],
        [(200, BODY[:-5])],
        [(200, b"<html>captive portal</html>")],
        [(200, BODY * 2)],
    ],
)
def test_a_package_is_fetched_also_after_passing_trouble(
    mirror: Mirror, fetch: Callable[[], dict[str, Path]], before: list[tuple[int, bytes]]
) -> None:
    mirror.serve(URL, *before, (200, BODY))
    files = fetch()
    assert files["libc6"].read_bytes() == BODY
    assert mirror.asked[URL] == len(before) + 1
    assert [file.name for file in files["libc6"].parent.iterdir()] == [f"{PACKAGE.sha256}.deb"]


def test_what_is_in_the_cache_is_not_asked_for_again_unless_it_is_damaged(
    mirror: Mirror, fetch: Callable[[], dict[str, Path]]
) -> None:
    mirror.serve(URL, (200, BODY))
    file = fetch()["libc6"]
    fetch()
    assert mirror.asked[URL] == 1
    file.write_bytes(BODY[:-1] + b"!")
    assert fetch()["libc6"].read_bytes() == BODY
    assert mirror.asked[URL] == 2


def test_a_full_cache_needs_no_archive(tmp_path: Path) -> None:
    (tmp_path / f"{PACKAGE.sha256}.deb").write_bytes(BODY)

    def unreachable() -> DebianArchive:
        raise AssertionError("asked for the archive")

    assert list(fetch_packages([PACKAGE], unreachable, tmp_path, progress=silent)) == ["libc6"]


@pytest.mark.parametrize(
    ("answer", "message", "asked"),
    [
        ((404, b""), r"libc6 2\.41-12 is no longer in the archive.*Renew the lock with", 1),
        ((403, b""), "answered 403", 1),
        ((500, b""), "could not be fetched.*answered 500", 3),
        ((200, BODY[:-5]), "not the locked file: 16995 bytes", 3),
        ((200, b"x" * len(BODY)), "not the locked file", 3),
        ((200, BODY + b"more"), "not the locked file", 3),
    ],
)
def test_trouble_that_stays_is_told_and_leaves_nothing(
    mirror: Mirror, fetch: Callable[[], dict[str, Path]], answer: tuple[int, bytes], message: str, asked: int
) -> None:
    mirror.serve(URL, answer)
    with pytest.raises(FetchTrouble, match=message):
        fetch()
    assert mirror.asked[URL] == asked


def test_a_failed_download_leaves_nothing_in_the_cache(
    mirror: Mirror, tmp_path: Path, fetch: Callable[[], dict[str, Path]]
) -> None:
    mirror.serve(URL, (200, BODY[:-5]))
    with pytest.raises(FetchTrouble):
        fetch()
    assert not list((tmp_path / "cache").iterdir())


def test_a_connection_that_breaks_off_is_tried_again_and_told(
    mirror: Mirror, fetch: Callable[[], dict[str, Path]]
) -> None:
    mirror.declared_extra = 10
    mirror.serve(URL, (200, BODY))
    with pytest.raises(FetchTrouble, match="could not be fetched"):
        fetch()
    assert mirror.asked[URL] == SWIFT.attempts


def test_progress_counts_what_is_fetched(mirror: Mirror, tmp_path: Path) -> None:
    mirror.serve(URL, (200, BODY))
    said: list[str] = []
    archive = DebianArchive(main=f"{mirror.base}/debian", security="", found_in="a test")
    fetch_packages([PACKAGE], lambda: archive, tmp_path / "cache", progress=said.append)
    assert said == ["Debian package 1 of 1: libc6 2.41-12 (0.0 MB)"]
