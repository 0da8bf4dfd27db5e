"""bandit's command line, and what its real, damaged and contradicting outputs are taken for."""

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
from pipeline.tools import bandit
from tests.support import PASSWORD, recorded, write_files

INSECURE = f'import subprocess\n\nDB_PASSWORD = "{PASSWORD}"\nx = "é"; subprocess.call(input(), shell=True)\n'


def parsed(case: str, tree: Path) -> bandit.Output:
    ended, more = recorded("bandit", case, tree)
    return bandit.parse(ended, more["written"], tree)


def test_the_command_names_each_file_and_replaces_the_default_excludes_by_none() -> None:
    argv = bandit.command("/env/bin/python", Path("/scratch/out.json"), ("a.py", "-b.py"))
    assert argv[argv.index("--exclude") + 1] == ""
    assert argv[-3:] == ("--", "a.py", "-b.py")
    assert argv[:6] == ("/env/bin/python", "-I", "-X", "utf8", "-m", "bandit")


def test_findings_keep_severity_and_confidence_apart(tmp_path: Path) -> None:
    write_files(tmp_path, {"pkg/insecure.py": INSECURE})
    output = parsed("findings", tmp_path)
    found = {f.rule: f for f in output.findings}
    assert set(found) == {"B404", "B105", "B602"}
    assert (found["B602"].severity, found["B602"].confidence) == (Severity.HIGH, Confidence.HIGH)
    assert (found["B105"].severity, found["B105"].confidence) == (Severity.LOW, Confidence.MEDIUM)
    assert found["B602"].cwe == (78,)
    assert found["B602"].path == "pkg/insecure.py"
    assert output.checked == {"pkg/insecure.py", "clean.py"}


def test_columns_count_characters_from_one(tmp_path: Path) -> None:
    write_files(tmp_path, {"pkg/insecure.py": INSECURE})
    finding = next(f for f in parsed("findings", tmp_path).findings if f.rule == "B602")
    assert INSECURE.splitlines()[3][finding.column - 1 :].startswith("subprocess.call")


def test_a_password_is_masked_in_message_snippet_and_kept_output(tmp_path: Path) -> None:
    write_files(tmp_path, {"pkg/insecure.py": INSECURE})
    finding = next(f for f in parsed("findings", tmp_path).findings if f.rule == "B105")
    assert finding.message == "Possible hardcoded password: '[secret]' (hardcoded_password_string)"
    assert finding.snippet == 'DB_PASSWORD = "[secret]"'
    _, more = recorded("bandit", "findings", tmp_path)
    assert PASSWORD in more["written"]
    assert PASSWORD not in bandit.masked(more["written"])


def test_an_empty_file_and_names_that_default_excludes_match_are_checked(tmp_path: Path) -> None:
    output = parsed("clean", tmp_path)
    names = frozenset({"clean.py", "empty.py", ".github/scripts/x.py", "-dash.py"})
    assert output == bandit.Output(checked=names, hidden=dict.fromkeys(names, 0))


def test_a_syntax_error_leaves_a_doubt_and_the_file_unchecked(tmp_path: Path) -> None:
    output = parsed("syntax", tmp_path)
    assert output.checked == {"clean.py"}
    assert output.doubts == ("bandit could not scan syntax.py (syntax error while parsing AST from file).",)


def test_a_missing_file_leaves_a_doubt(tmp_path: Path) -> None:
    output = parsed("missing", tmp_path)
    assert output.checked == {"clean.py"}
    assert "missing.py (No such file or directory)" in output.doubts[0]


@pytest.mark.parametrize("code", [2, 3, -9])
def test_any_other_exit_code_is_trouble(tmp_path: Path, code: int) -> None:
    ended, more = recorded("bandit", "clean", tmp_path)
    with pytest.raises(ToolTrouble, match=f"exit code {code}"):
        bandit.parse(replace(ended, exit_code=code), more["written"], tmp_path)


@pytest.mark.parametrize("written", ["", "{", "[]", "{}", "null", '{"results": [], "errors": [], "metrics": {}}'])
def test_output_that_is_not_whole_is_trouble(tmp_path: Path, written: str) -> None:
    with pytest.raises(ToolTrouble, match="not whole"):
        bandit.parse(outcome(0), written, tmp_path)


@pytest.mark.parametrize(("case", "code"), [("findings", 0), ("clean", 1)])
def test_an_exit_code_that_contradicts_the_output_is_trouble(tmp_path: Path, case: str, code: int) -> None:
    ended, more = recorded("bandit", case, tmp_path)
    with pytest.raises(ToolTrouble, match="contradicts"):
        bandit.parse(replace(ended, exit_code=code), more["written"], tmp_path)


def test_a_finding_that_was_counted_and_is_not_listed_is_trouble(tmp_path: Path) -> None:
    ended, more = recorded("bandit", "findings", tmp_path)
    document: dict[str, Any] = json.loads(more["written"])
    document["results"].pop()
    with pytest.raises(ToolTrouble, match="counts 3 findings and lists 2"):
        bandit.parse(ended, json.dumps(document), tmp_path)


@given(st.integers(min_value=0, max_value=200))
def test_output_cut_anywhere_is_trouble(cut: int) -> None:
    ended, more = recorded("bandit", "findings", Path("/tree"))
    text = more["written"].rstrip()
    with pytest.raises(ToolTrouble):
        bandit.parse(ended, text[: cut * (len(text) - 1) // 200], Path("/tree"))


def test_what_bandit_does_not_rate_is_unknown_and_an_absent_cwe_is_none(tmp_path: Path) -> None:
    ended, more = recorded("bandit", "findings", tmp_path)
    document: dict[str, Any] = json.loads(more["written"])
    for record in document["results"]:
        record.update(issue_severity="UNDEFINED", issue_confidence="UNDEFINED", issue_cwe={})
    findings = bandit.parse(ended, json.dumps(document), tmp_path).findings
    assert {(f.severity, f.confidence, f.cwe) for f in findings} == {(Severity.UNKNOWN, Confidence.UNKNOWN, ())}


def test_what_comments_hid_is_counted_by_file(tmp_path: Path) -> None:
    ended, extra = recorded("bandit", "clean", tmp_path)
    document = json.loads(extra["written"])
    document["metrics"]["./clean.py"] |= {"nosec": 1, "skipped_tests": 2}
    output = bandit.parse(ended, json.dumps(document), tmp_path)
    assert {name: count for name, count in output.hidden.items() if count} == {"clean.py": 3}


def test_many_files_are_cut_into_batches_that_fit_a_command_line() -> None:
    files = tuple(f"package/module_{number:05}é.py" for number in range(5000))
    groups = list(bandit.batches(files))
    assert tuple(name for group in groups for name in group) == files
    assert len(groups) > 1
    assert all(sum(len(name.encode()) + 1 for name in group) <= 100_000 for group in groups)


def test_a_name_longer_than_a_batch_is_a_batch_of_its_own() -> None:
    assert list(bandit.batches(("a" * 20, "b"), most_bytes=10)) == [("a" * 20,), ("b",)]
    assert not list(bandit.batches(()))


def test_outputs_of_batches_add_up(tmp_path: Path) -> None:
    both = parsed("clean", tmp_path) + parsed("syntax", tmp_path)
    assert "empty.py" in both.checked
    assert both.doubts
