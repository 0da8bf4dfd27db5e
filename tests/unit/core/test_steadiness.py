"""Readings of a service's processes, and what grows between them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pipeline.core.steadiness import PROGRAM, Reading, growth_files, growth_mb, parse_reading


def test_the_program_sees_the_processes_of_this_machine() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", "-c", PROGRAM], check=False, capture_output=True, text=True)
    if done.returncode:
        # Somebody else's processes can't be looked into, and that is an error and no number.
        assert "PermissionError" in done.stderr
        return
    reading = parse_reading(done.stdout)
    assert reading.memory_kb > 1000
    assert reading.files > 3


def test_growth_is_what_there_is_more() -> None:
    before = Reading(memory_kb=2048, files=5, processes=(1,))
    after = Reading(memory_kb=4096, files=9, processes=(1,))
    assert growth_mb(before, after) == 2.0
    assert growth_files(before, after) == 4


@pytest.mark.parametrize(
    "output",
    [
        "", "Traceback (most recent call last)", "[]", '{"memory_kb": 1}',
        json.dumps({"memory_kb": 0, "files": 1, "processes": [1]}),
        json.dumps({"memory_kb": 5, "files": 1, "processes": []}),
    ],
)  # fmt: skip
def test_anything_else_is_no_reading(output: str) -> None:
    with pytest.raises(ValueError, match=r"no reading|no process"):
        parse_reading(output)
