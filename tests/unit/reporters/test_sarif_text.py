"""Messages and paths in SARIF: what is special there is not, in text from outside."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporters.sarif_text import message_text, uri


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see [here](javascript:alert(1))", "see [here] (javascript:alert(1))"),
        ("expected {0} and }", "expected {{0}} and }}"),
        ("\x1b[2J::error::x", "\\x1b[2J::error::x"),
        ("  ", "(no text)"),
        ("x" * 5000, "x" * 3999 + "…"),
    ],
)
def test_a_message_says_what_it_says_and_nothing_more(text: str, shown: str) -> None:
    assert message_text(text) == shown


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("javascript:alert(1).py", "javascript%3Aalert%281%29.py"),
        ("a b/é.py", "a%20b/%C3%A9.py"),
        ("caf\udce9.py", "caf%E9.py"),
        ("x\ud800.py", "x%5Cud800.py"),
        ("a?b#c%41", "a%3Fb%23c%2541"),
    ],
)
def test_a_path_is_a_relative_reference_and_no_scheme(path: str, shown: str) -> None:
    assert uri(path) == shown
    assert not urlsplit(uri(path)).scheme


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_path_comes_back(path: str) -> None:
    assert unquote_to_bytes(uri(path)).decode() == path
