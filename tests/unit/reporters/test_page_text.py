"""Numbers, times and links as the page words them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporters import page_text
from tests.samples import TEXT


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0.00 s"), (0.354, "0.35 s"), (9.99, "10.0 s"), (59.96, "1 min 00 s"), (125, "2 min 05 s")]
)
def test_seconds(value: float, text: str) -> None:
    assert page_text.seconds(value) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (41_700_000, "41.7 MB"),
                        (10**15, "1000.0 TB")]
)  # fmt: skip
def test_sizes(count: int, text: str) -> None:
    assert page_text.size(count) == text


def test_counts_and_lists_read_like_sentences() -> None:
    assert page_text.counted(1, "gate") == "1 gate" and page_text.counted(2000, "gate") == "2,000 gates"
    assert page_text.joined([]) == "" and page_text.joined(["a"]) == "a" and page_text.joined(["a", "b"]) == "a and b"
    assert page_text.joined(["a", "b", "c"]) == "a, b and c"
    assert page_text.number(1234.5) == "1,234.50" and page_text.milliseconds(None) == "none"


def test_times_are_told_to_the_second_and_nonsense_as_it_came() -> None:
    assert page_text.moment("2026-03-02T09:30:00.123Z") == "2026-03-02 09:30:00 UTC"
    assert page_text.moment("soon") == "soon"
    assert page_text.short("sha256:0123456789abcdef") == "0123456789ab"


def test_only_text_is_made_visible() -> None:
    assert page_text.shown(None) == "" and page_text.shown(3) == 3 and page_text.shown("a\x1b\n") == "a\\x1b\n"


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("stages/lint/raw/a b#?.json", "./stages/lint/raw/a%20b%23%3F.json"),
        ("javascript:alert(1)", "./javascript%3Aalert%281%29"),
        ("../secret", ""),
        ("/etc/passwd", ""),
        ("a\\..\\b", ""),
        ("", ""),
        ("a\u202eb", ""),
    ],
)
def test_a_link_to_a_file_stays_beside_the_page(path: str, link: str) -> None:
    assert page_text.file_link(path) == link


@given(st.one_of(TEXT, st.text()))
def test_no_path_becomes_a_scheme_or_leads_out(path: str) -> None:
    link = page_text.file_link(path)
    assert link == "" or (link.startswith("./") and ":" not in link and "/../" not in link and link.isascii())
