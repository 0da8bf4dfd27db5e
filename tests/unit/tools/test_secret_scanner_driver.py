"""The scanner's driver: it reads every file to its end, whatever is in it, and says how."""

from __future__ import annotations

import importlib
import importlib.metadata
import io
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.suppressions import allowed_secrets
from pipeline.tools import secret_scanner
from pipeline.tools import secret_scanner_driver as driver
from tests.support import ALLOW, ALLOW_NEXT, PASSWORD


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
    candidate = driver.scan("a.txt", b"use x-KEY123/ab= here\n", detectors())["candidates"][0]
    assert (candidate["value"], candidate["whole"]) == ("KEY", "x-KEY123/ab=")


def test_a_token_is_a_secret_by_another_name() -> None:
    found = driver.scan("a.py", f'API_TOKEN = "{PASSWORD}"\n'.encode(), detectors())["candidates"]
    assert [(c["value"], c["renamed"]) for c in found] == [(PASSWORD, True)]


def test_the_body_of_a_private_key_is_known_and_its_end_is_not_passed() -> None:
    text = "-----BEGIN " + "PRIVATE KEY-----\n" + "A" * 64 + "\nshort\n-----END\n" + "B" * 64 + "\n"
    candidate = driver.scan("key.pem", text.encode(), detectors())["candidates"][0]
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
    assert [(a["line"], a["text"].startswith("pragma: "), a["hides"]) for a in result["allowed"]] == [(1, True, True)]
    assert PASSWORD not in json.dumps(result)


@pytest.mark.parametrize("content", [f"x = 1  # {ALLOW}\n", f"# {ALLOW_NEXT}\nx = 1\n", f"# {ALLOW_NEXT}\n"])
def test_an_allow_list_comment_that_hides_nothing_is_told(content: str) -> None:
    assert [a["hides"] for a in driver.scan("a.py", content.encode(), detectors())["allowed"]] == [False]


@given(st.lists(st.sampled_from([f"x  # {ALLOW}", f"# {ALLOW_NEXT}", f"; {ALLOW}", "# pragma", "x = 1", f"{ALLOW}"])))
def test_the_driver_and_our_own_reading_find_the_same_comments(lines: list[str]) -> None:
    text = "\r\n".join(lines)
    by_driver = [(a["line"], a["text"]) for a in driver.scan("a.py", text.encode(), [])["allowed"]]
    assert by_driver == [(s.line, s.text) for s in allowed_secrets("a.py", text)]


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
