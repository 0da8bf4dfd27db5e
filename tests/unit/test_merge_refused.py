"""``pipeline merge`` refuses what was changed, is damaged, or leads elsewhere, and leaves nothing of it behind."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.reporters import json_reading, json_report
from tests.parted import contents, parted


def change(path: Path, **values: Any) -> None:
    """Other values in a document, with the checksum that belongs to it where it has one."""
    document = {**json.loads(path.read_text(encoding="utf-8")), **values}
    text = json.dumps(document, indent=2) + "\n"
    if "checksum" in document:
        text = json.dumps({**document, "checksum": ""}, indent=2) + "\n"
        text = text.replace('"checksum": ""', f'"checksum": "{json_report.digest(text)}"')
        assert len(set(json_reading.checksum(text))) == 1
    path.write_text(text, encoding="utf-8")


def test_another_commit_is_refused(
    green: Path, tmp_path: Path, merge: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = parted(green, tmp_path, ["own"], ["test"])
    change(other / "pipeline.json", commit="d" * 40)
    assert merge(one, other) == 2
    assert "differ in their commit" in capsys.readouterr().err


def altered_raw(part: Path) -> None:
    """A raw output that its result does not know."""
    (part / "stages/own/raw/größe.txt").write_text("13\n", encoding="utf-8")


def missing_raw(part: Path) -> None:
    """A raw output that has gone."""
    (part / "stages/own/raw/größe.txt").unlink()


def altered_result(part: Path) -> None:
    """A result that the merged report does not know."""
    change(part / "stages/own/result.json", command="rm -rf /")


def altered_report(part: Path) -> None:
    """A merged report whose checksum is another one's."""
    path = part / "pipeline.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"actor"', '"actor" '), encoding="utf-8")


def damaged_report(part: Path) -> None:
    """Half of a merged report."""
    path = part / "pipeline.json"
    path.write_text(path.read_text(encoding="utf-8")[:500], encoding="utf-8")


def damaged_result(part: Path) -> None:
    """A result that is none, in a part that has nothing else."""
    (part / "pipeline.json").unlink()
    (part / "stages/own/result.json").write_text("{}", encoding="utf-8")


@pytest.mark.parametrize(
    "fault", [altered_raw, missing_raw, altered_result, altered_report, damaged_report, damaged_result]
)
def test_what_is_damaged_or_was_changed_is_refused(
    green: Path, tmp_path: Path, merge: Callable[..., int], fault: Callable[[Path], None]
) -> None:
    one, other = parted(green, tmp_path, ["own"], ["test"])
    fault(one)
    assert merge(one, other) == 3
    assert not (tmp_path / "out").exists()


def link_to_a_file(part: Path) -> None:
    """A raw output that is somebody else's file."""
    (part / "stages/own/raw/größe.txt").unlink()
    (part / "stages/own/raw/größe.txt").symlink_to("/etc/hostname")


def link_to_a_folder(part: Path) -> None:
    """A folder that is somewhere else."""
    shutil.move(part / "stages", part.parent / "elsewhere")
    (part / "stages").symlink_to(part.parent / "elsewhere")


def pipe(part: Path) -> None:
    """Something that has no end."""
    os.mkfifo(part / "stages/own/raw/pipe")


def path_outside(part: Path) -> None:
    """A result that names a file above the reports."""
    (part / "pipeline.json").unlink()
    path = part / "stages/own/result.json"
    named = json.loads(path.read_text(encoding="utf-8"))["artifacts"]
    change(path, artifacts=[{**named[0], "path": "stages/own/raw/../../../../secret"}])


def name_outside(part: Path) -> None:
    """A stage whose folder would lie above the reports."""
    document = json.loads((part / "pipeline.json").read_text(encoding="utf-8"))
    stages = [{**document["stages"][0], "name": "../../evil"}, *document["stages"][1:]]
    change(part / "pipeline.json", stages=stages)


def name_twice(part: Path) -> None:
    """A stage of which there are two."""
    document = json.loads((part / "pipeline.json").read_text(encoding="utf-8"))
    change(part / "pipeline.json", stages=[*document["stages"], document["stages"][0]])


def other_name(part: Path) -> None:
    """A result in the place of another stage's."""
    (part / "pipeline.json").unlink()
    change(part / "stages/own/result.json", name="test")


def nothing(part: Path) -> None:
    """A folder with no report in it."""
    shutil.rmtree(part / "stages")
    (part / "pipeline.json").unlink()


def no_folder(part: Path) -> None:
    """No folder at all."""
    shutil.rmtree(part)


@pytest.mark.parametrize(
    "fault",
    [
        link_to_a_file, link_to_a_folder, pipe, path_outside, name_outside, name_twice, other_name, nothing, no_folder,
    ],
)  # fmt: skip
def test_hostile_parts_are_refused_and_leave_nothing_behind(
    green: Path,
    tmp_path: Path,
    merge: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    fault: Callable[[Path], None],
) -> None:
    one, other = parted(green, tmp_path / "parts", ["own"], ["test"])
    fault(one)
    assert merge(one, other) == 2
    assert capsys.readouterr().err.startswith("pipeline: ")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("what", ["file", "folder"])
def test_nothing_is_replaced_where_there_is_something_else(
    green: Path, tmp_path: Path, merge: Callable[..., int], what: str
) -> None:
    if what == "file":
        (tmp_path / "out").write_text("mine", encoding="utf-8")
    else:
        (tmp_path / "out/stages").mkdir(parents=True)
        (tmp_path / "out/thesis.tex").write_text("mine", encoding="utf-8")
    assert merge(*parted(green, tmp_path, ["own"], ["test"])) == 2
    assert (tmp_path / "out").is_file() or (tmp_path / "out/thesis.tex").exists()


def test_a_full_disk_is_told_and_the_old_report_is_whole(
    green: Path, tmp_path: Path, merge: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = parted(green, tmp_path, ["own"], ["test"])
    assert merge(*parts) == 0
    before = contents(tmp_path / "out")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.execution.merged_folder._copy", full)
    assert merge(*parts) == 3
    assert contents(tmp_path / "out") == before
