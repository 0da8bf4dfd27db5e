"""Both bases, made from the shipped lock and loaded into a real engine, are what they claim to be."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import APIError

from pipeline.execution.debian_archive import fetch_packages, find_archive
from pipeline.images.baselock import shipped_lock
from pipeline.images.builder import BaseImage, archive_name, make_base
from tests.container.elf import needed

pytestmark = pytest.mark.container

ROOT = Path(__file__).resolve().parents[2]
LOCK = shipped_lock()
# What a whole standard library has and this runtime leaves out on purpose, or what belongs to other systems.
ABSENT = {
    *("curses", "_curses", "_curses_panel", "_dbm", "_gdbm", "readline", "sqlite3", "_sqlite3"),
    *("idlelib", "tkinter", "_tkinter", "turtle", "turtledemo", "ensurepip", "pydoc_data"),
    *("_pydatetime", "_pydecimal", "_pyio"),
    *("_pyrepl", "bdb", "doctest", "pdb", "pickletools", "pydoc", "unittest", "venv"),
    *("_codecs_cn", "_codecs_hk", "_codecs_iso2022", "_codecs_jp", "_codecs_kr", "_codecs_tw", "_multibytecodec"),
    *("_ios_support", "_overlapped", "_scproxy", "_winapi", "_wmi", "msvcrt", "nt", "winreg", "winsound"),
}
IMPORTS = """
import contextlib, importlib, io, json, sys, warnings
warnings.simplefilter("ignore")
absent = []
with contextlib.redirect_stdout(io.StringIO()):
    for name in sorted(sys.stdlib_module_names):
        try:
            importlib.import_module(name)
        except ImportError:
            absent.append(name)
print(json.dumps(absent))
"""
WORKS = """
import ctypes, getpass, hashlib, json, mimetypes, os, pwd, socket, ssl, sys, tempfile, threading
thread = threading.Thread(target=tempfile.mkstemp); thread.start(); thread.join()
print(json.dumps({
    "uid": os.getuid(), "user": pwd.getpwuid(65532).pw_name, "version": sys.version_info[:2],
    "certificates": len(ssl.create_default_context().get_ca_certs()), "encoding": sys.getfilesystemencoding(),
    "port": socket.getservbyname("http"), "type": mimetypes.guess_type("a.woff2")[0],
    "sha": hashlib.new("sha256", b"").hexdigest()[:8], "c": ctypes.CDLL("libc.so.6").getpid(),
    "stdout": sys.stdout.encoding,
}))
"""


@pytest.fixture(scope="module", name="bases")
def _bases(engine_client: docker.DockerClient) -> Iterator[dict[str, BaseImage]]:
    """Both bases, made and loaded. TEST_BASES_CACHE names another place to keep the packages in."""
    cache = Path(os.environ.get("TEST_BASES_CACHE", ROOT / ".pipeline" / "cache" / "bases"))
    setting = os.environ.get("PIPELINE_BUILD_DEBIAN_MIRROR", "")
    debs = fetch_packages(
        LOCK.packages, lambda: find_archive(LOCK.release, setting=setting, progress=print), cache, progress=print
    )
    bases = {name: make_base(name, LOCK, debs, cache / archive_name(name, LOCK)) for name in LOCK.images}
    for base in bases.values():
        with base.archive.open("rb") as stream:
            engine_client.images.load(stream)
    yield bases


def run(client: docker.DockerClient, base: BaseImage, *command: str, user: str = "65532:65532") -> str:
    output = client.containers.run(
        base.image_id, list(command), user=user, network_mode="none", cap_drop=["ALL"], remove=True, stderr=True
    )
    return str(output.decode())


def files_of(client: docker.DockerClient, base: BaseImage) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Every entry of the image as the engine gives it back."""
    saved = io.BytesIO(b"".join(client.images.get(base.image_id).save()))
    with tarfile.open(fileobj=saved) as outer:
        manifest = outer.extractfile("manifest.json")
        assert manifest is not None
        (layer,) = json.load(manifest)[0]["Layers"]
        with tarfile.open(fileobj=outer.extractfile(layer)) as tar:
            for info in tar:
                file = tar.extractfile(info) if info.isreg() else None
                yield info, file.read() if file else b""


@pytest.mark.parametrize("name", ["builder", "runtime"])
def test_the_engine_gives_the_id_that_was_computed(
    engine_client: docker.DockerClient, bases: dict[str, BaseImage], name: str
) -> None:
    image = engine_client.images.get(bases[name].image_id)
    assert image.id == bases[name].image_id
    assert bases[name].reference in image.tags
    assert image.labels["pipeline.base"] == name
    assert image.labels["pipeline.base.lock"] == f"sha256:{LOCK.digest}"


def test_the_runtimes_python_works_for_a_user_without_rights(
    engine_client: docker.DockerClient, bases: dict[str, BaseImage]
) -> None:
    found = json.loads(run(engine_client, bases["runtime"], "python3", "-c", WORKS))
    assert found["certificates"] > 100
    assert found["c"] > 0
    del found["certificates"], found["c"]
    assert found == {
        "uid": 65532,
        "user": "nonroot",
        "version": [3, 13],
        "encoding": "utf-8",
        "stdout": "utf-8",
        "port": 80,
        "type": "font/woff2",
        "sha": "e3b0c442",
    }


def test_the_runtime_has_the_standard_library_but_for_what_is_left_out(
    engine_client: docker.DockerClient, bases: dict[str, BaseImage]
) -> None:
    assert set(json.loads(run(engine_client, bases["runtime"], "python3", "-c", IMPORTS))) == ABSENT


@pytest.mark.parametrize(
    "program", ["sh", "/bin/sh", "bash", "pip", "apt-get", "dpkg", "perl", "su", "openssl", "ldconfig"]
)
def test_the_runtime_starts_nothing_but_python(
    engine_client: docker.DockerClient, bases: dict[str, BaseImage], program: str
) -> None:
    container = engine_client.containers.create(bases["runtime"].image_id, [program], network_mode="none")
    try:
        with pytest.raises(APIError, match=r"executable file not found|no such file"):
            container.start()
    finally:
        container.remove(force=True)


def test_the_builder_has_pip_and_a_shell(engine_client: docker.DockerClient, bases: dict[str, BaseImage]) -> None:
    found = run(
        engine_client, bases["builder"], "sh", "-c", "python3 -m pip --version && ls / | head -c 3 && find /opt"
    )
    assert found.startswith("pip ")
    assert found.endswith("bin/opt\n")


def test_both_bases_run_the_same_python(engine_client: docker.DockerClient, bases: dict[str, BaseImage]) -> None:
    tell = "import sys, importlib.util as u; print(sys.version, u.MAGIC_NUMBER, sys.executable, sys.prefix)"
    assert len({run(engine_client, base, "python3", "-c", tell) for base in bases.values()}) == 1


@pytest.mark.parametrize("name", ["builder", "runtime"])
def test_files_gain_no_rights_and_documents_are_out_but_licences(
    engine_client: docker.DockerClient, bases: dict[str, BaseImage], name: str
) -> None:
    modes = {}
    for info, _ in files_of(engine_client, bases[name]):
        modes[info.name] = info.mode
        assert not info.mode & 0o6000, info.name
        assert info.issym() or not info.mode & 0o002 or info.mode & 0o1000, info.name
        assert info.uid == info.gid == (65532 if info.name == "home/nonroot" else 0)
        assert info.mtime == LOCK.taken
    assert modes["tmp"] == 0o1777
    assert not [path for path in modes if path.startswith(("usr/share/man/", "usr/share/locale/"))]
    documents = [path for path in modes if path.startswith("usr/share/doc/") and path.count("/") > 3]
    assert documents and all(path.endswith("/copyright") for path in documents)


@pytest.mark.parametrize("name", ["builder", "runtime"])
def test_every_needed_library_and_every_link_leads_somewhere(
    engine_client: docker.DockerClient, bases: dict[str, BaseImage], name: str
) -> None:
    paths, links, wants = set(), {}, {}
    for info, content in files_of(engine_client, bases[name]):
        paths.add(info.name)
        if info.issym():
            links[info.name] = info.linkname
        wants[info.name] = needed(content)
    libraries = {path.rpartition("/")[2] for path in paths if path.startswith("usr/lib/x86_64-linux-gnu/")}
    assert {path: names for path, names in wants.items() if set(names) - libraries} == {}
    assert any("libssl.so.3" in names for names in wants.values())
    dangling = {path: target for path, target in links.items() if _resolved(path, target) not in paths}
    assert dangling == {}


def _resolved(path: str, target: str) -> str:
    return os.path.normpath(os.path.join("/", os.path.dirname(path), target)).lstrip("/")


@pytest.mark.parametrize("name", ["builder", "runtime"])
def test_scanners_find_every_package(
    engine_client: docker.DockerClient, bases: dict[str, BaseImage], name: str
) -> None:
    found = {}
    sums: dict[str, str] = {}
    paths = set()
    for info, content in files_of(engine_client, bases[name]):
        paths.add(info.name)
        folder, _, file = info.name.rpartition("/")
        if folder == "var/lib/dpkg/status.d" and file.endswith(".md5sums"):
            sums |= {line.split("  ", 1)[1]: file for line in content.decode().splitlines()}
        elif folder == "var/lib/dpkg/status.d":
            fields = dict(
                line.split(": ", 1) for line in content.decode().splitlines() if ": " in line and line[0] != " "
            )
            found[fields["Package"]] = fields["Version"]
    assert found == {package.name: package.version for package in LOCK.packages_of(name)}
    assert sums and not {path for path in sums if path not in paths and f"usr/{path}" not in paths}
