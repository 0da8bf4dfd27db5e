"""What is read out of an image's layers."""

from __future__ import annotations

import gzip
import io

import pytest

from pipeline.errors import EngineTrouble
from pipeline.images.contents import ImageContents, read_contents
from tests.docker_archives import archive, layer

STATUS = (
    b"Package: libc6\nStatus: install ok installed\nVersion: 2.41-1\n\n"
    b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
)


def read(*layers: bytes) -> ImageContents:
    """What an image of these layers holds."""
    return read_contents(io.BytesIO(archive(layers)))


def test_layers_lie_over_each_other() -> None:
    contents = read(layer(("./app/a.py", b"old", 0o644), ("app/b.py", b"b", 0o644)), layer(("app/a.py", b"new", 0o755)))
    assert sorted(contents.files) == ["app/a.py", "app/b.py"]
    assert (contents.files["app/a.py"].size, contents.files["app/a.py"].mode) == (3, 0o755)
    assert len(contents.layer_sizes) == 2


def test_a_whiteout_takes_away_what_is_below() -> None:
    below = layer(("app", None, 0o755), ("app/a.py", b"a", 0o644), ("app/sub/b.py", b"b", 0o644), ("c", b"c", 0o644))
    assert sorted(read(below, layer(("app/.wh.a.py", b"", 0o600))).files) == ["app/sub/b.py", "c"]
    assert sorted(read(below, layer((".wh.app", b"", 0o600))).files) == ["c"]
    assert not read(below, layer((".wh.app", b"", 0o600))).folders


def test_an_opaque_folder_keeps_only_its_own_layer_whatever_the_order() -> None:
    below = layer(("app/a.py", b"a", 0o644), ("b", b"b", 0o644))
    above = layer(("app/new.py", b"n", 0o644), ("app/.wh..wh..opq", b"", 0o600))
    assert sorted(read(below, above).files) == ["app/new.py", "b"]


def test_links_are_kept_as_links_and_hard_links_as_files() -> None:
    contents = read(layer(("a", b"content", 0o4755), ("hard", "=a"), ("soft", "a"), ("lost", "=nowhere")))
    assert contents.files["hard"].sha256 == contents.files["a"].sha256
    assert contents.files["hard"].gains_rights
    assert (contents.files["soft"].sha256, contents.files["soft"].gains_rights) == ("", False)
    assert contents.files["lost"].sha256 == ""


def test_a_folder_may_take_the_place_of_a_file() -> None:
    contents = read(layer(("a", b"file", 0o644)), layer(("a", None, 0o755)))
    assert (dict(contents.files), contents.folders) == ({}, frozenset({"a"}))


def test_compressed_layers_are_read_too() -> None:
    assert list(read(gzip.compress(layer(("a", b"a", 0o644)))).files) == ["a"]


def test_python_packages_are_known_by_their_metadata() -> None:
    contents = read(
        layer(
            ("opt/x/Flask_Thing-3.1.dist-info/METADATA", b"", 0o644),
            ("usr/lib/python3/dist-packages/pip-25.1.dist-info/METADATA", b"", 0o644),
            ("opt/x/other-1.dist-info/RECORD", b"", 0o644),
        )
    )
    assert contents.python_packages() == (("flask-thing", "3.1"), ("pip", "25.1"))


def test_debian_packages_are_known_by_both_kinds_of_records() -> None:
    contents = read(
        layer(
            ("var/lib/dpkg/status", STATUS, 0o644),
            ("var/lib/dpkg/status.d/base-files", b"Package: base-files\nVersion: 13\n", 0o644),
            ("var/lib/dpkg/status.d/base-files.md5sums", b"Package: not\nVersion: this\n", 0o644),
        )
    )
    assert contents.debian_packages() == (("base-files", "13"), ("libc6", "2.41-1"))


def test_a_release_is_told_once_however_many_layers_and_places_name_it() -> None:
    contents = read(
        layer(
            ("opt/a-1.dist-info/METADATA", b"Name: A\nVersion: 1\n", 0o644),
            ("srv/a-1.dist-info/METADATA", b"Name: a\nVersion: 1\n", 0o644),
            ("var/lib/dpkg/status", STATUS, 0o644),
        ),
        layer(("var/lib/dpkg/status.d/libc6", b"Package: libc6\nVersion: 2.41-1\n", 0o644)),
    )
    assert [record.place for record in contents.python_records()] == ["opt/a-1.dist-info/METADATA"]
    assert [record.name for record in contents.debian_records()] == ["libc6"]


def test_the_copyright_file_of_a_package_may_lie_in_another_s_folder() -> None:
    contents = read(
        layer(
            ("usr/share/doc/gcc-14-base/copyright", b"text", 0o644),
            ("usr/share/doc/libgcc-s1", "gcc-14-base"),
            ("usr/share/doc/away", "/usr/share/doc/gcc-14-base"),
            ("usr/share/doc/lost", "nowhere"),
            ("usr/share/doc/gcc-14-base/changelog", b"news", 0o644),
        )
    )
    names = ("gcc-14-base", "libgcc-s1", "away", "lost", "none")
    assert [contents.copyright_of(name) for name in names] == ["text", "text", "text", "", ""]
    assert contents.text("usr/share/doc/gcc-14-base/changelog") == ""


RELEASE = b"# a comment\nID=debian\nVERSION_ID=\"13\"\nNAME='A B'\n\nnothing\n"


@pytest.mark.parametrize("path", ["usr/lib/os-release", "etc/os-release"])
def test_the_release_is_what_the_image_says(path: str) -> None:
    assert read(layer((path, RELEASE, 0o644))).release() == {"ID": "debian", "VERSION_ID": "13", "NAME": "A B"}


def test_an_image_may_not_say_what_it_is() -> None:
    assert read(layer(("etc/os-release", "../usr/lib/os-release"))).release() == {}


def test_a_record_of_a_size_that_no_package_manager_writes_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.images.contents._LARGEST_KEPT", len(STATUS) - 1)
    assert not read(layer(("var/lib/dpkg/status", STATUS, 0o644))).debian_packages()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"not a tar",
        archive([layer(("a", b"a" * 2000, 0o644))])[:-11000],
        layer(("manifest.json", b"[]", 0o644)),
        layer(("manifest.json", b'[{"Layers": ["none"]}]', 0o644)),
        layer(("manifest.json", b'[{"Layers": ["folder"]}]', 0o644), ("folder", None, 0o755)),
    ],
)
def test_what_is_no_image_is_trouble(damaged: bytes) -> None:
    with pytest.raises(EngineTrouble):
        read_contents(io.BytesIO(damaged))
