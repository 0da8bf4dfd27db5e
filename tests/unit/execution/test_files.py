"""Files are written whole or not at all, and a disk that is full is said in a sentence."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import StorageTrouble
from pipeline.execution.files import remove_unfinished, sha256_of, write_atomically

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")


@pytest.fixture(name="small_disk")
def _small_disk_fixture(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB; some containers allow not even root to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place), check=False, capture_output=True)
    if done.returncode:
        pytest.skip("this machine allows no mount")
    yield place
    # Lazily: whoever looks through all file systems just now is no reason to fail.
    subprocess.run(("umount", "-l", place), check=True)


def test_a_file_is_made_with_its_folders_and_is_readable_for_all(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.json"
    write_atomically(path, "ä\ud800\udcff\n")
    assert path.read_bytes() == "ä\\ud800\\udcff\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert os.listdir(path.parent) == ["file.json"]


@AS_ROOT
def test_a_full_disk_keeps_the_old_content_and_leaves_nothing_behind(small_disk: Path) -> None:
    path = small_disk / "report.json"
    write_atomically(path, "old")
    with pytest.raises(StorageTrouble, match=r"report\.json could not be written: No space left on device\.") as caught:
        write_atomically(path, "x" * 1_000_000)
    assert "Free space in" in caught.value.advice
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(small_disk) == ["report.json"]


def test_a_fault_while_writing_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    write_atomically(path, "old")

    def _full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(StorageTrouble, match="No space left on device"):
        write_atomically(path, "new")
    assert (path.read_text(encoding="utf-8"), os.listdir(tmp_path)) == ("old", ["report.json"])


def test_an_interrupt_while_writing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "report.json", "new")
    assert not os.listdir(tmp_path)


def test_a_place_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageTrouble, match=r"x\.json could not be written"):
        write_atomically(tmp_path / "file" / "x.json", "text")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(StorageTrouble, match=r"folder\.json could not be written"):
        write_atomically(tmp_path / "folder.json", "text")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.json"]


def test_what_can_not_be_removed_any_more_does_not_hide_the_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _vanish(_: int) -> None:
        shutil.rmtree(tmp_path / "reports")
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", _vanish)
    with pytest.raises(StorageTrouble, match="Input/output error"):
        write_atomically(tmp_path / "reports" / "x.json", "text")


def test_a_digest_is_that_of_the_content(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    (tmp_path / "x").write_bytes(content)
    assert sha256_of(tmp_path / "x") == hashlib.sha256(content).hexdigest()


def test_what_was_being_written_when_a_run_was_killed_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    left = [tmp_path / "stages" / ".result.json.0a1b2c3d", tmp_path / ".run.json.x_y3abcd"]
    kept = [tmp_path / ".gitignore", tmp_path / "stages" / "result.json", tmp_path / "a.json.0a1b2c3d"]
    for path in (*left, *kept):
        path.write_text("x", encoding="ascii")
    (tmp_path / ".link.json.0a1b2c3d").symlink_to(kept[0])
    remove_unfinished(tmp_path)
    assert not [path for path in left if path.exists()]
    assert [path for path in kept if path.exists()] == kept
    assert (tmp_path / ".link.json.0a1b2c3d").is_symlink()
