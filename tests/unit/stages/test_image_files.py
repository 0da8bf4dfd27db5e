"""Which files belong to which package."""

from __future__ import annotations

from pipeline.core.component import Component, ComponentKind
from pipeline.images.packages import python_package
from pipeline.stages.image_files import REST, is_file_list, with_files
from pipeline.stages.image_packages import Listing
from tests.image_trees import file_node, link_node, tree_of

SUMS = b"0123  usr/lib/a\n0123  usr/lib/gone\n0123  lib/b\n"


def test_a_file_is_listed_with_its_package_once_and_the_rest_by_itself() -> None:
    a, b, x, app = file_node("usr/lib/a", b"a"), file_node("usr/lib/b", b"b"), file_node("s/x", b"x"), file_node("app")
    sums = file_node("var/lib/dpkg/status.d/one.md5sums", SUMS)
    tree = tree_of(a, b, x, app, sums, link_node("lib", "usr/lib"))
    record = python_package("s/two-1.dist-info/METADATA", "")
    assert record is not None
    listing = Listing(package=record, root="s", files={"s/x": x.sha256, "usr/lib/a": a.sha256}, vouched=True)
    components = [
        Component(kind=ComponentKind.SYSTEM, name="debian", version="13"),
        Component(kind=ComponentKind.DEBIAN, name="one", version="1"),
        Component(kind=ComponentKind.PYTHON, name="two", version="1"),
    ]
    files = {component.name: component.files for component in with_files(components, [listing], tree)}
    assert files == {
        "debian": (),
        "one": (f"{a.sha256}  /usr/lib/a", f"{b.sha256}  /usr/lib/b"),
        "two": (f"{x.sha256}  /s/x",),
        REST: (f"{app.sha256}  /app", f"{sums.sha256}  /var/lib/dpkg/status.d/one.md5sums"),
    }


def test_both_places_of_debians_lists_are_known() -> None:
    assert is_file_list("var/lib/dpkg/status.d/a.md5sums") and is_file_list("var/lib/dpkg/info/a:amd64.md5sums")
    assert not is_file_list("var/lib/dpkg/status") and not is_file_list("a.md5sums")
