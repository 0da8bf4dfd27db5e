"""How many cores there are to share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.execution.cores import usable_cores


@pytest.mark.parametrize("text", ["max 100000\n", "", "no numbers", "100000 0"])
def test_without_a_limit_all_that_the_scheduler_gives(tmp_path: Path, text: str) -> None:
    (tmp_path / "cpu.max").write_text(text, encoding="ascii")
    assert usable_cores(tmp_path / "cpu.max") == len(os.sched_getaffinity(0))
    assert usable_cores(tmp_path / "absent") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("text", "cores"), [("150000 100000", 2), ("50000 100000", 1), ("1000 100000", 1)])
def test_a_container_s_limit_counts(tmp_path: Path, text: str, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    (tmp_path / "cpu.max").write_text(text, encoding="ascii")
    assert usable_cores(tmp_path / "cpu.max") == cores
