"""bandit's JSON taken apart by file and put together again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.tools import bandit
from pipeline.tools.bandit_files import Said, from_kept, kept_text, put_together, surroundings, taken_apart
from tests.support import recorded


@pytest.mark.parametrize("case", ["findings", "clean", "syntax"])
def test_what_was_taken_apart_and_kept_is_put_together_as_bandit_wrote_it(tmp_path: Path, case: str) -> None:
    ended, more = recorded("bandit", case, tmp_path)
    apart = taken_apart(more["written"], tmp_path)
    outcome, together = put_together(from_kept(kept_text(said)) for said in apart.values())
    assert json.loads(together) == json.loads(more["written"])
    assert outcome.exit_code == ended.exit_code
    assert bandit.parse(outcome, together, tmp_path) == bandit.parse(ended, more["written"], tmp_path)


def said(*rules: str, **changes: Any) -> Said:
    results = tuple({"test_id": rule, "filename": "./a.py"} for rule in rules)
    return Said(**{"metrics": {"./a.py": {"loc": 1}}, "results": results, **changes})


def test_what_repeats_a_password_and_what_was_not_walked_to_its_end_is_not_kept() -> None:
    assert said().keeps
    assert said("B602").keeps
    assert not said("B602", "B105").keeps
    assert not said(errors=({"filename": "./a.py", "reason": "syntax"},)).keeps
    assert not said(metrics={}).keeps


def test_nothing_at_all_is_an_output_that_lists_nothing(tmp_path: Path) -> None:
    outcome, together = put_together(())
    assert bandit.parse(outcome, together, tmp_path) == bandit.Output()


def test_which_folders_are_packages_belongs_to_a_file() -> None:
    paths = {"a/__init__.py", "a/b/c.py", "a/b/d/__init__.py", "__init__.py"}
    assert surroundings("a/b/c.py", paths) == ("a",)
    assert not surroundings("c.py", paths)
