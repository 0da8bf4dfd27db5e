"""No file comes to lie, and none is removed, anywhere else than below the reports, whatever links somebody has put."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import StorageTrouble
from pipeline.execution.report_files import cleared, emptied, made_room, removed, write_below


@pytest.fixture(name="root")
def reports(tmp_path: Path) -> Path:
    """The reports folder, and beside it one with something precious."""
    (tmp_path / "outside/inner").mkdir(parents=True)
    (tmp_path / "outside/precious").write_text("1", encoding="utf-8")
    (tmp_path / "reports").mkdir()
    return tmp_path / "reports"


def _untouched(root: Path) -> bool:
    left = sorted(path.relative_to(root.parent / "outside").as_posix() for path in (root.parent / "outside").rglob("*"))
    return left == ["inner", "precious"] and (root.parent / "outside/precious").read_text(encoding="utf-8") == "1"


def test_a_file_is_written_whole_with_the_folders_above_it(root: Path) -> None:
    assert write_below(root, "a/b/c.txt", "one") == root / "a/b/c.txt"
    write_below(root, "a/b/c.txt", "two \ud800")
    assert (root / "a/b/c.txt").read_text(encoding="utf-8") == "two \\ud800"
    assert os.listdir(root / "a/b") == ["c.txt"]
    assert (root / "a/b/c.txt").stat().st_mode & 0o777 == 0o644 & ~_umask()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def test_the_folder_itself_is_made(root: Path) -> None:
    write_below(root / "new/one", "a.txt", "1")
    assert (root / "new/one/a.txt").exists()


@pytest.mark.parametrize("place", ["a", "a/b", "a/b/c.txt"])
def test_a_link_in_the_place_of_ours_is_replaced(root: Path, place: str) -> None:
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).symlink_to(root.parent / "outside" if place != "a/b/c.txt" else root.parent / "outside/precious")
    write_below(root, "a/b/c.txt", "2")
    assert not (root / place).is_symlink()
    assert (root / "a/b/c.txt").read_text(encoding="utf-8") == "2"
    assert _untouched(root)


@pytest.mark.parametrize("name", ["../outside/precious", "/etc/hosts", "a/../../outside/precious", "a\0b"])
def test_a_name_that_leads_out_is_refused(root: Path, name: str) -> None:
    for act in (lambda: write_below(root, name, "2"), lambda: emptied(root, name), lambda: removed(root, name)):
        with pytest.raises(ValueError, match="report"):
            act()
    assert _untouched(root)


def test_a_reports_folder_that_is_a_link_is_refused(root: Path) -> None:
    root.rmdir()
    root.symlink_to(root.parent / "outside")
    for act in (
        lambda: write_below(root, "precious", "2"),
        lambda: emptied(root, "inner"),
        lambda: made_room(root, "inner/x"),
        lambda: cleared(root, "inner", ()),
    ):
        with pytest.raises(StorageTrouble, match="reports is a symbolic link"):
            act()
    assert _untouched(root)


def test_nothing_is_removed_through_a_link(root: Path) -> None:
    (root / "stages").symlink_to(root.parent / "outside")
    removed(root, "stages/inner")
    (root / "stages").rmdir()
    (root / "stages").symlink_to(root.parent / "outside")
    cleared(root, "stages", ("other",))
    assert _untouched(root)


def test_a_folder_is_emptied_whatever_lies_there(root: Path) -> None:
    write_below(root, "stages/lint/raw/deep/old.json", "1")
    assert not list(emptied(root, "stages/lint/raw").iterdir())
    (root / "stages/lint/raw").rmdir()
    write_below(root, "stages/lint/raw", "1")
    assert emptied(root, "stages/lint/raw").is_dir()
    (root / "stages/lint/raw").rmdir()
    (root / "stages/lint/raw").symlink_to(root.parent / "outside")
    assert not list(emptied(root, "stages/lint/raw").iterdir())
    assert _untouched(root)


def test_a_folder_is_cleared_of_what_is_not_ours(root: Path) -> None:
    for name in ("lint/result.json", "gone/raw/a.txt"):
        write_below(root, f"stages/{name}", "1")
    # A name that none of ours has.
    (root / "stages/a:b\n").mkdir()
    (root / "stages/link").symlink_to(root.parent / "outside")
    cleared(root, "stages", ("lint",))
    assert os.listdir(root / "stages") == ["lint"]
    removed(root, "stages/lint/result.json")
    removed(root, "stages/nothing")
    assert not list((root / "stages/lint").iterdir())
    assert _untouched(root)


def test_a_place_that_can_t_be_written_is_said_and_nothing_half_written_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a.txt").mkdir()
    with pytest.raises(StorageTrouble, match=r"a\.txt could not be written: Is a directory"):
        write_below(root, "a.txt", "1")
    assert os.listdir(root) == ["a.txt"]
    write_below(root, "file", "1")
    with pytest.raises(StorageTrouble, match=r"b\.txt could not be written: Not a directory"):
        write_below(root, "file/b.txt", "1")
    with pytest.raises(StorageTrouble, match=r"The folder of file/c could not be made: Not a directory"):
        made_room(root, "file/c")
    with pytest.raises(StorageTrouble, match=r"The folder file/d could not be emptied: Not a directory"):
        emptied(root, "file/d")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.execution.report_files.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_below(root, "c.txt", "1")
    assert sorted(os.listdir(root)) == ["a.txt", "file"]
