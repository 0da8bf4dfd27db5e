"""A suite that pytest-xdist spreads takes its share of the cores, and no more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pipeline.core.ports import Request
from pipeline.execution.processes import LocalProcesses
from pipeline.tools import pytest as tool


@pytest.mark.parametrize("cores", [1, 3])
def test_a_suite_that_runs_with_n_auto_makes_as_many_processes_as_it_has_cores(tmp_path: Path, cores: int) -> None:
    """More than this machine may have: the share is what the schedule says, and nothing is counted anew."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "test_a.py").write_text("def test_a(): pass\ndef test_b(): pass\n", encoding="utf-8")
    record = tool.plant_witness(tmp_path / "witness")
    options = ("-c", os.devnull, "-n", "auto")
    argv = tool.command(sys.executable, (".",), rootdir=tree, markers="", junit=tmp_path / "junit.xml", options=options)
    shared = {**tool.environment(record), **tool.share(cores)}
    ended = LocalProcesses(os.environ).run(Request(argv=argv, cwd=tree, timeout_s=300, env=shared))
    assert f"created: {cores}/{cores} worker" in ended.stdout, ended.stdout + ended.stderr
    output = tool.parse(ended, record.read_text(encoding="utf-8"), tree)
    assert output.executed == {"test_a.py::test_a", "test_a.py::test_b"}
    assert not output.doubts
