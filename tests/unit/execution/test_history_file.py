"""The history on disk: two runs at once lose no line, and whatever lies in its place is a note and no failure."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.history import FILE, MOST_BYTES, MOST_ENTRIES, HistoryEntry, text_of
from pipeline.core.stage import Status
from pipeline.execution.history_file import HistoryFile

ENTRY = HistoryEntry(
    run="run-0",
    started="2026-01-01T00:00:00.000Z",
    finished="2026-01-01T00:00:09.000Z",
    commit="c",
    branch="main",
    dirty=False,
    snapshot="s",
    policy="p",
    verdict=Status.PASS,
)
WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from tests.unit.execution.test_history_file import ENTRY
from pipeline.execution.history_file import HistoryFile

file = HistoryFile(Path(sys.argv[1]))
for number in range(25):
    assert not file.add(replace(ENTRY, run=f"{sys.argv[2]}-{number}"))
"""


def runs(folder: Path) -> list[str]:
    return [entry.run for entry in HistoryFile(folder).read()[0]]


def test_a_run_is_added_and_its_later_state_takes_its_place(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path)
    assert file.read() == ((), ())
    assert file.add(replace(ENTRY, verdict=Status.NOT_RUN)) == ()
    assert file.add(ENTRY) == ()
    assert file.read() == ((ENTRY,), ())
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_two_runs_at_once_lose_no_line(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]

    def write(name: str) -> None:
        command = [sys.executable, "-c", WRITER, str(tmp_path), name]
        subprocess.run(command, cwd=root, env={"PYTHONPATH": str(root)}, check=True, timeout=60)

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(write, ("one", "two"))) == [None, None]
    assert sorted(runs(tmp_path)) == sorted(f"{name}-{number}" for name in ("one", "two") for number in range(25))


def test_a_damaged_line_is_told_and_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{half\n" + text_of([ENTRY]), encoding="utf-8")
    file = HistoryFile(tmp_path)
    (note,) = file.add(replace(ENTRY, run="run-1", started="2026-01-02T00:00:00.000Z"))
    assert note.startswith("Line 1 of history.jsonl is damaged")
    assert file.read()[1] == ()
    assert runs(tmp_path) == ["run-0", "run-1"]


def test_bytes_that_are_no_text_damage_their_line_alone(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe\x00\n" + text_of([ENTRY]).encode())
    entries, notes = HistoryFile(tmp_path).read()
    assert entries == (ENTRY,)
    assert len(notes) == 1


def test_of_a_file_that_is_too_long_the_end_is_read(tmp_path: Path) -> None:
    with (tmp_path / FILE).open("w", encoding="utf-8") as file:
        file.write("x" * (3 * MOST_BYTES) + "\n" + text_of([ENTRY]))
    entries, notes = HistoryFile(tmp_path).read()
    assert entries == (ENTRY,)
    assert notes == ("history.jsonl is longer than it may be, and only its end was read.",)


def test_the_number_of_lines_is_bounded(tmp_path: Path) -> None:
    many = [replace(ENTRY, run=f"run-{number}") for number in range(MOST_ENTRIES + 3)]
    HistoryFile(tmp_path).add(*many)
    assert len((tmp_path / FILE).read_text(encoding="utf-8").splitlines()) == MOST_ENTRIES


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_what_is_no_file_is_a_note_and_is_not_followed(tmp_path: Path, what: str) -> None:
    reports, path = tmp_path / "reports", tmp_path / "reports" / FILE
    reports.mkdir()
    (tmp_path / "elsewhere").write_text(text_of([ENTRY]), encoding="utf-8")
    if what == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    entries, notes = HistoryFile(reports).read()
    assert not entries
    assert len(notes) == 1
    told = HistoryFile(reports).add(replace(ENTRY, run="run-1"))
    assert told
    assert (tmp_path / "elsewhere").read_text(encoding="utf-8") == text_of([ENTRY])
    if what != "folder":
        assert runs(reports) == ["run-1"]


def test_a_folder_that_is_not_there_is_a_note(tmp_path: Path) -> None:
    assert HistoryFile(tmp_path / "none").read() == ((), ())
    (note,) = HistoryFile(tmp_path / "none").add(ENTRY)
    assert note == "The run could not be added to history.jsonl: No such file or directory."


def test_a_secret_that_is_known_today_is_masked_in_earlier_branches_too(tmp_path: Path) -> None:
    HistoryFile(tmp_path).add(replace(ENTRY, branch="fix-hunter22"))
    masked = HistoryFile(tmp_path, lambda text: text.replace("hunter22", "[secret]"))
    assert masked.read()[0][0].branch == "fix-[secret]"
    masked.add(replace(ENTRY, run="run-1"))
    assert "hunter22" not in (tmp_path / FILE).read_text(encoding="utf-8")
