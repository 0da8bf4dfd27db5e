"""ruff's command line, and what its real, damaged and contradicting outputs are taken for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.finding import Severity
from pipeline.errors import ToolTrouble
from pipeline.testing import outcome
from pipeline.tools import ruff
from tests.support import recorded, write_files


def parsed(case: str, tree: Path) -> ruff.Output:
    ended, _ = recorded("ruff", case, tree)
    return ruff.parse(ended, tree)


def test_the_command_adds_our_rules_and_keeps_names_behind_a_double_dash() -> None:
    argv = ruff.command("ruff", 7, ("-a.py", "b.py"))
    assert argv[-3:] == ("--", "-a.py", "b.py")
    assert "--extend-select=E,F,W,C90,RUF100" in argv
    assert "lint.mccabe.max-complexity=7" in argv


def test_the_control_is_judged_with_the_settings_of_a_real_place() -> None:
    assert ruff.control_command("ruff", 10, "pkg/a.py")[-2:] == ("--stdin-filename=pkg/a.py", "-")


def test_findings_have_place_severity_and_fix(tmp_path: Path) -> None:
    write_files(tmp_path, {"pkg/faulty.py": '"""A module."""\n\nimport os\n'})
    output = parsed("findings", tmp_path)
    found = {f.rule: f for f in output.findings}
    assert found["F821"].severity is Severity.HIGH
    assert found["F401"].severity is Severity.MEDIUM
    assert (found["F401"].place, found["F401"].snippet) == ("pkg/faulty.py:3:8", "import os")
    assert found["F401"].fix == "Remove unused import: `os`"
    assert output.checked == {"clean.py", "pkg/faulty.py"}


def test_clean_files_are_checked_and_a_file_of_no_bytes_is_one(tmp_path: Path) -> None:
    assert parsed("clean", tmp_path) == ruff.Output(findings=(), checked=frozenset({"clean.py", "empty.py"}))


def test_a_syntax_error_is_a_finding_of_high_severity(tmp_path: Path) -> None:
    finding = parsed("syntax", tmp_path).findings[0]
    assert (finding.rule, finding.severity, finding.path) == ("invalid-syntax", Severity.HIGH, "syntax.py")


@pytest.mark.parametrize("code", [2, 101, -6])
def test_any_other_exit_code_is_trouble(tmp_path: Path, code: int) -> None:
    with pytest.raises(ToolTrouble, match=f"exit code {code}"):
        ruff.parse(outcome(code, "[]", "panicked"), tmp_path)


@pytest.mark.parametrize("stdout", ["", "[", "{}x", '[{"code": "F401"}]', "[1]"])
def test_output_that_is_not_whole_is_trouble(tmp_path: Path, stdout: str) -> None:
    with pytest.raises(ToolTrouble, match="not whole"):
        ruff.parse(outcome(1, stdout), tmp_path)


@pytest.mark.parametrize(("case", "code"), [("findings", 0), ("clean", 1)])
def test_an_exit_code_that_contradicts_the_output_is_trouble(tmp_path: Path, case: str, code: int) -> None:
    ended, _ = recorded("ruff", case, tmp_path)
    with pytest.raises(ToolTrouble, match="contradicts"):
        ruff.parse(replace(ended, exit_code=code), tmp_path)


@given(st.integers(min_value=0, max_value=199))
def test_output_cut_anywhere_is_trouble(cut: int) -> None:
    ended, _ = recorded("ruff", "findings", Path("/tree"))
    text = ended.stdout.rstrip()
    with pytest.raises(ToolTrouble):
        ruff.parse(replace(ended, stdout=text[: cut * len(text) // 200]), Path("/tree"))


@pytest.mark.parametrize(
    ("message", "useless"),
    [
        ("Unused `noqa` directive (unused: `E501`)", True),
        ("Unused `noqa` directive (unused: `E501`; non-enabled: `S101`)", True),
        ("Unused `noqa` directive (non-enabled: `S101`)", False),
        ("Unused `noqa` directive (unknown: `ZZZ999`)", False),
        ("Unused blanket `noqa` directive", True),
        ("Unused suppression (unused: `F841`)", True),
    ],
)
def test_a_comment_that_suppresses_nothing_is_told_where_ruff_can_know(
    tmp_path: Path, message: str, useless: bool
) -> None:
    record = {"code": "RUF100", "filename": str(tmp_path / "a.py"), "location": {"row": 3, "column": 1}, "fix": None}
    output = ruff.parse(outcome(1, json.dumps([{**record, "message": message}])), tmp_path)
    assert output.unused == (("a.py:3",) if useless else ())
    assert [f.severity for f in output.findings] == [Severity.LOW]
