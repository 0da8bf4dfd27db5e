"""A suite that pytest-xdist spreads takes its share of the cores, and no more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pipeline.core.ports import Request
from pipeline.execution.processes import LocalProcesses
from pipeline.tools import pytest as tool


def ran(tmp_path: Path, cores: int, *options: str) -> tuple[str, tool.Output]:
    """What pytest says of two tests, run as the stage runs them on so many cores, and what the witness does."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "test_a.py").write_text("def test_a(): pass\ndef test_b(): pass\n", encoding="utf-8")
    record = tool.plant_witness(tmp_path / "witness")
    options = ("-c", os.devnull, *options)
    argv = tool.command(sys.executable, (".",), rootdir=tree, markers="", junit=tmp_path / "junit.xml", options=options)
    shared = {**tool.environment(record), **tool.share(cores), "PYTEST_ADDOPTS": "--dist=worksteal"}
    ended = LocalProcesses(os.environ).run(Request(argv=argv, cwd=tree, timeout_s=300, env=shared))
    return ended.stdout + ended.stderr, tool.parse(ended, record.read_text(encoding="utf-8"), tree)


@pytest.mark.parametrize("cores", [1, 3])
def test_a_suite_that_runs_with_n_auto_makes_as_many_processes_as_it_has_cores(tmp_path: Path, cores: int) -> None:
    """More than this machine may have: the share is what the schedule says, and nothing is counted anew."""
    said, output = ran(tmp_path, cores, "-n", "auto")
    assert f"created: {cores}/{cores} worker" in said, said
    assert output.executed == {"test_a.py::test_a", "test_a.py::test_b"}
    assert not output.doubts


@pytest.mark.parametrize(("cores", "told"), [(1, ""), (3, "created: 3/3 workers")])
def test_tests_that_the_project_calls_parallel_run_in_a_process_a_core(tmp_path: Path, cores: int, told: str) -> None:
    said, output = ran(tmp_path, cores, *tool.processes(cores))
    assert told in said, said
    assert ("created:" in said) == (cores > 1), "for one core there is no process beside pytest's own"
    assert output.executed == {"test_a.py::test_a", "test_a.py::test_b"}
    assert not output.doubts
