"""What is kept of single files: found again, bounded, and not believed when it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.ports import Progress
from pipeline.execution.file_results import ShelvedResults
from pipeline.testing import SilentProgress


class Heard:
    """Remembers what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def update(self, text: str) -> None:
        self.lines.append(text)


def shelves(folder: Path, progress: Progress | None = None, most: int = 1000) -> ShelvedResults:
    return ShelvedResults(folder / "files", progress or SilentProgress(), most=most)


def test_what_is_kept_is_found_again_by_another_run(tmp_path: Path) -> None:
    shelves(tmp_path).write("bandit", {"a": '{"x": "ü\udcff"}'})
    shelves(tmp_path).write("bandit", {"b": "2"})
    assert shelves(tmp_path).read("bandit") == {"a": '{"x": "ü\udcff"}', "b": "2"}
    assert not shelves(tmp_path).read("pylint")


def test_there_is_a_most_and_what_was_used_last_stays(tmp_path: Path) -> None:
    for number in range(20):
        shelves(tmp_path, most=100).write("bandit", {f"{number:04}": "x" * 16})
    assert list(shelves(tmp_path).read("bandit")) == ["0019", "0018", "0017", "0016", "0015"]


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_bit_that_is_not_as_it_was_written_and_nothing_counts(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    shelves(folder).write("bandit", {"a": "1", "b": "2"})
    (file,) = (folder / "files").iterdir()
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 1 << bit
    file.write_bytes(content)
    heard = Heard()
    found = shelves(folder, heard)
    assert not found.read("bandit")
    assert not found.read("bandit")
    assert len(heard.lines) == 1
    assert "damaged" in heard.lines[0]


@pytest.mark.parametrize("length", [0, 3, 64, 70])
def test_a_file_that_was_cut_short_counts_for_nothing_and_is_replaced(tmp_path: Path, length: int) -> None:
    shelves(tmp_path).write("bandit", {"a": "1"})
    (file,) = (tmp_path / "files").iterdir()
    file.write_bytes(file.read_bytes()[:length])
    shelves(tmp_path).write("bandit", {"b": "2"})
    assert shelves(tmp_path).read("bandit") == {"b": "2"}


def test_a_run_that_is_fresh_reads_nothing_and_keeps_what_it_finds(tmp_path: Path) -> None:
    fresh = ShelvedResults(tmp_path, SilentProgress(), reads=False)
    fresh.write("bandit", {"a": "1"})
    assert not fresh.read("bandit")
    assert ShelvedResults(tmp_path, SilentProgress()).read("bandit") == {"a": "1"}


def test_a_run_that_may_not_write_leaves_nothing(tmp_path: Path) -> None:
    ShelvedResults(tmp_path / "files", SilentProgress(), writes=False).write("bandit", {"a": "1"})
    assert not (tmp_path / "files").exists()


def test_a_place_that_can_t_be_written_is_told_of_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("in the way", encoding="utf-8")
    heard = Heard()
    shelves(tmp_path, heard).write("bandit", {"a": "1"})
    assert "bandit" in heard.lines[-1]
