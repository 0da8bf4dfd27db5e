"""Package URLs as another implementation reads them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from pipeline.core.component import ComponentKind, package_url

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=12).filter(str.strip)


def test_a_debian_package_s_url_is_the_one_that_scanners_write() -> None:
    made = package_url(
        ComponentKind.DEBIAN,
        "zlib1g",
        "1:1.3.dfsg+really1.3.1-1~bpo",
        namespace="debian",
        qualifiers={"distro": "debian-13", "arch": "amd64", "epoch": ""},
    )
    assert made == "pkg:deb/debian/zlib1g@1:1.3.dfsg%2Breally1.3.1-1~bpo?arch=amd64&distro=debian-13"


def test_an_image_s_url_is_the_example_of_its_specification() -> None:
    """purl-spec, type docker: the version is the image id, and the colon in it stays."""
    assert package_url("docker", "cassandra", "sha256:244fd47e07d1004f0aed9c") == (
        "pkg:docker/cassandra@sha256:244fd47e07d1004f0aed9c"
    )
    assert package_url("docker", "c", "sha256:2", namespace="a.example/b") == "pkg:docker/a.example/b/c@sha256:2"


@given(WORDS, WORDS, WORDS)
def test_another_implementation_reads_what_was_meant(name: str, version: str, arch: str) -> None:
    made = package_url(ComponentKind.DEBIAN, name, version, namespace="debian", qualifiers={"arch": arch})
    read = PackageURL.from_string(made)
    assert (read.type, read.namespace, read.name.lower()) == ("deb", "debian", name.strip().lower())
    assert (read.version, read.qualifiers) == (version.strip(), {"arch": arch})


@given(st.text())
def test_a_url_is_ascii_without_white_space_whatever_a_package_is_called(name: str) -> None:
    made = package_url(ComponentKind.PYTHON, name, "\ud800")
    assert made.isascii() and made.isprintable() and " " not in made
