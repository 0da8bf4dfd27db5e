"""Random changes of a finished report: of bytes, of values, of files, of whole results; and whether they are told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from pipeline.core.history import FILE
from pipeline.core.verification import is_contradicted
from pipeline.errors import ConfigurationError
from pipeline.execution.report_folder import read_folder
from pipeline.verification import BESIDE, verify

STATUSES = ("pass", "fail", "inconclusive", "not-run")


class Mutable:
    """A finished report that is changed and put right again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    @property
    def files(self) -> list[Path]:
        """What can be changed. The history is in no digest, since every run adds to it; only its plots tell."""
        return [path for path in self._kept if path.name != FILE]

    def some(self, chance: Random, name: str = "*") -> Path:
        """One of the files of that name."""
        return chance.choice([path for path in self.files if path.match(name)])

    def restore(self) -> None:
        """Every file as it was, and no other."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path in kept.parents for kept in self._kept):
                    shutil.rmtree(path)
            elif path not in self._kept or path.is_symlink():
                path.unlink()
        for path, content in self._kept.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_bytes() != content:
                path.write_bytes(content)

    def is_changed(self) -> bool:
        """Whether anything is other than it was."""
        found = {path for path in self.folder.rglob("*") if path.is_symlink() or not path.is_dir()}
        return found != set(self._kept) or any(
            path.is_symlink() or path.read_bytes() != content for path, content in self._kept.items()
        )

    def is_caught(self) -> bool:
        """Whether ``verify`` tells that this is not the report that was written."""
        try:
            return is_contradicted(verify(read_folder(self.folder, BESIDE), datetime.now(UTC).date()).statements)
        except ConfigurationError:
            return True


def one_byte(report: Mutable, chance: Random) -> None:
    """One bit of one byte turned."""
    path = report.some(chance)
    content = bytearray(path.read_bytes())
    if content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)


def a_byte_more(report: Mutable, chance: Random) -> None:
    """A byte put in somewhere."""
    path = report.some(chance)
    content = path.read_bytes()
    at = chance.randrange(len(content) + 1)
    path.write_bytes(content[:at] + chance.choice((b" ", b"\n", b"0", b"\0", b"\xff")) + content[at:])


def truncated(report: Mutable, chance: Random) -> None:
    """A file cut off somewhere."""
    path = report.some(chance)
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content) + 1)])


def a_line_twice(report: Mutable, chance: Random) -> None:
    """A line repeated."""
    path = report.some(chance)
    lines = path.read_bytes().splitlines(keepends=True) or [b"\n"]
    at = chance.randrange(len(lines))
    path.write_bytes(b"".join([*lines[: at + 1], *lines[at:]]))


def a_status_flipped(report: Mutable, chance: Random) -> None:
    """Another status in a stage's own result."""
    path = report.some(chance, "result.json")
    document = _read(path)
    document["status"] = chance.choice([status for status in STATUSES if status != document["status"]])
    _write(path, document)


def a_merged_status_flipped(report: Mutable, chance: Random) -> None:
    """Another status of a stage in the merged report."""
    path = report.some(chance, "pipeline.json")
    document = _read(path)
    stage = chance.choice(document["stages"])
    stage["status"] = chance.choice([status for status in STATUSES if status != stage["status"]])
    _write(path, document)


def the_verdict_flipped(report: Mutable, chance: Random) -> None:
    """Another verdict."""
    path = report.some(chance, "pipeline.json")
    document = _read(path)
    document["verdict"] = chance.choice([status for status in STATUSES if status != document["verdict"]])
    _write(path, document)


def a_value_changed(report: Mutable, chance: Random) -> None:
    """Another value anywhere in a document."""
    path = report.some(chance, chance.choice(("pipeline.json", "result.json")))
    document = _read(path)
    places = list(_places(document))
    holder, name = chance.choice(places)
    values: tuple[Any, ...] = (0, 1, -3, True, None, "", "x", [], {})
    holder[name] = chance.choice([value for value in values if value != holder[name]])
    _write(path, document)


def white_space_changed(report: Mutable, chance: Random) -> None:
    """The same document, written in another way."""
    path = report.some(chance, "*.json")
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=chance.choice((None, 1, 3, 4))))


def keys_in_another_order(report: Mutable, chance: Random) -> None:
    """The same document, its names in another order."""
    path = report.some(chance, chance.choice(("pipeline.json", "result.json")))
    document = _read(path)
    names = list(document)
    chance.shuffle(names)
    _write(path, {name: document[name] for name in names})


def a_stage_removed(report: Mutable, chance: Random) -> None:
    """The merged report without one of its stages."""
    path = report.some(chance, "pipeline.json")
    document = _read(path)
    document["stages"].pop(chance.randrange(len(document["stages"])))
    _write(path, document)


def a_stage_folder_removed(report: Mutable, chance: Random) -> None:
    """All files of a stage gone."""
    shutil.rmtree(report.some(chance, "result.json").parent)


def a_file_removed(report: Mutable, chance: Random) -> None:
    """A file gone."""
    report.some(chance).unlink()


def a_file_added(report: Mutable, chance: Random) -> None:
    """A file that nobody wrote."""
    folder = report.some(chance).parent
    path = folder / chance.choice(("extra.json", ".hidden", "raw.txt", "new/deep.txt", "result.json.bak"))
    path.parent.mkdir(exist_ok=True)
    path.write_text(chance.choice(("", "{}", "x\n")), encoding="utf-8")


def a_file_renamed(report: Mutable, chance: Random) -> None:
    """A file under another name."""
    path = report.some(chance)
    path.rename(path.with_name(f"{path.name}~"))


def a_file_made_a_link(report: Mutable, chance: Random) -> None:
    """A file moved, and a link to it in its place."""
    path = report.some(chance)
    target = path.with_name(f"{path.name}.target")
    path.rename(target)
    path.symlink_to(target)


def two_files_swapped(report: Mutable, chance: Random) -> None:
    """The contents of two files exchanged, often those of two results."""
    kind = chance.choice(("result.json", "*"))
    first, second = report.some(chance, kind), report.some(chance, kind)
    contents = first.read_bytes(), second.read_bytes()
    second.write_bytes(contents[0])
    first.write_bytes(contents[1])


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _write(path: Path, document: dict[str, Any]) -> None:
    """As the pipeline writes it, so that nothing but the value differs."""
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document that holds a value."""
    names = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for name in names:
        yield value, name
        yield from _places(value[name])


MUTATIONS: tuple[Callable[[Mutable, Random], None], ...] = (
    one_byte, one_byte, one_byte, a_byte_more, truncated, a_line_twice, a_status_flipped, a_merged_status_flipped,
    the_verdict_flipped, a_value_changed, a_value_changed, a_value_changed, white_space_changed, keys_in_another_order,
    a_stage_removed, a_stage_folder_removed, a_file_removed, a_file_added, a_file_renamed, a_file_made_a_link,
    two_files_swapped,
)  # fmt: skip


def caught(reports: tuple[Mutable, ...], seeds: range) -> tuple[int, list[str]]:
    """How many changes there were, one for each seed, and which of them nobody told."""
    changed, missed = 0, []
    for seed in seeds:
        chance = Random(seed)
        report, mutate = chance.choice(reports), chance.choice(MUTATIONS)
        try:
            mutate(report, chance)
            if report.is_changed():
                changed += 1
                if not report.is_caught():
                    missed.append(f"{mutate.__name__} with seed {seed}")
        finally:
            report.restore()
    return changed, missed
