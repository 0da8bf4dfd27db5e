"""The image's Python packages against the lock, and their files against their wheels."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.core.image_rules import Hit
from pipeline.core.image_tree import Node
from pipeline.core.lock import Pin
from pipeline.images.packages import PythonPackage, python_package
from pipeline.stages.image_packages import Compared, Packages, compare
from tests.image_trees import file_node, tree_of
from tests.wheels import make_wheel

ROOT = "opt/site"
FILES = {"demo/__init__.py": b"x = 1\n", "demo/data.txt": b"data"}


def record_of(files: Mapping[str, bytes]) -> bytes:
    """A RECORD of these files."""
    rows = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(content)}\n")
    return ("".join(rows) + "demo-1.0.dist-info/RECORD,,\n").encode()


def installed(version: str = "1.0", files: Mapping[str, bytes] | None = None) -> list[Node]:
    """The nodes of demo as an installer leaves them; ``files`` are there in place of those that it lists."""
    folder = f"{ROOT}/demo-{version}.dist-info"
    there = {**FILES, **(files or {})}
    return [
        *(file_node(f"{ROOT}/{path}", content) for path, content in there.items()),
        file_node(f"{folder}/METADATA", f"Name: demo\nVersion: {version}\n".encode()),
        file_node(f"{folder}/RECORD", record_of(FILES)),
        file_node(f"{folder}/INSTALLER", b"pip\n"),
    ]


def found(*names: str) -> tuple[PythonPackage, ...]:
    """The records of these packages, each ``name-version``."""
    records = (python_package(f"{ROOT}/{name}.dist-info/METADATA", "") for name in names)
    return tuple(record for record in records if record)


def pin(name: str, version: str) -> Pin:
    """A pin on line 7."""
    return Pin(name=name, version=version, hashes=(), line=7)


def compared(
    packages: tuple[PythonPackage, ...],
    pins: tuple[Pin, ...],
    *nodes: Node,
    may: frozenset[str] | None = frozenset(),
    wheels: tuple[Path, ...] = (),
    own: frozenset[str] = frozenset(),
) -> Compared:
    """What comes of it."""
    there = Packages(found=packages, pins=pins, wheels=wheels, may_also_hold=may, own=own)
    return compare(there, tree_of(*nodes))


def told(hits: tuple[Hit, ...]) -> list[tuple[str, str]]:
    """Rules and messages."""
    return [(hit.rule, hit.message) for hit in hits]


def test_exactly_the_locked_packages_are_no_finding() -> None:
    result = compared(found("demo-1.0"), (pin("demo", "1.0.0"),), *installed())
    assert (result.hits, result.unlocked, result.unlisted) == ((), (), ())


def test_a_locked_package_that_is_not_there_is_found_at_its_line_of_the_lock() -> None:
    (hit,) = compared((), (pin("demo", "1.0"),)).hits
    assert (hit.rule, hit.message, hit.lock) == (
        "IMG-PACKAGE-MISSING", "demo 1.0 is locked, and is not in the image.", 7,
    )  # fmt: skip


def test_another_version_is_missing_and_extra() -> None:
    result = compared(found("demo-2.0"), (pin("demo", "1.0"),), *installed("2.0"), may=None)
    assert told(result.hits) == [
        ("IMG-PACKAGE-MISSING", "demo 1.0 is locked, and is not in the image."),
        ("IMG-PACKAGE-EXTRA", "demo 2.0 is in the image, and locked is 1.0."),
    ]
    assert [package.name for package in result.unlocked] == ["demo"]


@pytest.mark.parametrize(
    ("may", "rules", "unlocked"),
    [(frozenset(), ["IMG-PACKAGE-EXTRA"], ["demo"]), (frozenset({"demo"}), [], []), (None, [], ["demo"])],
)
def test_a_package_beside_the_lock_is_found_unless_it_may_be_there(
    may: frozenset[str] | None, rules: list[str], unlocked: list[str]
) -> None:
    result = compared(found("demo-1.0"), (), *installed(), may=may)
    assert [hit.rule for hit in result.hits] == rules
    assert [package.name for package in result.unlocked] == unlocked


def test_a_changed_file_is_found() -> None:
    nodes = installed(files={"demo/data.txt": b"other"})
    result = compared(found("demo-1.0"), (pin("demo", "1.0"),), *nodes)
    message = f"/{ROOT}/demo/data.txt is not the file that its wheel lists."
    assert told(result.hits) == [("IMG-PACKAGE-ALTERED", message)]


def test_a_file_that_no_package_lists_is_found_in_a_packages_folder_and_nowhere_else() -> None:
    stranger, own = file_node(f"{ROOT}/demo/planted.py", b"x"), file_node(f"{ROOT}/demo/ours.py", b"ours")
    beside = [file_node(f"{ROOT}/service/app.py", b"y"), file_node(f"{ROOT}/demo/__pycache__/a.cpython-313.pyc")]
    nodes = [*installed(), stranger, own, *beside]
    result = compared(found("demo-1.0"), (pin("demo", "1.0"),), *nodes, own=frozenset({own.sha256}))
    message = f"/{ROOT}/demo/planted.py lies in a package's folder, and no package lists it."
    assert told(result.hits) == [("IMG-PACKAGE-ALTERED", message)]


def test_a_listed_file_that_was_left_out_is_no_finding() -> None:
    nodes = [node for node in installed() if not node.path.endswith("data.txt")]
    assert not compared(found("demo-1.0"), (pin("demo", "1.0"),), *nodes).hits


def test_the_wheel_is_believed_and_not_the_images_own_list(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo")
    changed = {"demo.py": b"VERSION = 2\n"}
    nodes = [
        file_node(f"{ROOT}/demo.py", changed["demo.py"]),
        file_node(f"{ROOT}/demo-1.0.dist-info/RECORD", record_of(changed)),
        file_node(f"{ROOT}/demo-1.0.dist-info/METADATA", b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"),
    ]
    assert not compared(found("demo-1.0"), (pin("demo", "1.0"),), *nodes).hits
    result = compared(found("demo-1.0"), (pin("demo", "1.0"),), *nodes, wheels=(wheel, tmp_path / "odd.whl"))
    assert [hit.path for hit in result.hits] == [f"{ROOT}/demo.py"]
    assert result.vouched == {f"{ROOT}/demo-1.0.dist-info/METADATA"}


@pytest.mark.parametrize("record", [b"", b'"\n', b"demo/x,sha256=a,1\n"])
def test_a_package_without_a_list_is_told(record: bytes) -> None:
    node = file_node(f"{ROOT}/demo-1.0.dist-info/RECORD", record)
    assert compared(found("demo-1.0"), (pin("demo", "1.0"),), node).unlisted == ("demo 1.0",)
