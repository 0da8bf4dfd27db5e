"""What the bills of materials are given: locked packages, and what an image's own records name."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.component import Component, ComponentKind
from pipeline.core.lock import Pin
from pipeline.images.contents import read_contents
from pipeline.stages.components import installed, locked
from tests.docker_archives import archive, layer

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
RELEASE = ("usr/lib/os-release", b"ID=debian\nVERSION_ID=13\n", 0o644)
ZLIB = (
    "var/lib/dpkg/status.d/zlib1g",
    b"Package: zlib1g\nSource: zlib\nVersion: 1:1.3+really1.3.1-1\nArchitecture: amd64\n"
    b"Maintainer: Mark Brown <broonie@example.org>\n",
    0o644,
)
COPYRIGHT = (
    "usr/share/doc/zlib1g/copyright",
    b"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: zlib and own\n",
    0o644,
)
METADATA = (
    b"Metadata-Version: 2.4\nName: Thing\nVersion: 1.0\nLicense-Expression: MIT\nAuthor-email: A B <a@b.example>\n"
)
FILES = {"thing/__init__.py": b"X = 1\n", "thing-1.0.dist-info/METADATA": METADATA}


def image(*members: Any, wheels: tuple[Path, ...] = (), archives: dict[str, str] | None = None) -> dict[str, Component]:
    """The components of an image with these files, by name."""
    contents = read_contents(io.BytesIO(archive([layer(*members)])))
    return {component.name: component for component in installed(contents, wheels, archives or {})}


def test_a_lock_s_packages_are_told_once_with_all_their_hashes() -> None:
    pins = (
        Pin(name="b", version="2", hashes=(TWO, ONE), line=1),
        Pin(name="a", version="1", hashes=(ONE,), line=3, marker='sys_platform == "win32"'),
        Pin(name="a", version="1", hashes=(ONE,), line=5),
        Pin(name="a", version="2", hashes=(ONE,), line=7),
    )
    first, second, third = locked(pins, "service/requirements.txt")
    assert first == Component(
        kind=ComponentKind.PYTHON,
        name="a",
        version="1",
        purl="pkg:pypi/a@1",
        hashes=(ONE,),
        place="service/requirements.txt",
        marker='sys_platform == "win32"',
    )
    assert (second.purl, third.purl, third.hashes) == ("pkg:pypi/a@2", "pkg:pypi/b@2", (ONE, TWO))


def test_a_debian_package_is_told_with_source_licences_and_the_archive_of_the_base() -> None:
    found = image(RELEASE, ZLIB, COPYRIGHT, archives={"zlib1g 1:1.3+really1.3.1-1": "a" * 64, "zlib1g 2": "b" * 64})
    assert found["zlib1g"] == Component(
        kind=ComponentKind.DEBIAN,
        name="zlib1g",
        version="1:1.3+really1.3.1-1",
        purl="pkg:deb/debian/zlib1g@1:1.3%2Breally1.3.1-1?arch=amd64&distro=debian-13",
        licences=("Zlib",),
        licence_names=("own",),
        hashes=(f"sha256:{'a' * 64}",),
        supplier="Mark Brown",
        source="zlib 1:1.3+really1.3.1-1",
        place="var/lib/dpkg/status.d/zlib1g",
    )
    assert found["debian"] == Component(kind=ComponentKind.SYSTEM, name="debian", version="13")


def test_what_an_image_does_not_tell_stays_unknown() -> None:
    found = image(ZLIB)
    assert found.keys() == {"zlib1g"}
    zlib = found["zlib1g"]
    assert (zlib.purl, zlib.licences, zlib.licence_names, zlib.hashes) == ("", (), (), ())
    assert image(("etc/os-release", b"ID=debian\n", 0o644), ZLIB)["zlib1g"].purl.endswith("?arch=amd64&distro=debian")
    assert not image(("app/a.py", b"", 0o644))


def wheel(folder: Path, files: dict[str, bytes], record: str | None = None) -> Path:
    """A wheel of these files, with its RECORD (or another one)."""
    lines = [f"{name},sha256={_hashed(content)},{len(content)}" for name, content in files.items()]
    listed = "\n".join([*lines, "thing-1.0.dist-info/RECORD,,", ""]) if record is None else record
    path = folder / "Thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive_file:
        for name, content in {**files, "thing-1.0.dist-info/RECORD": listed.encode()}.items():
            archive_file.writestr(name, content)
    return path


def _hashed(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def test_a_python_package_has_the_hash_of_the_wheel_that_it_came_from(tmp_path: Path) -> None:
    path = wheel(tmp_path, FILES)
    found = image(*((f"opt/site/{name}", content, 0o644) for name, content in FILES.items()), wheels=(path,))
    assert found["thing"] == Component(
        kind=ComponentKind.PYTHON,
        name="thing",
        version="1.0",
        purl="pkg:pypi/thing@1.0",
        licences=("MIT",),
        hashes=(f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}",),
        supplier="A B",
        place="opt/site/thing-1.0.dist-info/METADATA",
    )


def test_a_recipe_may_leave_files_of_a_wheel_out(tmp_path: Path) -> None:
    path = wheel(tmp_path, FILES)
    assert image(("thing-1.0.dist-info/METADATA", METADATA, 0o644), wheels=(path,))["thing"].hashes


@pytest.mark.parametrize(
    ("files", "record"),
    [
        ({**FILES, "thing/__init__.py": b"X = 2\n"}, None),
        ({**FILES, "thing-1.0.dist-info/METADATA": METADATA + b"Summary: another\n"}, None),
        ({"thing/__init__.py": b"X = 1\n"}, None),
        (FILES, ""),
        (FILES, "thing-1.0.dist-info/METADATA\n"),
        (FILES, "thing-1.0.dist-info/METADATA,sha256=*,1\n"),
        (FILES, "thing-1.0.dist-info/METADATA,sha256=A,1\n"),
        (FILES, "x" * 200_000 + ",sha256=A,1\n"),
        ({**FILES, "other-1.dist-info/RECORD": b""}, None),
    ],
)
def test_a_package_that_is_not_the_wheel_s_has_no_hash(
    tmp_path: Path, files: dict[str, bytes], record: str | None
) -> None:
    """It came with the base, or was changed on the way."""
    path = wheel(tmp_path, files, record)
    assert image(*((name, content, 0o644) for name, content in FILES.items()), wheels=(path,))["thing"].hashes == ()


def test_a_record_of_a_size_that_nobody_writes_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stages.components._LARGEST_RECORD", 10)
    found = image(*((name, content, 0o644) for name, content in FILES.items()), wheels=(wheel(tmp_path, FILES),))
    assert found["thing"].hashes == ()


@pytest.mark.parametrize("name", ["Thing-1.0-py3-none-any.whl", "thing.whl"])
def test_what_is_no_wheel_proves_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"no archive")
    found = image(*((name, content, 0o644) for name, content in FILES.items()), wheels=(path,))
    assert found["thing"].hashes == ()
