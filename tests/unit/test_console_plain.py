"""Sentences that are said outside of a run: one line each, and none that steers."""

from __future__ import annotations

import io
import unicodedata

from hypothesis import given

from pipeline.console_plain import complain, tell
from tests.samples import TEXT


@given(TEXT)
def test_whatever_is_told_is_one_line_that_steers_nothing(text: str) -> None:
    stream = io.StringIO()
    tell(stream, text)
    (line,) = stream.getvalue().splitlines()
    assert not {unicodedata.category(character) for character in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not line.lstrip().startswith("::")


def test_the_lines_of_a_tool_that_is_quoted_stay_lines() -> None:
    stream = io.StringIO()
    complain(stream, "It failed: uv says:\n::error::no\tsuch package\n")
    assert stream.getvalue() == "pipeline: It failed: uv says:\n  \\::error::no    such package\n"
    complain(stream, "")
    assert stream.getvalue().endswith("pipeline: \n")


def test_a_stream_of_another_encoding_gets_escapes() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    tell(stream, "ä")
    assert raw.getvalue() == b"\\xe4\n"
