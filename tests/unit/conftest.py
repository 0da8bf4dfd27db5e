"""What several of the unit tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import cli
from tests.finished_reports import GREEN, finished


@pytest.fixture(name="green", scope="module")
def green_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of a run that passed; no test may change them."""
    return finished(tmp_path_factory.mktemp("green") / "project", GREEN)


@pytest.fixture(name="merge")
def merge_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the command in an empty folder, into its folder ``out``."""
    monkeypatch.chdir(tmp_path)

    def merge(*arguments: str | Path) -> int:
        return cli.run_command(["merge", *map(str, arguments), "--output", "out"])

    return merge
