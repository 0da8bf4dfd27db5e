"""Coverage is recomputed for exactly the files that count, from what the real coverage.py writes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.ports import Request
from pipeline.errors import ToolTrouble
from pipeline.execution.processes import LocalProcesses
from pipeline.tools import coverage, places

# In two parts, or the line would be one of ours that coverage leaves out.
LEFT_OUT = "pragma" + ": no cover"


def _summary(statements: int, covered: int, excluded: int = 0) -> dict[str, Any]:
    return {"summary": {"num_statements": statements, "covered_lines": covered, "excluded_lines": excluded}}


def test_a_real_report_counts_what_never_ran_and_tells_what_is_missing(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/used.py": f"def one():\n    return 1\n\ndef two():\n    return 2\n\nif 0:  # {LEFT_OUT}\n    x = 1\n",
        "pkg/unused.py": "a = 1\nb = 2\n",
        "pkg/tests/test_a.py": "from pkg.used import one\n\ndef test_one():\n    assert one() == 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    report = tmp_path / "coverage.json"
    options = coverage.options(("pkg",), report)
    argv = (
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        os.devnull,
        "--rootdir=.",
        "-p",
        "no:cacheprovider",
        *options,
        "pkg/tests",
    )
    env = {"COVERAGE_FILE": str(tmp_path / "data"), "PYTHONPATH": "."}
    ended = LocalProcesses(os.environ).run(Request(argv=argv, cwd=tmp_path, timeout_s=60, env=env))
    assert ended.exit_code == 0, ended.stdout
    counted = ("pkg/__init__.py", "pkg/used.py", "pkg/unused.py", "pkg/native.py")
    output = coverage.parse(report.read_text(encoding="utf-8"), counted)
    assert (output.statements, output.covered, output.missing) == (6, 3, ("pkg/native.py",))
    assert output.percent == 50.0
    assert output.excluded_lines == 2


def test_only_the_files_that_count_are_counted() -> None:
    text = json.dumps(
        {"files": {"a.py": _summary(10, 5), "tests\\t.py": _summary(100, 100), "b.py": _summary(0, 0, 3)}}
    )
    output = coverage.parse(text, ("a.py", "b.py"))
    assert (output.percent, output.statements, output.excluded_lines, output.missing) == (50.0, 10, 3, ())
    assert coverage.parse(text, ("tests/t.py",)).percent == 100.0


def test_nothing_counted_is_nothing_covered() -> None:
    output = coverage.parse('{"files": {}}', ("a.py",))
    assert (output.percent, output.missing) == (0.0, ("a.py",))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"files": []}', '{"files": {"a.py": {}}}', '{"files": {"a.py": {"summary": {}}}}'],
)
def test_a_report_that_is_not_whole_proves_nothing(text: str) -> None:
    with pytest.raises(ToolTrouble, match="coverage report is not whole"):
        coverage.parse(text, ("a.py",))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.py", "a/b.py"),
        ("./a/b.py", "a/b.py"),
        ("a/../b.py", "b.py"),
        ("../outside/x.py", "x.py"),
        ("/usr/lib/x.py", "x.py"),
        ("<unknown>", "<unknown>"),
    ],
)
def test_a_place_is_relative_to_the_tree(path: str, expected: str, tmp_path: Path) -> None:
    assert places.relative(path, tmp_path) == expected
    assert places.relative(str(tmp_path / "a" / "b.py"), tmp_path) == "a/b.py"


def test_a_place_behind_a_link_to_the_tree_is_known(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert places.relative(str(tmp_path / "real" / "a.py"), tmp_path / "link") == "a.py"


def test_a_source_line_is_shown_as_far_as_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"one\r\ntwo \xff\n" + b"x" * 500)
    assert [places.source_line(tmp_path, "a.py", line) for line in (1, 2, 3, 4, 0)] == [
        "one",
        "two \\xff",
        "x" * 200,
        "",
        "",
    ]
    assert places.source_line(tmp_path, "gone.py", 1) == places.source_line(tmp_path, "", 1) == ""
