"""The secret scanner: its driver's reading of files, what is no secret, and that no value leaves."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import io
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.finding import Confidence, Severity
from pipeline.errors import ToolTrouble
from pipeline.testing import outcome
from pipeline.tools import secret_scanner
from pipeline.tools import secret_scanner_driver as driver
from pipeline.tools.secret_scanner_filters import Candidate, harmless
from tests.support import ALLOW, ALLOW_NEXT, KEY_ID, PASSWORD, recorded

TREE = Path("/tree")
DIGEST = hashlib.sha256(b"").hexdigest()[:32]


@dataclass
class KeyDetector:
    """Takes ``KEY`` and its digits for a secret, and returns a part of it only, as some real ones do."""

    secret_type: str = "Key"

    def analyze_line(self, *, filename: str, line: str, line_number: int) -> list[driver.Match]:
        del filename, line_number
        return [driver.Match(value) for value in re.findall(r"KEY(?=\d+)", line)]


@dataclass
class KeywordDetector:
    """Stops at the first ``password`` or ``secret`` that is given a quoted value, as the real one does."""

    secret_type: str = "Secret Keyword"

    def analyze_line(self, *, filename: str, line: str, line_number: int) -> Iterator[driver.Match]:
        del filename, line_number
        match = re.search(r"(?:password|secret)\w*[\"']?\s*(?:[:=]|==)\s*[\"']([^\"']+)[\"']", line, re.I)
        if match:
            yield driver.Match(match[1])


@dataclass
class PrivateKeyDetector:
    """Sees a private key's header."""

    secret_type: str = "Private Key"

    def analyze_line(self, *, filename: str, line: str, line_number: int) -> list[driver.Match]:
        del filename, line_number
        return [driver.Match("BEGIN " + "PRIVATE KEY")] if "BEGIN " + "PRIVATE KEY" in line else []


@dataclass
class HexHighEntropyString:
    """Takes every quoted string for one of high entropy."""

    secret_type: str = "Hex High Entropy String"

    def analyze_line(self, *, filename: str, line: str, line_number: int) -> list[driver.Match]:
        del filename, line_number
        return [driver.Match(value) for value in re.findall(r"\"([0-9a-f]+)\"", line)]


def detectors() -> list[driver.Detector]:
    return [KeyDetector(), KeywordDetector(), PrivateKeyDetector(), HexHighEntropyString()]


def values(name: str, content: str | bytes) -> list[str]:
    raw = content.encode() if isinstance(content, str) else content
    return list(dict.fromkeys(c["value"] for c in driver.scan(name, raw, detectors())["candidates"]))


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "text", "mode"),
    [
        (b"", "", "text"),
        ("ünïcode".encode(), "ünïcode", "text"),
        (b"\xef\xbb\xbfmarked", "marked", "text"),
        ("wide é".encode("utf-16"), "wide é", "text"),
        ("wider é".encode("utf-32"), "wider é", "text"),
        (b"\xff\xfea", "\ufffd", "lossy"),
        (b"caf\xe9", "café", "lossy"),
        (b"\0\1readable run\0x\0\2", "readable run\nreadable runx", "binary"),
        ("no mark at all".encode("utf-16-le"), "no mark at all", "binary"),
    ],
)
def test_every_file_is_read_and_how_is_said(content: bytes, text: str, mode: str) -> None:
    assert driver.decoded(content) == (text, mode)


@given(st.binary(max_size=300))
def test_no_content_is_too_strange(content: bytes) -> None:
    result = driver.scan("any", content, detectors())
    assert result["mode"] in ("text", "lossy", "binary")


@pytest.mark.parametrize(
    ("name", "line", "view"),
    [
        (".env", "DB_PASSWORD=abc", 'DB_PASSWORD = "abc"'),
        ("a.env", "export DB_PASSWORD=abc # why", 'DB_PASSWORD = "abc"'),
        ("Dockerfile", "ENV DB_PASSWORD abc", 'DB_PASSWORD = "abc"'),
        ("c.yml", "      - DB_PASSWORD=abc", 'DB_PASSWORD = "abc"'),
        ("c.ini", "; password: abc", 'password = "abc"'),
        ("c.ini", 'password: a"c', 'password = "a\\"c"'),
        ("README.md", f"Login with password: {PASSWORD}", f'password = "{PASSWORD}"'),
        ("a.py", 'DB_PASSWORD: str = "abc"', 'DB_PASSWORD = "abc"'),
        ("a.py", 'x = get("DB_PASSWORD", "abc")', 'x = DB_PASSWORD = "abc")'),
        ("a.ipynb", '"password = \\"abc\\""', '"password = "abc""'),
    ],
)
def test_a_line_is_also_seen_as_the_detectors_want_it(name: str, line: str, view: str) -> None:
    assert view in [text for text, _ in driver.views(name, line)]


@pytest.mark.parametrize(
    ("name", "line"),
    [("README.md", "The password: a secret word"), ("a.yml", "a: |"), ("a.py", "x = 1"), ("x", "- [ ] y")],
)
def test_a_line_that_sets_nothing_is_seen_as_it_is(name: str, line: str) -> None:
    assert list(driver.views(name, line)) == [(line, True)]


def test_a_very_long_line_is_searched_to_its_end_and_across_the_borders_of_its_pieces() -> None:
    for at in (0, driver.WINDOW - 2, driver.WINDOW, 3 * driver.WINDOW - 1, 50_000):
        line = " " * at + "KEY123" + " " * 100
        assert values("a.js", "a" + line) == ["KEY"]


def test_all_secrets_of_a_line_are_found_and_not_the_first_alone() -> None:
    line = f'{{"password": "${{PASSWORD}}", "secret": "{PASSWORD}"}}'
    assert values("a.json", line) == ["${PASSWORD}", PASSWORD]


def test_lines_are_counted_with_any_line_end_and_no_other_character() -> None:
    result = driver.scan("a", b"x\r\ny\rz\x0cz\n\x1cKEY1\n", detectors())
    assert [c["line"] for c in result["candidates"]] == [4]
    assert result["lines"] == 5


def test_the_whole_token_is_known_where_a_detector_returns_a_part() -> None:
    (candidate,) = driver.scan("a.txt", b"use x-KEY123/ab= here\n", detectors())["candidates"]
    assert (candidate["value"], candidate["whole"]) == ("KEY", "x-KEY123/ab=")


def test_a_token_is_a_secret_by_another_name() -> None:
    found = driver.scan("a.py", f'API_TOKEN = "{PASSWORD}"\n'.encode(), detectors())["candidates"]
    assert [(c["value"], c["renamed"]) for c in found] == [(PASSWORD, True)]


def test_the_body_of_a_private_key_is_known_and_its_end_is_not_passed() -> None:
    text = "-----BEGIN " + "PRIVATE KEY-----\n" + "A" * 64 + "\nshort\n-----END\n" + "B" * 64 + "\n"
    (candidate,) = driver.scan("key.pem", text.encode(), detectors())["candidates"]
    assert candidate["body"] == ["A" * 64]


@pytest.mark.parametrize(
    "content",
    [
        f'password = "{PASSWORD}"  # {ALLOW} - a sample\n',
        f'password = "{PASSWORD}"  // {ALLOW.replace("allow", "white")}\n',
        f'# {ALLOW_NEXT}\npassword = "{PASSWORD}"\n',
    ],
)
def test_an_allow_list_comment_is_respected_and_collected(content: str) -> None:
    result = driver.scan("a.py", content.encode(), detectors())
    assert not result["candidates"]
    assert [(a["line"], a["text"].startswith("pragma: ")) for a in result["allowed"]] == [(1, True)]
    assert PASSWORD not in json.dumps(result)


def test_an_allow_list_comment_covers_its_own_line_alone() -> None:
    content = f'# {ALLOW_NEXT}\nx = 1\npassword = "{PASSWORD}"\n'
    assert values("a.py", content) == [PASSWORD]
    assert values("a.py", f'x = 1  # {ALLOW}\npassword = "{PASSWORD}"\n') == [PASSWORD]


def test_a_binary_file_is_searched_for_all_but_entropy() -> None:
    result = driver.scan("a.bin", b'\0\1use KEY123 now\0"0123456789abcdef"\0', detectors())
    assert {(c["value"], c["line"]) for c in result["candidates"]} == {("KEY", 0)}


@pytest.mark.parametrize(("detector", "sample"), [(driver.OWN[0], "github_" + "pat_"), (driver.OWN[1], "AI" + "za")])
def test_tokens_that_the_scanner_does_not_know_are_known(detector: driver.TokenDetector, sample: str) -> None:
    token = sample + ("a" * 22 + "_" + "b" * 59 if sample.startswith("git") else "c" * 35)
    found = detector.analyze_line(filename="a", line=f"x {token} y", line_number=1)
    assert [match.secret_value for match in found] == [token]


# --- the driver as a program ----------------------------------------------------------------------------------------


def run_driver(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *names: str) -> dict[str, Any]:
    monkeypatch.setattr(sys, "stdin", io.StringIO(secret_scanner.given(names)))
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.5.0")
    assert driver.main() == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_the_driver_names_what_it_read_and_what_it_could_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    class Crash(KeyDetector):
        def analyze_line(self, *, filename: str, line: str, line_number: int) -> list[driver.Match]:
            if "crash" in line:
                raise RecursionError
            return []

    monkeypatch.setattr(driver, "load_detectors", lambda: [Crash()])
    monkeypatch.chdir(tmp_path)
    for name, text in {"good.txt": "fine\n", "bad.txt": "crash\n"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    document = run_driver(monkeypatch, capsys, "good.txt", "bad.txt", "gone.txt")
    assert document["files"] == [{"path": "good.txt", "mode": "text", "lines": 2}]
    assert document["errors"] == [
        {"path": "bad.txt", "reason": "RecursionError"},
        {"path": "gone.txt", "reason": "No such file or directory"},
    ]
    assert document["complete"] is True


def test_the_scanners_detectors_are_taken_but_for_those_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class IPPublicDetector(KeyDetector):
        """Left out."""

    mapping = {"b": KeywordDetector, "a": KeyDetector, "c": IPPublicDetector}
    module = SimpleNamespace(get_mapping_from_secret_type_to_class=lambda: mapping)
    monkeypatch.setattr(importlib, "import_module", lambda name: module)
    names = [type(detector).__name__ for detector in driver.load_detectors()]
    assert names == ["KeyDetector", "KeywordDetector", "TokenDetector", "TokenDetector"]


# --- what is no secret ----------------------------------------------------------------------------------------------


def keyword(value: str, name: str = "db_password", *, quoted: bool = True, renamed: bool = False) -> bool:
    return harmless(Candidate(kind="KeywordDetector", value=value, name=name, quoted=quoted, renamed=renamed))


@pytest.mark.parametrize(
    "value",
    [PASSWORD, "hunter2", "123456", "$ecret!pass word"[1:], "changeme", "550e8400-e29b-41d4-a716-446655440000x"],
)
def test_a_hard_coded_password_is_one(value: str) -> None:
    assert not keyword(value)


@pytest.mark.parametrize(
    "value",
    [
        "", "abc", "None", "null", "true", "****", "....", "${DB_PASSWORD}", "$DB_PASSWORD", "$(cat file)",
        "{{ password }}", "<password>", "%(password)s", "%PASSWORD%", "[redacted]", "...", "xxxxx", "!vault x",
        "/run/secrets/db", "~/.netrc", "https://host/login",
        "db_password", "SERVICE_DB_PASSWORD", "1.5.0", "v2.0",
    ],
)  # fmt: skip
def test_a_reference_or_a_placeholder_is_no_password(value: str) -> None:
    assert keyword(value)


@pytest.mark.parametrize(
    "name", ["password_file", "SECRET_NAME", "tokenUrl", "password_min", "secretKeyRef", "secret_type"]
)
def test_a_name_that_speaks_of_a_secret_holds_none(name: str) -> None:
    assert keyword("anything-at-all-1", name)


def test_without_quotes_an_expression_a_number_or_prose_is_no_password() -> None:
    for value in ("get_secret(1)", "os.environ['X']", "3600", "at least eight characters"):
        assert keyword(value, quoted=False)
        assert not keyword(value, quoted=True)
    assert not keyword("12345678", quoted=False)


def test_a_token_of_a_language_is_none_and_one_with_a_digit_or_of_some_length_is() -> None:
    assert keyword("elif", "token", renamed=True)
    assert keyword("quoted value", "token", renamed=True)
    assert not keyword(PASSWORD, "token", renamed=True)
    assert not keyword("abcdefghijklmnopqrstuvwx", "token", renamed=True)


@pytest.mark.parametrize(
    ("value", "name", "is_none"),
    [
        ("0123456789abcdef", "x", True),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "x", True),
        ("550e8400-e29b-41d4-a716-446655440000", "x", True),
        ("550e8400-e29b-41d4-a716-446655440000-and-more", "x", False),
        (f"sha512-{DIGEST}==", "x", True),
        (DIGEST, "sha256", True),
        (DIGEST, "content-hash", True),
        (DIGEST, "key", False),
        (DIGEST[:-2], "sha256", False),
        ("z" + DIGEST[1:], "sha256", False),
        ("Zm9vYmFyYmF6cXV4MTIzNDU2", "client_id", True),
        ("Zm9vYmFyYmF6cXV4MTIzNDU2", "NetworkID", True),
        ("Zm9vYmFyYmF6cXV4MTIzNDU2", "client_key", False),
        ("Zm9vYmFyYmF6cXV4MTIzNDU2", "liquid", False),
    ],
)
def test_a_digest_an_identifier_or_an_alphabet_is_no_key(value: str, name: str, is_none: bool) -> None:
    kind = "HexHighEntropyString"
    assert harmless(Candidate(kind=kind, value=value, name=name)) is is_none


def test_what_has_a_form_of_its_own_is_always_one_but_a_reference_in_an_address() -> None:
    assert not harmless(Candidate(kind="AWSKeyDetector", value=KEY_ID, name="example_id"))
    assert harmless(Candidate(kind="BasicAuthDetector", value="${PASSWORD}"))
    assert not harmless(Candidate(kind="BasicAuthDetector", value=PASSWORD))


# --- the output -----------------------------------------------------------------------------------------------------


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
