"""A report's folder is read within bounds, and never beyond itself, whatever somebody has put into it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError, StorageTrouble
from pipeline.execution import report_folder
from pipeline.execution.report_folder import read_folder
from tests.support import write_files


def test_every_file_is_there_with_its_digest(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.json": "{}", "stages/lint/raw/größe.txt": "x", ".hidden": "y", "README.md": "no"})
    found = read_folder(tmp_path, frozenset({"README.md", "live"}))
    assert found.files == {
        ".hidden": hashlib.sha256(b"y").hexdigest(),
        "a.json": hashlib.sha256(b"{}").hexdigest(),
        "stages/lint/raw/größe.txt": hashlib.sha256(b"x").hexdigest(),
    }
    assert (found.aside, found.troubles) == (("README.md",), ())
    assert found.text("stages/lint/raw/größe.txt") == "x"


def test_what_is_below_a_folder_set_aside_is_not_read(tmp_path: Path) -> None:
    write_files(tmp_path, {"live/pipeline.json": "{}", "stages/live/x": ""})
    found = read_folder(tmp_path, frozenset({"live"}))
    assert set(found.files) == {"stages/live/x"}
    assert found.aside == ("live",)


def test_links_are_named_and_not_followed(tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", {"precious.txt": "do not read"})
    reports = write_files(tmp_path / "reports", {"a": ""})
    (reports / "file").symlink_to(outside / "precious.txt")
    (reports / "folder").symlink_to(outside)
    (reports / "nothing").symlink_to("/no/such/place")
    found = read_folder(reports)
    assert set(found.files) == {"a"}
    assert [trouble.partition(" is ")[0] for trouble in found.troubles] == ["file", "folder", "nothing"]


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/hostname", "b", "sub/../a"])
def test_only_what_the_walk_found_is_opened(path: str, tmp_path: Path) -> None:
    write_files(tmp_path, {"outside.txt": "no", "reports/a": "yes", "reports/sub/b": ""})
    with pytest.raises(StorageTrouble, match="is missing"):
        read_folder(tmp_path / "reports").text(path)


def test_pipes_and_sockets_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = read_folder(tmp_path)
    assert (found.files, found.troubles) == ({}, ("pipe is neither a file nor a folder and was not opened.",))


def test_there_are_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "/".join("d" * 1 for _ in range(report_folder.MOST_DEPTH + 2))
    write_files(tmp_path, {"a": "1234", "b": "123456789", f"{deep}/x": ""})
    monkeypatch.setattr(report_folder, "LARGEST_FILE", 8)
    found = read_folder(tmp_path)
    assert set(found.files) == {"a"}
    assert "b is larger than" in found.troubles[0]
    assert "lies deeper than any file of a report" in found.troubles[1]
    monkeypatch.setattr(report_folder, "MOST_FILES", 0)
    assert "There is more in this folder than a report can hold" in read_folder(tmp_path).troubles[0]


def test_a_text_is_bounded_unchanged_and_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, {"large": "12345", "latin": b"caf\xe9", "changed": "before"})
    found = read_folder(tmp_path)
    (tmp_path / "changed").write_text("after", encoding="utf-8")
    for name, fault in (("latin", "byte 3 is not UTF-8"), ("changed", "was changed while it was read")):
        with pytest.raises(StorageTrouble, match=fault):
            found.text(name)
    monkeypatch.setattr(report_folder, "LARGEST_TEXT", 4)
    with pytest.raises(StorageTrouble, match="was not read"):
        found.text("large")


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no folder"):
        read_folder(tmp_path / "none")


def test_what_can_not_be_read_is_a_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, {"a": "", "sub/b": ""})

    def _denied(path: object, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.execution.report_folder.os.open", _denied)
        assert read_folder(tmp_path).troubles == (
            "a can't be read: Permission denied.",
            "sub/b can't be read: Permission denied.",
        )
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.execution.report_folder.os.scandir", _denied)
        assert read_folder(tmp_path).troubles == ("The folder can't be read: Permission denied.",)
