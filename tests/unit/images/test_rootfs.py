"""A layer holds what was wanted, sorted, with fixed times and owners and nothing that gains rights."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable

import pytest

from pipeline.errors import FetchTrouble
from pipeline.images.rootfs import FileTree, LayerFacts, copy_exactly
from pipeline.images.ustar import Entry, Kind, header
from tests.unit.images.debs import deb, entry

MTIME = 1_700_000_000


def everything(_path: str) -> bool:
    return True


def tree_of(*packages: bytes, wanted: Callable[[str], bool] = everything) -> FileTree:
    tree = FileTree(io.BytesIO(), wanted)
    for number, package in enumerate(packages):
        tree.add_package(io.BytesIO(package), f"package {number}")
    return tree


def written(tree: FileTree) -> tuple[bytes, LayerFacts]:
    out = io.BytesIO()
    facts = tree.write(out, MTIME)
    return out.getvalue(), facts


def members(tree: FileTree) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(written(tree)[0]), mode="r:") as layer:
        return {info.name: info for info in layer}


TOOL = deb(
    entry("./usr/", kind=tarfile.DIRTYPE, mode=0o750),
    entry("./usr/bin/su", b"root", mode=0o6755),
    entry("./lib/x.so", b"x"),
    entry("./usr/share/man/su.1", b"manual"),
    name="tool",
    md5sums="aa  usr/bin/su\nbb  usr/share/man/su.1\ncc  lib/x.so\n",
)


def test_entries_are_sorted_with_their_folders_and_have_fixed_owners_and_times() -> None:
    found = members(tree_of(TOOL))
    assert list(found) == sorted(found) == [
        "usr", "usr/bin", "usr/bin/su", "usr/lib", "usr/lib/x.so", "usr/share", "usr/share/man", "usr/share/man/su.1",
    ]  # fmt: skip
    assert {(info.uid, info.gid, info.mtime) for info in found.values()} == {(0, 0, MTIME)}
    assert found["usr"].mode == 0o750


def test_set_user_id_and_set_group_id_are_dropped() -> None:
    assert members(tree_of(TOOL))["usr/bin/su"].mode == 0o755


def test_what_is_not_wanted_is_left_out_with_its_folders_and_its_sums() -> None:
    tree = tree_of(TOOL, wanted=lambda path: "/man/" not in path)
    tree.add_package_records()
    found = members(tree)
    assert "usr/share" not in found
    with tarfile.open(fileobj=io.BytesIO(written(tree)[0]), mode="r:") as layer:
        sums = layer.extractfile("var/lib/dpkg/status.d/tool.md5sums")
        control = layer.extractfile("var/lib/dpkg/status.d/tool")
        assert sums is not None and control is not None
        assert sums.read() == b"aa  usr/bin/su\ncc  lib/x.so\n"
        assert control.read().startswith(b"Package: tool\n")


def test_the_same_packages_give_the_same_bytes() -> None:
    first, facts = written(tree_of(TOOL, deb(entry("./z", b"z"), name="z")))
    second, _ = written(tree_of(TOOL, deb(entry("./z", b"z"), name="z")))
    assert first == second
    assert facts.diff_id == "sha256:" + hashlib.sha256(first).hexdigest()
    assert facts.size_bytes == len(first)


def test_the_bytes_do_not_depend_on_the_version_of_python() -> None:
    # Written once, with Python 3.11. If this fails the image ids change on somebody's machine.
    content, _ = written(tree_of(deb(entry("./usr/bin/tool", b"content", mode=0o755))))
    assert hashlib.sha256(content).hexdigest() == "7579fec1953771c064787a9ae06b6cf967d488907f45e7273c879e76bef67242"


def test_a_hard_link_becomes_a_file_of_its_own() -> None:
    tree = tree_of(deb(entry("./b", b"same"), entry("./a", kind=tarfile.LNKTYPE, target="./b")))
    with tarfile.open(fileobj=io.BytesIO(written(tree)[0]), mode="r:") as layer:
        link = layer.extractfile("a")
        assert link is not None and link.read() == b"same"


def test_a_hard_link_to_what_is_not_there_is_refused() -> None:
    with pytest.raises(FetchTrouble, match="is a hard link to gone"):
        tree_of(deb(entry("./a", kind=tarfile.LNKTYPE, target="gone")))


def test_two_owners_of_a_path_are_refused() -> None:
    with pytest.raises(FetchTrouble, match="/usr/bin/su is made twice: by tool and by other"):
        tree_of(TOOL, deb(entry("./bin/su", b"2"), name="other"))


def test_a_path_below_a_link_is_refused() -> None:
    package = deb(entry("./a", kind=tarfile.SYMTYPE, target="/etc"), entry("./a/passwd", b"root::0:0"))
    with pytest.raises(FetchTrouble, match="/a is no folder"):
        written(tree_of(package))


def test_a_header_is_read_back_by_tarfile() -> None:
    for name in ("a", "x" * 100, "d" * 60 + "/" + "y" * 90, "n\u00e4me"):
        block = header(Entry(path=name, kind=Kind.FILE, mode=0o640, uid=5, gid=6), MTIME)
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        assert (info.name, info.mode, info.uid, info.gid, info.mtime) == (name, 0o640, 5, 6, MTIME)


@pytest.mark.parametrize(
    "unfit",
    [
        Entry(path="x" * 101, kind=Kind.FILE, mode=0o644),
        Entry(path="x" * 200 + "/y", kind=Kind.FILE, mode=0o644),
        Entry(path="a", kind=Kind.SYMLINK, mode=0o777, target="t" * 101),
        Entry(path="a", kind=Kind.FILE, mode=0o644, size=8**11),
    ],
)
def test_what_does_not_fit_into_a_header_is_refused(unfit: Entry) -> None:
    with pytest.raises(FetchTrouble, match="does not fit into a ustar header"):
        header(unfit, MTIME)


def test_a_source_that_ends_early_is_noticed() -> None:
    with pytest.raises(FetchTrouble, match="ended early"):
        copy_exactly(io.BytesIO(b"12"), io.BytesIO(), 3)
