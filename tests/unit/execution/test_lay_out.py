"""The tree that stages work in is exactly the snapshot, made once, and made again when anything touched it."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.snapshot import Entry, Kind, Snapshot
from pipeline.errors import StorageTrouble
from pipeline.execution import checkout, laid_out
from pipeline.execution.checkout import entry_at
from pipeline.execution.laid_out import altered, lay_out


@pytest.fixture(name="source")
def _source_fixture(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "x.py").write_text("x = 1\n", encoding="utf-8")
    (source / "caf\udce9").write_text("", encoding="utf-8")
    (source / "run").write_text("#!/bin/sh\n", encoding="utf-8")
    (source / "run").chmod(0o700)
    (source / "private").write_text("p", encoding="utf-8")
    (source / "private").chmod(0o600)
    (source / "link").symlink_to("nowhere")
    return source


@pytest.fixture(name="trees")
def _trees_fixture(tmp_path: Path) -> Path:
    (tmp_path / "trees").mkdir()
    return tmp_path / "trees"


def _snapshot(source: Path) -> Snapshot:
    paths = sorted(
        str(path.relative_to(source)) for path in source.rglob("*") if path.is_symlink() or not path.is_dir()
    )
    entries = [entry for path in paths if (entry := entry_at(source, path)) is not None]
    entries.append(Entry(path="sub", kind=Kind.SUBMODULE, digest="a" * 40))
    return Snapshot(entries=tuple(entries), commit="c", branch="", dirty=False, committed="")


def test_it_is_the_snapshot_with_the_modes_that_git_knows(source: Path, trees: Path) -> None:
    snapshot = _snapshot(source)
    tree = lay_out(snapshot, source, trees)
    assert not altered(snapshot, tree)
    assert (tree / "deep/er/x.py").read_text(encoding="utf-8") == "x = 1\n"
    modes = {name: stat.S_IMODE((tree / name).stat().st_mode) for name in ("run", "private", "deep/er/x.py")}
    assert modes == {"run": 0o755, "private": 0o644, "deep/er/x.py": 0o644}
    assert os.readlink(tree / "link") == "nowhere"
    assert not list((tree / "sub").iterdir())
    assert (tree / "caf\udce9").exists()


def test_an_intact_tree_is_used_again(source: Path, trees: Path) -> None:
    snapshot = _snapshot(source)
    tree = lay_out(snapshot, source, trees)
    (tree / "cache").write_text("left by a stage", encoding="utf-8")
    shutil.rmtree(source)
    assert lay_out(snapshot, source, trees) == tree
    assert (tree / "cache").exists()


def test_what_an_earlier_run_left_is_cleared_away_when_nobody_works_there(source: Path, trees: Path) -> None:
    snapshot = _snapshot(source)
    tree = lay_out(snapshot, source, trees)
    inode = (tree / "run").stat().st_ino
    assert (lay_out(snapshot, source, trees, alone=True) / "run").stat().st_ino == inode
    for stray in ("conftest.py", "deep/__pycache__/x.pyc", "empty/"):
        target = tree / stray
        target.parent.mkdir(parents=True, exist_ok=True)
        if stray.endswith("/"):
            target.mkdir()
        else:
            target.touch()
        lay_out(snapshot, source, trees, alone=True)
        assert not target.exists()


def _edit(tree: Path) -> None:
    (tree / "private").write_text("q", encoding="utf-8")


def _remove(tree: Path) -> None:
    (tree / "deep/er/x.py").unlink()


def _link_to_the_same(tree: Path) -> None:
    (tree / "private").rename(tree / "elsewhere")
    (tree / "private").symlink_to("elsewhere")


def _turn_link(tree: Path) -> None:
    (tree / "link").unlink()
    (tree / "link").symlink_to("private")


def _mode(tree: Path) -> None:
    (tree / "run").chmod(0o644)


def _folder(tree: Path) -> None:
    (tree / "private").unlink()
    (tree / "private").mkdir()


def _folder_link(tree: Path) -> None:
    (tree / "deep").rename(tree / "moved")
    (tree / "deep").symlink_to("moved")


@pytest.mark.parametrize("tamper", [_edit, _remove, _link_to_the_same, _turn_link, _mode, _folder, _folder_link])
def test_a_tree_that_was_tampered_with_is_seen_and_made_again(tamper: Any, source: Path, trees: Path) -> None:
    snapshot = _snapshot(source)
    tree = lay_out(snapshot, source, trees)
    tamper(tree)
    assert altered(snapshot, tree)
    assert not altered(snapshot, lay_out(snapshot, source, trees))


def test_nothing_outside_of_the_tree_is_removed_through_a_link_above_a_submodule(
    source: Path, trees: Path, tmp_path: Path
) -> None:
    def taken() -> Snapshot:
        submodule = Entry(path="libs/sub", kind=Kind.SUBMODULE, digest="a" * 40)
        snapshot = _snapshot(source)
        return replace(snapshot, entries=(*snapshot.entries, submodule))

    tree = lay_out(taken(), source, trees)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "sub").mkdir(parents=True)
    (elsewhere / "sub/precious").touch()
    (tree / "libs/sub").rmdir()
    (tree / "libs").rmdir()
    (tree / "libs").symlink_to(elsewhere)
    (source / "run").write_text("another", encoding="utf-8")
    snapshot = taken()
    tree = lay_out(snapshot, source, trees)
    assert (elsewhere / "sub/precious").exists()
    assert not (tree / "libs").is_symlink()
    assert not altered(snapshot, tree)


def test_modes_that_a_stage_has_changed_are_none_of_the_next_contents(source: Path, trees: Path) -> None:
    tree = lay_out(_snapshot(source), source, trees)
    (tree / "private").chmod(0o600)
    (tree / "deep").chmod(0o500)
    (tree / "read-only").mkdir()
    (tree / "read-only/left").touch()
    (tree / "read-only").chmod(0o500)
    (source / "run").write_text("another", encoding="utf-8")
    snapshot = _snapshot(source)
    tree = lay_out(snapshot, source, trees)
    assert not altered(snapshot, tree)
    modes = {name: stat.S_IMODE((tree / name).stat().st_mode) for name in ("private", "deep")}
    assert modes == {"private": 0o644, "deep": 0o755}
    assert not (tree / "read-only").exists()


def test_a_half_made_tree_is_made_again(source: Path, trees: Path) -> None:
    snapshot = _snapshot(source)
    tree = trees / snapshot.digest[:16]
    tree.mkdir()
    (tree / "half").touch()
    assert not (lay_out(snapshot, source, trees) / "half").exists()


def test_a_file_that_is_edited_meanwhile_is_noticed(source: Path, trees: Path) -> None:
    snapshot = _snapshot(source)
    (source / "private").write_text("edited", encoding="utf-8")
    with pytest.raises(StorageTrouble, match="private changed while the snapshot was taken"):
        lay_out(snapshot, source, trees)
    (source / "private").unlink()
    with pytest.raises(StorageTrouble, match="could not be laid out: No such file"):
        lay_out(snapshot, source, trees)
    assert not list(trees.glob("*.complete"))


def test_the_trees_of_other_snapshots_are_forgotten(source: Path, trees: Path) -> None:
    first = lay_out(_snapshot(source), source, trees)
    (source / "new").write_text("", encoding="utf-8")
    second = lay_out(_snapshot(source), source, trees)
    assert second != first
    assert sorted(path.name for path in trees.iterdir()) == sorted([".lock", second.name, f"{second.name}.complete"])


def _moved_on(source: Path) -> None:
    """Every way in which one snapshot can differ from the next."""
    (source / "deep/er/x.py").write_text("x = 2\n", encoding="utf-8")
    (source / "private").unlink()
    (source / "run").chmod(0o644)
    (source / "link").unlink()
    (source / "link").symlink_to("run")
    (source / "new/er").mkdir(parents=True)
    (source / "new/er/y.py").write_text("y = 1\n", encoding="utf-8")
    shutil.rmtree(source / "other", ignore_errors=True)


def test_the_next_tree_is_made_from_the_last_one_and_copies_only_what_differs(
    source: Path, trees: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "other").mkdir()
    (source / "other/z").write_text("", encoding="utf-8")
    first = lay_out(_snapshot(source), source, trees)
    (first / "sub/stray").touch()
    (first / "__pycache__").mkdir()
    same = (first / "caf\udce9").stat().st_ino
    _moved_on(source)
    copied: list[Path] = []
    real: Any = shutil.copyfile

    def _noted(one: Path, *more: Any, **named: Any) -> None:
        copied.append(one)
        real(one, *more, **named)

    monkeypatch.setattr(shutil, "copyfile", _noted)
    snapshot = _snapshot(source)
    tree = lay_out(snapshot, source, trees)
    assert not altered(snapshot, tree)
    assert {path.relative_to(source).as_posix() for path in copied} == {"deep/er/x.py", "run", "link", "new/er/y.py"}
    assert (tree / "caf\udce9").stat().st_ino == same
    expected = {str(path.relative_to(source)) for path in source.rglob("*")} | {"sub"}
    assert {str(path.relative_to(tree)) for path in tree.rglob("*")} == expected
    assert stat.S_IMODE((tree / "run").stat().st_mode) == 0o644
    assert not first.exists()


@pytest.mark.parametrize("tamper", [_edit, _remove, _link_to_the_same, _turn_link, _mode, _folder, _folder_link])
def test_what_was_done_to_the_last_tree_does_not_live_on_in_the_next(tamper: Any, source: Path, trees: Path) -> None:
    tamper(lay_out(_snapshot(source), source, trees))
    (source / "new").write_text("", encoding="utf-8")
    snapshot = _snapshot(source)
    tree = lay_out(snapshot, source, trees)
    assert not altered(snapshot, tree)
    expected = {str(path.relative_to(source)) for path in source.rglob("*")} | {"sub"}
    assert {str(path.relative_to(tree)) for path in tree.rglob("*")} == expected


def test_a_file_that_has_become_a_folder_and_a_folder_that_has_become_a_file_are_laid_out(
    source: Path, trees: Path
) -> None:
    lay_out(_snapshot(source), source, trees)
    shutil.rmtree(source / "deep")
    (source / "deep").write_text("", encoding="utf-8")
    (source / "private").unlink()
    (source / "private").mkdir()
    (source / "private/key").write_text("", encoding="utf-8")
    snapshot = _snapshot(source)
    assert not altered(snapshot, lay_out(snapshot, source, trees))


def test_a_tree_that_was_being_made_when_the_run_was_killed_is_believed_by_nobody(
    source: Path, trees: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(_snapshot(source), source, trees)
    _moved_on(source)
    snapshot = _snapshot(source)

    def _killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(laid_out, "_put", _killed)
    with pytest.raises(KeyboardInterrupt):
        lay_out(snapshot, source, trees)
    assert not list(trees.glob("*.complete"))
    monkeypatch.undo()
    assert not altered(snapshot, lay_out(snapshot, source, trees))


def test_a_full_disk_is_said(source: Path, trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr(shutil, "copyfile", _full)
    with pytest.raises(StorageTrouble, match="No space left on device") as caught:
        lay_out(_snapshot(source), source, trees)
    assert "free some space" in caught.value.advice


def test_an_unreadable_file_counts_as_altered(source: Path, trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = _snapshot(source)
    tree = lay_out(snapshot, source, trees)

    def _denied(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(checkout, "sha256_of", _denied)
    assert "run" in altered(snapshot, tree)


def test_two_that_begin_at_once_make_one_tree(source: Path, trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, copied = _snapshot(source), []
    real = laid_out._copy  # pylint: disable=protected-access  # to count how often it is done

    def _counted(*arguments: Any) -> None:
        copied.append(arguments)
        real(*arguments)

    monkeypatch.setattr(laid_out, "_copy", _counted)
    threads = [threading.Thread(target=lay_out, args=(snapshot, source, trees)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(copied) == 1
    assert not altered(snapshot, trees / snapshot.digest[:16])


def test_submodules_are_not_looked_into(source: Path, trees: Path) -> None:
    snapshot = _snapshot(source)
    tree = lay_out(snapshot, source, trees)
    other = replace(snapshot, entries=(Entry(path="sub", kind=Kind.SUBMODULE, digest="b" * 40),))
    assert not altered(other, tree)
