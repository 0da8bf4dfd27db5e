"""A run that scans only what changed reports what a run over everything reports: the real bandit, edits by chance."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.file_results import FileResults, NothingKept
from pipeline.core.ports import Environments
from pipeline.core.stage import Examination
from pipeline.execution.file_results import ShelvedResults
from pipeline.settings import Scan, Settings
from pipeline.stages.scan import ScanStage
from pipeline.testing import SilentProgress
from tests.support import PASSWORD, make_context, real_processes, write_files

SOURCES = (
    '"""A module."""\n', "import pickle\n", "import subprocess\n\nsubprocess.call(input(), shell=True)\n",
    f"PASSWORD = {PASSWORD!r}\n", f"print({PASSWORD!r})\nassert True\n", "assert False  # nosec B101 - a sample\n",
    "def f(:\n", "import hashlib\n\nhashlib.md5()\n",
)  # fmt: skip
PLACES = ("a.py", "pkg/b.py", "pkg/c.py", "pkg/__init__.py", "pkg/deep/d.py", "größe.py")


def examined(folder: Path, tree: Path, environments: Environments, results: FileResults) -> tuple[Examination, Any]:
    context = make_context(
        folder, tree, Settings(scan=Scan(paths=(".",))), processes=real_processes(), environments=environments,
        file_results=results,
    )  # fmt: skip
    found = ScanStage().run(context)
    written = json.loads((context.raw / "bandit-1.json").read_text(encoding="utf-8"))
    del written["generated_at"]
    return found, written


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 12))])
def test_after_edits_by_chance_the_output_is_that_of_a_whole_run(
    tmp_path: Path, tool_environments: Environments, seed: int
) -> None:
    chance = random.Random(seed)
    results = ShelvedResults(tmp_path / "shelves", SilentProgress())
    tree = write_files(tmp_path / "tree", {place: chance.choice(SOURCES) for place in PLACES})
    reused = 0
    for number in range(4):
        place = tree / chance.choice(PLACES)
        place.unlink(missing_ok=True)
        if chance.random() < 0.8:
            place.write_text(chance.choice(SOURCES), encoding="utf-8")
        one, written = examined(tmp_path / f"reuse {number}", tree, tool_environments, results)
        other, whole = examined(tmp_path / f"whole {number}", tree, tool_environments, NothingKept())
        assert written == whole
        assert (one.findings, one.evidence, one.doubts) == (other.findings, other.evidence, other.doubts)
        reused += int(str(one.metrics["files_reused"]))
    assert reused
