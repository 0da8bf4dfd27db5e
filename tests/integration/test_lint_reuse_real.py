"""A run that lints only what changed says what a run over everything says: the real pylint, after edits by chance."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.modules import modules, path_of
from pipeline.core.file_results import FileResults, NothingKept
from pipeline.core.ports import Environments
from pipeline.execution.file_results import ShelvedResults
from pipeline.settings import Lint, Settings
from pipeline.settings import Test as ProjectTests
from pipeline.stages.context import packaged_lock
from pipeline.stages.lint import linted
from pipeline.stages.lint_reuse import reuse
from pipeline.stages.project_locks import project_environment
from pipeline.stages.source_files import python_files
from pipeline.testing import SilentProgress
from tests.support import make_context, real_processes, write_files

COUNT = 24
COPIED = "".join(f"COPIED_{number} = {number} * {number}\n" for number in range(8))
SAID = tuple[Counter[str], Any, frozenset[str]]
Edit = Callable[[random.Random, Path, Path], None]


class Bench:
    """Lints a project, with what earlier runs left or from nothing."""

    def __init__(self, folder: Path, environments: Environments) -> None:
        self._folder = folder
        self._environments = environments
        self._runs = 0
        self.tree = folder / "tree"
        write_files(self.tree, {**modules(COUNT), "project.lock": packaged_lock("test").read_text(encoding="utf-8")})
        self.shelves = ShelvedResults(folder / "shelves", SilentProgress())

    def run(self, results: FileResults) -> tuple[SAID, int]:
        """What pylint says, and how many files it did not look at again."""
        self._runs += 1
        place = self._folder / f"run {self._runs}"
        settings = Settings(lint=Lint(paths=(".",)), test=ProjectTests(requirements=("project.lock",)))
        context = make_context(
            place, self.tree, settings, processes=real_processes(), environments=self._environments,
            file_results=results,
        )  # fmt: skip
        tools, project = context.environment("lint"), project_environment(context)
        files, _ = python_files(context.snapshot, (".",), (), self.tree)
        known = reuse(context, tools, project, files)
        output, fresh, caught = linted(context, tools, project.site_packages, files, known)
        assert caught
        known.keep(context, fresh)
        written = (context.raw / "pylint.json").read_text(encoding="utf-8")
        assert "planted" not in written
        document = json.loads(written)
        messages = Counter(json.dumps(message, sort_keys=True) for message in document["messages"])
        assert output.checked == set(files)
        return (messages, document["statistics"], output.checked), len(known.kept)

    def differs(self) -> tuple[SAID, SAID, int]:
        """What both ways say, and how many files were not linted again."""
        incremental, reused = self.run(self.shelves)
        return incremental, self.run(NothingKept())[0], reused


@pytest.fixture(name="bench")
def bench_fixture(tmp_path: Path, tool_environments: Environments) -> Bench:
    return Bench(tmp_path, tool_environments)


def comment(_: random.Random, path: Path, __: Path) -> None:
    path.write_text("# A comment.\n" + path.read_text(encoding="utf-8"), encoding="utf-8")


def unused(_: random.Random, path: Path, __: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "\nimport os\n", encoding="utf-8")


def loses_a_function(_: random.Random, path: Path, __: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace("def total_", "def sum_of_"), encoding="utf-8")


def gains_it_again(_: random.Random, path: Path, __: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace("def sum_of_", "def total_"), encoding="utf-8")


def imports_another(chance: random.Random, path: Path, root: Path) -> None:
    other = chance.randrange(COUNT)
    text = f"\n\nfrom app.part{other // 20:04} import module{other:05} as other_{other}\n"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    assert root.is_dir()


def copies(_: random.Random, path: Path, __: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + COPIED, encoding="utf-8")


def hushes(_: random.Random, path: Path, __: Path) -> None:
    text = "# pylint: disable=duplicate-code,unused-import\n" + path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")


def meddles(chance: random.Random, path: Path, _: Path) -> None:
    number = chance.randrange(20)
    text = f"\n\nfrom app.part0000 import module{number:05} as meddled\n\nmeddled.Record{number}.extra = 1\n"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def uses_what_another_added(chance: random.Random, path: Path, _: Path) -> None:
    number = chance.randrange(20)
    text = f"\n\nfrom app.part0000 import module{number:05} as used\n\nprint(used.Record{number}.extra)\n"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def through_a_package(chance: random.Random, path: Path, _: Path) -> None:
    number = chance.randrange(20)
    text = f"\n\nimport app.part0000\n\nprint(app.part0000.module{number:05}.total_{number}([]))\n"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def appears(chance: random.Random, _: Path, root: Path) -> None:
    (root / f"app/new{chance.randrange(3)}.py").write_text('"""New."""\n' + COPIED, encoding="utf-8")


def goes(_: random.Random, path: Path, __: Path) -> None:
    path.unlink()


EDITS: tuple[Edit, ...] = (
    comment, unused, loses_a_function, gains_it_again, imports_another, copies, hushes, meddles,
    uses_what_another_added, through_a_package, appears, goes,
)  # fmt: skip


def edited(bench: Bench, chance: random.Random, edits: tuple[Edit, ...]) -> str:
    """Make an edit; which one it was."""
    present = [path for number in range(COUNT) if (path := bench.tree / path_of(number)).exists()]
    edit, path = chance.choice(edits), chance.choice(present)
    edit(chance, path, bench.tree)
    return f"{edit.__name__} {path.name}"


def test_a_comment_has_one_file_linted_again_and_all_is_said_as_before(bench: Bench) -> None:
    bench.run(bench.shelves)
    copies(random.Random(1), bench.tree / path_of(3), bench.tree)
    copies(random.Random(1), bench.tree / path_of(9), bench.tree)
    imports_another(random.Random(1), bench.tree / path_of(2), bench.tree)
    one, other, _ = bench.differs()
    assert one == other
    assert {json.loads(message)["messageId"] for message in one[0]} >= {"R0801", "R0401", "W0611"}
    comment(random.Random(1), bench.tree / path_of(9), bench.tree)
    one, other, reused = bench.differs()
    assert one == other
    assert reused == len(one[2]) - 1


def test_several_processes_that_the_project_asks_for_change_nothing(bench: Bench) -> None:
    """Each of them would add what is kept of the other files to the score."""
    write_files(bench.tree, {"pyproject.toml": "[tool.pylint.main]\njobs = 3\n"})
    bench.run(bench.shelves)
    comment(random.Random(1), bench.tree / path_of(3), bench.tree)
    one, other, reused = bench.differs()
    assert one == other
    assert reused == len(one[2]) - 1


def test_what_is_gone_from_a_module_is_missed_in_those_that_used_it(bench: Bench) -> None:
    bench.run(bench.shelves)
    loses_a_function(random.Random(1), bench.tree / path_of(18), bench.tree)
    one, other, reused = bench.differs()
    assert one == other
    missed = [said for text in one[0] if (said := json.loads(text))["messageId"] == "E1101"]
    assert {said["path"] for said in missed} == {path_of(19)}
    assert reused


@pytest.mark.full
@pytest.mark.parametrize("seed", range(12))
def test_after_edits_by_chance_the_score_and_every_message_are_those_of_a_whole_run(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    bench.run(bench.shelves)
    story = []
    for _ in range(12):
        story += [edited(bench, chance, EDITS) for _ in range(chance.randint(1, 2))]
        one, other, reused = bench.differs()
        story.append(f"({reused} reused)")
        assert one[0] - other[0] == other[0] - one[0] == Counter(), story
        assert one == other, story
