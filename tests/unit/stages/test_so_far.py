"""How far a tool is, from a record that grows while it is read."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.stages.so_far import SoFar
from pipeline.tools.pytest import ended_test


def test_whole_lines_are_counted_as_they_come(tmp_path: Path) -> None:
    record = tmp_path / "walked.txt"
    so_far = SoFar(record, 3, "files")
    assert not so_far()
    record.write_text("", encoding="utf-8")
    assert not so_far()
    with record.open("a", encoding="utf-8") as file:
        file.write("a.py\nb.p")
        file.flush()
        assert so_far() == "1 of 3 files"
        file.write("y\n\na.py\n")
        file.flush()
        assert so_far() == "2 of 3 files"
        file.write("c.py\nd.py\n")
    # The tool knows of more than was expected, so "of 3" would be wrong.
    assert so_far() == "4 files"


def test_of_pytest_s_record_the_tests_that_have_ended_count_once_for_all_parameters(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    events = [
        {"event": "phase", "test": "t.py::a[1]", "when": "setup"},
        {"event": "phase", "test": "t.py::a[1]", "when": "teardown"},
        {"event": "phase", "test": "t.py::a[2]", "when": "teardown"},
        {"event": "phase", "test": "t.py::b", "when": "call"},
        {"event": "end", "exit": 0},
    ]
    record.write_text("".join(json.dumps(event) + "\n" for event in events) + "[]\n{}\nnot JSON\n7\n", encoding="utf-8")
    assert SoFar(record, 9, "test functions", ended_test)() == "1 of 9 test functions"
