"""What the driver's real, damaged and incomplete outputs are taken for; and that no value leaves."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.finding import Confidence, Severity
from pipeline.errors import ToolTrouble
from pipeline.testing import outcome
from pipeline.tools import secret_scanner
from pipeline.tools import secret_scanner_driver as driver
from tests.support import ALLOW, KEY_ID, PASSWORD, recorded

TREE = Path("/tree")


def parsed(case: str) -> secret_scanner.Output:
    return secret_scanner.parse(recorded("secrets", case, TREE)[0])


def test_the_driver_is_run_apart_from_the_tree_and_from_this_package() -> None:
    argv = secret_scanner.command("/env/bin/python")
    assert argv[:4] == ("/env/bin/python", "-I", "-X", "utf8")
    assert Path(argv[4]).is_file()
    assert "pipeline" not in re.findall(r"^(?:from|import) (\w+)", Path(argv[4]).read_text(encoding="utf-8"), re.M)
    assert secret_scanner.SCHEMA == driver.SCHEMA


def test_findings_have_place_rule_and_advice_and_no_value() -> None:
    output = parsed("findings")
    found = {(f.path, f.line, f.rule) for f in output.findings}
    assert {
        (".env", 1, "secret-keyword"),
        (".env", 2, "aws-access-key"),
        ("data.bin", 0, "aws-access-key"),
        ("settings.py", 1, "secret-keyword"),
    } <= found
    assert {f.severity for f in output.findings} == {Severity.HIGH}
    assert {f.cwe for f in output.findings} == {(798,)}
    by_rule = {f.rule: f for f in output.findings}
    assert by_rule["aws-access-key"].confidence is Confidence.HIGH
    assert by_rule["secret-keyword"].confidence is Confidence.MEDIUM
    assert next(f for f in output.findings if f.path == "settings.py").snippet == 'DB_PASSWORD = "[secret]"'
    assert {PASSWORD, KEY_ID} <= set(output.values)
    for shown in (repr(output), output.kept, *(str(f) for f in output.findings)):
        assert PASSWORD not in shown
        assert KEY_ID not in shown


def test_a_short_value_is_masked_also_where_its_letters_stand_earlier_on_the_line() -> None:
    ended, _ = recorded("secrets", "clean", TREE)
    found = {"type": "Basic Auth", "kind": "BasicAuthDetector", "value": "ht", "whole": "http", "renamed": False}
    text = f"http://user:{found['value']}@host"
    place = {"path": "a", "line": 1, "text": text, "body": [], "name": "", "quoted": False}
    document = {**json.loads(ended.stdout), "candidates": [{**place, **found}]}
    (finding,) = secret_scanner.parse(replace(ended, stdout=json.dumps(document))).findings
    assert finding.snippet == "[secret]://user:[secret]@host"


def test_an_allow_listed_line_is_a_suppression_and_a_binary_file_is_said_to_be_one() -> None:
    output = parsed("findings")
    assert [(s.kind, s.path, s.line, s.text) for s in output.allowed] == [
        ("allowlist", "allowed.py", 1, f"{ALLOW} - a sample")
    ]
    assert [n.what for n in output.not_checked] == ["data.bin"]
    assert "data.bin" in output.checked


def test_hashes_of_a_lock_are_no_findings_and_an_empty_file_is_checked() -> None:
    output = parsed("clean")
    assert not output.findings
    assert output.checked == {"app.py", "empty.txt", "lock.txt"}
    assert output.detectors > 25


def test_a_file_that_could_not_be_read_is_a_doubt() -> None:
    output = parsed("unreadable")
    assert output.checked == {"app.py"}
    assert output.doubts == ("The secret scanner could not read gone.txt (No such file or directory).",)


def test_a_failed_driver_is_trouble_and_what_it_printed_is_not_repeated() -> None:
    with pytest.raises(ToolTrouble) as caught:
        secret_scanner.parse(outcome(1, stdout=PASSWORD, stderr="Traceback\nImportError: nothing\n"))
    assert "ImportError" in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "stdout", ["", "{", "[]", "null", '{"schema": "other"}', '{"schema": "pipeline.secret-scan/v1", "complete": true}']
)
def test_output_that_is_not_whole_is_trouble(stdout: str) -> None:
    with pytest.raises(ToolTrouble, match="not whole") as caught:
        secret_scanner.parse(outcome(0, stdout))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("change", [{"complete": False}, {"detectors": []}, {"files": [{}]}, {"candidates": [{}]}])
def test_output_that_lacks_something_is_trouble(change: dict[str, Any]) -> None:
    ended, _ = recorded("secrets", "clean", TREE)
    document = {**json.loads(ended.stdout), **change}
    with pytest.raises(ToolTrouble, match="not whole"):
        secret_scanner.parse(replace(ended, stdout=json.dumps(document)))


@given(st.integers(min_value=0, max_value=199))
def test_output_cut_anywhere_is_trouble(cut: int) -> None:
    ended, _ = recorded("secrets", "findings", TREE)
    with pytest.raises(ToolTrouble):
        secret_scanner.parse(replace(ended, stdout=ended.stdout[: cut * len(ended.stdout) // 200]))


# --- masking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ('  x = "abcd"', ["abcd"], 'x = "[secret]"'),
        ("abcd and abcd", ["abcd"], "[secret] and [secret]"),
        ("abcdef", ["abcd", "cdef"], "[secret]"),
        ("x abcd y", ["abcd", "bc"], "x [secret] y"),
        ("nothing of it", ["abcd"], "[secret]"),
        ("", ["abcd"], "[secret]"),
        ("K = '-----BEGIN " + "PRIVATE KEY-----\\nMIIE'", ["BEGIN " + "PRIVATE KEY"], "K = '-----[secret]"),
    ],
)
def test_a_snippet_shows_the_line_without_the_values(text: str, secrets: list[str], shown: str) -> None:
    assert secret_scanner.masked(text, secrets) == shown


@given(
    st.text(alphabet="ab= \"'", max_size=30),
    st.text(alphabet="cd", min_size=1, max_size=6),
    st.text(alphabet="ab cd", max_size=30),
)
def test_no_value_stays_in_a_snippet(before: str, secret: str, after: str) -> None:
    assert secret not in secret_scanner.masked(before + secret + after, [secret]).replace("[secret]", "|")
