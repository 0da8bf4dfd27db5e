"""What ``--fresh`` stands for, among the arguments of a session."""

from __future__ import annotations

from pathlib import Path

from pipeline.settings_cache import FRESH_VALUE, FRESH_VARIABLE, fresh_taken
from pipeline.settings_loading import load


def test_the_option_is_taken_out_of_the_arguments() -> None:
    assert fresh_taken(("--fresh", "--url", "x")) == (True, ("--url", "x"))
    assert fresh_taken(("--url", "x")) == (False, ("--url", "x"))


def test_it_stands_for_a_setting(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    assert load(tmp_path, {FRESH_VARIABLE: FRESH_VALUE}).cache.fresh == "always"
    assert load(tmp_path, {}).cache.fresh == "auto"
