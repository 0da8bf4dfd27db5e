"""What goes to the engine: which files, and in what form."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from pipeline.core.snapshot import Entry, Kind
from pipeline.errors import StorageTrouble
from pipeline.stages.build_context import admitted, write_context
from tests.support import snapshot_of, write_files


def let_through(folder: Path, rules: str, *paths: str) -> list[str]:
    """The paths of a tree that a ``.dockerignore`` lets through."""
    tree = write_files(folder / "tree", dict.fromkeys(paths, "x"))
    return [entry.path for entry in admitted(snapshot_of(tree), rules, "Dockerfile")]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("", ["Dockerfile", "a.py", "sub/a.pyc", "sub/b/.env", "sub/b/c.py"]),
        ("*\n!sub\nsub/**/.env", ["Dockerfile", "sub/a.pyc", "sub/b/c.py"]),
        ("**/*.pyc\n# a.py\n", ["Dockerfile", "a.py", "sub/b/.env", "sub/b/c.py"]),
        ("sub/b/", ["Dockerfile", "a.py", "sub/a.pyc"]),
        ("/sub/./b", ["Dockerfile", "a.py", "sub/a.pyc"]),
        ("sub/x/../b", ["Dockerfile", "a.py", "sub/a.pyc"]),
        ("*/*.p?c", ["Dockerfile", "a.py", "sub/b/.env", "sub/b/c.py"]),
        ("[a-b].py", ["Dockerfile", "sub/a.pyc", "sub/b/.env", "sub/b/c.py"]),
        (r"a\.py", ["Dockerfile", "sub/a.pyc", "sub/b/.env", "sub/b/c.py"]),
        ("sub/**", ["Dockerfile", "a.py"]),
        ("**/b/*\n!**/c.py", ["Dockerfile", "a.py", "sub/a.pyc", "sub/b/c.py"]),
        ("*\n!.", ["Dockerfile"]),
        ("\ufeffa.py\r\n", ["Dockerfile", "sub/a.pyc", "sub/b/.env", "sub/b/c.py"]),
        ("A.PY", ["Dockerfile", "a.py", "sub/a.pyc", "sub/b/.env", "sub/b/c.py"]),
        ("[a", ["Dockerfile", "a.py", "sub/a.pyc", "sub/b/.env", "sub/b/c.py"]),
    ],
)
def test_rules_mean_what_they_mean_to_docker(tmp_path: Path, rules: str, expected: list[str]) -> None:
    paths = ("Dockerfile", "a.py", "sub/a.pyc", "sub/b/.env", "sub/b/c.py")
    assert let_through(tmp_path, rules, *paths) == expected


def test_a_submodule_is_not_sent(tmp_path: Path) -> None:
    module = Entry(path="lib", kind=Kind.SUBMODULE, digest="0")
    tree = write_files(tmp_path, {"Dockerfile": "x"})
    assert [entry.path for entry in admitted(snapshot_of(tree, (module,)), "", "Dockerfile")] == ["Dockerfile"]


def test_the_tar_depends_on_the_content_alone(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        tree = write_files(tmp_path / name, {"b.sh": "b", "a.py": "a"})
        (tree / "link").symlink_to("a.py")
        (tree / "b.sh").chmod(0o700 if name == "one" else 0o644)
        wheel = write_files(tmp_path / f"{name}-wheels", {"x.whl": "wheel"}) / "x.whl"
        entries = [
            Entry(path=entry.path, kind=Kind.EXECUTABLE if entry.path == "b.sh" else entry.kind, digest=entry.digest)
            for entry in snapshot_of(tree).entries
        ]
        write_context(tmp_path / f"{name}.tar", tree, entries, {"x.whl": wheel})
        made.append((tmp_path / f"{name}.tar").read_bytes())
    assert made[0] == made[1]
    with tarfile.open(tmp_path / "one.tar") as tar:
        members = {member.name: member for member in tar}
    assert list(members) == ["a.py", "b.sh", "link", "wheelhouse/x.whl"]
    assert (members["b.sh"].mode, members["a.py"].mode, members["link"].linkname) == (0o755, 0o644, "a.py")
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, 315532800)}


def test_no_room_for_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageTrouble, match="could not be written"):
        write_context(tmp_path / "none" / "context.tar", tmp_path, [], {})
