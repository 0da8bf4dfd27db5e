"""What the records of package managers in an image tell."""

from __future__ import annotations

import pytest

from pipeline.images.packages import DebianPackage, debian_packages, is_dpkg_record, python_package

STATUS = """Package: libgcc-s1
Status: install ok installed
Architecture: amd64
Source: gcc-14
Maintainer: Debian GCC Maintainers <debian-gcc@lists.debian.org>
Version: 14.2.0-19
Description: support library
 Version: 99 is only text here

Package: bash
Status: install ok unpacked
Version: 5.2.37-2+b3
Source: bash (5.2.37-2)

Package: removed
Status: deinstall ok config-files
Version: 1

Package: purged
Status: purge ok not-installed
Version: 1

Package: marked
Status: deinstall ok installed
Version: 1

Package: versionless
"""


def test_installed_packages_are_told_with_their_source() -> None:
    found = list(debian_packages("var/lib/dpkg/status", STATUS))
    assert [package.name for package in found] == ["libgcc-s1", "bash", "marked"]
    assert found[0] == DebianPackage(
        name="libgcc-s1",
        version="14.2.0-19",
        architecture="amd64",
        source=("gcc-14", "14.2.0-19"),
        maintainer="Debian GCC Maintainers <debian-gcc@lists.debian.org>",
        place="var/lib/dpkg/status",
    )
    assert (found[1].source, found[2].source) == (("bash", "5.2.37-2"), ("marked", "1"))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("var/lib/dpkg/status", True),
        ("var/lib/dpkg/status.d/libc6", True),
        ("var/lib/dpkg/status.d/libc6.md5sums", False),
        ("var/lib/dpkg/status-old", False),
        ("srv/var/lib/dpkg/status", False),
    ],
)
def test_a_record_is_one_in_dpkg_s_own_place(path: str, answer: bool) -> None:
    assert is_dpkg_record(path) is answer


@pytest.mark.parametrize(
    ("path", "text", "known"),
    [
        ("a/Flask_Thing-3.1.dist-info/METADATA", "", ("flask-thing", "3.1")),
        ("Flask_Thing-3.1.dist-info/METADATA", "Name: Flask.Thing\nVersion: 3.1.0\n", ("flask-thing", "3.1.0")),
        ("usr/lib/PyYAML-6.0.2.egg-info/PKG-INFO", "Name: PyYAML\n", ("pyyaml", "6.0.2")),
        ("usr/lib/six-1.17.0-py3.13.egg-info", "", ("six", "1.17.0")),
    ],
)
def test_a_distribution_is_known_by_its_metadata_and_else_by_its_path(
    path: str, text: str, known: tuple[str, str]
) -> None:
    found = python_package(path, text)
    assert found is not None
    assert ((found.name, found.version), found.place) == (known, path)


@pytest.mark.parametrize("path", ["a/other-1.dist-info/RECORD", "src/own.egg-info/PKG-INFO", "METADATA", "a-1.txt"])
def test_other_files_tell_of_no_distribution(path: str) -> None:
    assert python_package(path, "Name: a\nVersion: 1\n") is None
