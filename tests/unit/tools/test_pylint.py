"""pylint's command line, the witness's record, and what its real, damaged and contradicting outputs are taken for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.finding import Confidence, Severity
from pipeline.errors import ToolTrouble
from pipeline.testing import outcome
from pipeline.tools import pylint
from tests.support import recorded, write_files

FAULTY = '"""A module."""\n\nimport os\n\n\ndef größe() -> str:\n    """Doc."""\n    return "é" + absent_name\n'


def parsed(case: str, tree: Path) -> pylint.Output:
    ended, more = recorded("pylint", case, tree)
    return pylint.parse(ended, more["walked"], tree)


def with_message(tree: Path, **changes: Any) -> pylint.Output:
    ended, more = recorded("pylint", "findings", tree)
    document: dict[str, Any] = json.loads(ended.stdout)
    document["messages"][0].update(changes)
    return pylint.parse(replace(ended, stdout=json.dumps(document)), more["walked"], tree)


def test_the_command_loads_the_witness_and_shields_a_name_that_looks_like_an_option() -> None:
    argv = pylint.command("pylint", ("-a.py", "b.py"), Path("/libraries"), Path("/witness"))
    assert f"--load-plugins={pylint.WITNESS}" in argv
    assert argv[-3:] == ("--", "./-a.py", "b.py")
    hook = argv[argv.index("--init-hook") + 1]
    assert "sys.path.append('/libraries')" in hook


def test_findings_have_place_severity_and_confidence(tmp_path: Path) -> None:
    write_files(tmp_path, {"pkg/faulty.py": FAULTY})
    output = parsed("findings", tmp_path)
    found = {f.rule: f for f in output.findings}
    assert {rule: f.severity for rule, f in found.items()} == {
        "C2401": Severity.LOW,
        "E0602": Severity.HIGH,
        "W0611": Severity.MEDIUM,
    }
    assert (found["W0611"].place, found["W0611"].snippet) == ("pkg/faulty.py:3:1", "import os")
    assert found["C2401"].confidence is Confidence.HIGH
    assert output.checked == {"clean.py", "pkg/faulty.py"}
    assert not output.doubts


def test_columns_count_characters_from_one(tmp_path: Path) -> None:
    write_files(tmp_path, {"pkg/faulty.py": FAULTY})
    finding = next(f for f in parsed("findings", tmp_path).findings if f.rule == "E0602")
    assert FAULTY.splitlines()[7][finding.column - 1 :] == "absent_name"


def test_a_clean_output_has_pylints_own_score(tmp_path: Path) -> None:
    output = parsed("clean", tmp_path)
    assert output == pylint.Output(findings=(), checked=frozenset({"clean.py", "empty.py"}), score=10.0)


def test_a_syntax_error_is_a_finding_and_its_file_counts_as_checked(tmp_path: Path) -> None:
    output = parsed("syntax", tmp_path)
    assert [(f.rule, f.severity, f.path) for f in output.findings] == [("E0001", Severity.HIGH, "syntax.py")]
    assert output.checked == {"clean.py", "syntax.py"}


def test_a_file_that_tells_pylint_to_skip_it_is_not_checked(tmp_path: Path) -> None:
    output = parsed("skipped", tmp_path)
    assert output.checked == {"clean.py"}
    assert output.doubts == ("skipped.py tells pylint to skip it.",)
    assert output.score == 10.0


def test_a_plugin_that_can_not_be_loaded_is_a_doubt_and_no_finding(tmp_path: Path) -> None:
    output = parsed("plugin", tmp_path)
    assert not output.findings
    assert len(output.doubts) == 1
    assert "Plugin 'no_such_plugin' is impossible to load" in output.doubts[0]
    assert output.doubts[0].endswith("(E0013).")


@pytest.mark.parametrize("rule", ["F0001", "F0002"])
def test_a_fatal_message_is_a_doubt_without_the_machines_folders(tmp_path: Path, rule: str) -> None:
    output = with_message(tmp_path, messageId=rule, type="fatal", message=f"{tmp_path}/pkg/faulty.py:\n crash.")
    assert output.doubts == (f"pylint did not do all of its work: pkg/faulty.py: crash ({rule}).",)
    assert rule not in {f.rule for f in output.findings}


def test_an_unknown_name_in_a_comment_is_a_finding_about_that_file(tmp_path: Path) -> None:
    output = with_message(tmp_path, messageId="W0012", type="warning")
    assert not output.doubts
    assert "W0012" in {f.rule for f in output.findings}


@pytest.mark.parametrize("code", [32, 33, -15])
def test_a_usage_error_or_a_signal_is_trouble(tmp_path: Path, code: int) -> None:
    with pytest.raises(ToolTrouble, match=f"exit code {code}"):
        pylint.parse(outcome(code, "{}"), "", tmp_path)


@pytest.mark.parametrize(
    "stdout", ["", "{", "[]", '{"messages": []}', '{"messages": [{}], "statistics": {"score": 1}}']
)
def test_output_that_is_not_whole_is_trouble(tmp_path: Path, stdout: str) -> None:
    with pytest.raises(ToolTrouble, match="not whole"):
        pylint.parse(outcome(0, stdout), "", tmp_path)


def test_an_exit_code_that_contradicts_a_clean_output_is_trouble(tmp_path: Path) -> None:
    ended, more = recorded("pylint", "clean", tmp_path)
    with pytest.raises(ToolTrouble, match="contradicts"):
        pylint.parse(replace(ended, exit_code=16), more["walked"], tmp_path)


@given(st.integers(min_value=0, max_value=199))
def test_output_cut_anywhere_is_trouble(cut: int) -> None:
    ended, _ = recorded("pylint", "findings", Path("/tree"))
    text = ended.stdout.rstrip()
    with pytest.raises(ToolTrouble):
        pylint.parse(replace(ended, stdout=text[: cut * len(text) // 200]), "", Path("/tree"))


def test_the_witness_is_valid_python_and_names_the_variable() -> None:
    compile(pylint.WITNESS_SOURCE, "witness", "exec")
    assert pylint.RECORD_VARIABLE in pylint.WITNESS_SOURCE


@pytest.mark.parametrize(
    ("message", "useless"),
    [
        ("Useless suppression of 'invalid-name'", True),
        ("Useless suppression of 'unused-import'", True),
        ("Useless suppression of 'too-many-lines'", True),
        # These depend on what is installed, on the other files, or on how far pylint infers.
        ("Useless suppression of 'import-error'", False),
        ("Useless suppression of 'no-member'", False),
        ("Useless suppression of 'cyclic-import'", False),
        ("Useless suppression of 'assignment-from-no-return'", False),
        ("Useless suppression of 'deprecated-module'", False),
    ],
)
def test_a_comment_that_suppresses_nothing_is_told_where_pylint_can_know(
    tmp_path: Path, message: str, useless: bool
) -> None:
    output = with_message(tmp_path, messageId="I0021", type="info", message=message)
    assert [place.rpartition(":")[0] for place in output.unused] == (["pkg/faulty.py"] if useless else [])
    assert sum(finding.rule == "I0021" for finding in output.findings) == useless
