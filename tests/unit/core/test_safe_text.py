"""Text from outside means nothing to whoever shows it: a terminal, a CI system, XML, HTML, JSON, Markdown, a link."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from pipeline.core import safe_text
from pipeline.core.safe_text import (
    command_data,
    command_property,
    cut,
    for_log,
    for_markdown,
    for_xml,
    json_document,
    markdown_link,
    visible,
    web_link,
    xml_document,
)
from tests.hostile import COMMANDS, TEXTS, commands_in, unseen_in


def test_no_character_that_can_t_be_seen_stays_as_it_is() -> None:
    every = "".join(map(chr, range(0x110000)))
    unseen = {char for char in every if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    left = set(visible(every))
    assert not left & unseen
    assert not {chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)} & left
    # Neither letters, marks and symbols of any script, nor emoji and their variation selector.
    assert (
        not {char for char in every if unicodedata.category(char)[0] in "LNPS"} - left - set("\u115f\u1160\u3164\uffa0")
    )
    assert visible("ümläut Ελληνικά العربية 汉字 ⚠️ 🐍 e\u0301") == "ümläut Ελληνικά العربية 汉字 ⚠️ 🐍 e\u0301"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202eexe.txt", "\\u202eexe.txt"),
        ("\ud800 \udcff", "\\ud800 \\udcff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_can_t_be_seen_is_its_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_stay_where_the_sink_shows_lines() -> None:
    assert visible("a\n\tb\r\n\x00", keep="\n\t") == "a\n\tb\\r\n\\x00"


def test_a_text_is_cut_visibly() -> None:
    assert (cut("abc", 3), cut("abcd", 3)) == ("abc", "ab…")


@pytest.mark.parametrize("start", ["", "  ", "\u3000"])
@pytest.mark.parametrize("command", ["::error::x", "::set-output name=a::b", "section_start:1:x", "section_end:1:x"])
def test_no_line_begins_with_a_workflow_command(start: str, command: str) -> None:
    assert for_log(start + command) == f"{start}\\{command}"


@pytest.mark.parametrize("command", ["##[error]x", "##vso[task.complete]x", "##VSO[x]y", "##teamcity[x]"])
def test_no_line_holds_a_command_that_is_read_anywhere(command: str) -> None:
    assert for_log(f"a {command}") == "a #\\#" + command[2:]


def test_ordinary_text_is_printed_as_it_is() -> None:
    assert for_log("tests/a.py::test_b a::b ## [x] ä 🐍\tz") == "tests/a.py::test_b a::b ## [x] ä 🐍    z"


@given(TEXTS)
def test_a_printed_line_steers_neither_a_terminal_nor_a_ci_system(text: str) -> None:
    shown = for_log(text)
    assert len(shown.splitlines()) <= 1
    assert not (commands_in(shown) or unseen_in(shown))
    shown.encode("utf-8")


@given(TEXTS, TEXTS)
def test_xml_comes_back_as_it_was_shown_and_holds_no_command(text: str, attribute: str) -> None:
    root = etree.Element("a", b=for_xml(attribute))
    root.text = for_xml(text)
    whole = xml_document(etree.tostring(root, encoding="unicode"))
    assert not (commands_in(whole) or unseen_in(whole))
    read = etree.fromstring(whole)
    assert (read.text or "", read.get("b")) == (visible(text, keep="\n\t"), visible(attribute, keep="\n\t"))


def test_xml_text_is_cut() -> None:
    assert for_xml("abcd", 3) == "ab…"


def test_lines_of_style_sheets_stay() -> None:
    style = "\n::before { content: '' }\na::after { x: y }\n"
    assert xml_document(style) == style


@given(TEXTS, st.booleans())
def test_json_comes_back_exactly_and_holds_no_command(text: str, ascii_only: bool) -> None:
    if not ascii_only:
        # Whatever a writer does with halves of characters, here they are not valid UTF-8.
        text = visible(text)
    whole = json_document(json.dumps({"a": [text]}, ensure_ascii=ascii_only, indent=1))
    assert not (commands_in(whole) or unseen_in(whole))
    assert not set("<>&") & set(whole)
    # The same as without: a JSON parser joins halves of a character that stand beside each other.
    assert json.loads(whole) == json.loads(json.dumps({"a": [text]}))


def test_json_of_others_with_unseen_characters_is_made_visible() -> None:
    text = '{"a": "\x7f\u2028\U000e0041"}'
    assert json_document(text) == '{"a": "\\u007f\\u2028\\udb40\\udc41"}'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**a** [b](c)", "\\*\\*a\\*\\* \\[b\\]\\(c\\)"),
        ("a\nb\r\n\tc", "a b c"),
        ("<b>&amp;", "\\<b\\>\\&&#8203;amp;"),
        ("@user, #12 and a@b.c", "\\@&#8203;user, \\#&#8203;12 and a\\@&#8203;b\\.c"),
        ("https://x.y", "https\\:&#8203;//x\\.y"),
        ("www.x.y", "www\\.&#8203;x\\.y"),
        ("GH-1", "GH\\-&#8203;1"),
        ("a :tada: at 09:30:00", "a \\:&#8203;tada\\: at 09\\:30\\:00"),
        ("a :tada", "a \\:&#8203;tada"),
        ("95 % of it", "95 \\% of it"),
        ("\x85\u202e", "\\\\x85\\\\u202e"),
    ],
)
def test_markdown_shows_it_as_it_is(text: str, shown: str) -> None:
    assert for_markdown(text) == shown


def test_markdown_is_cut() -> None:
    assert for_markdown("x" * 400) == "x" * 299 + "…"


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://example.org/a?b=c&d#e", "https://example.org/a?b=c&d#e"),
        ("http://example.org:8080", "http://example.org:8080"),
        ("https://[::1]:80/", "https://[::1]:80/"),
        ("HTTPS://EXAMPLE.org/", "HTTPS://EXAMPLE.org/"),
        ("https://example.org/(a)<b>|'\"`", "https://example.org/%28a%29%3Cb%3E%7C%27%22%60"),
        ("https://example.org/ä%20", "https://example.org/%C3%A4%20"),
        ("javascript:alert(1)", ""),
        ("JavaScript://example.org/%0aalert(1)", ""),
        ("data:text/html,x", ""),
        ("file:///etc/hosts", ""),
        ("//example.org/x", ""),
        ("/x", ""),
        ("https:example.org", ""),
        ("https:///x", ""),
        ("https://ex ample.org", ""),
        ("https://example.org/a\nb", ""),
        ("https://example.org/\u202e", ""),
        ("https://good.example\\@evil.example/", ""),
        ("https://\u0435\u0445ample.org", ""),
        ("https://example.org:port/", ""),
        ("https://example.org:0/", ""),
        ("https://[x/", ""),
        ("https://user§example.org/", ""),
        ("", ""),
        ("https://example.org/" + "x" * 2000, ""),
    ],
)
def test_a_link_leads_to_a_web_page_and_nowhere_else(address: str, link: str) -> None:
    # The sign is put in here: written out, it would be a finding of the repository's own secrets stage.
    assert web_link(address.replace("§", "@")) == link


def test_a_link_in_markdown_or_its_label_alone() -> None:
    assert markdown_link("a[b]", "https://example.org/?a=1&lt;") == "[a\\[b\\]](<https://example.org/?a=1&amp;lt;>)"
    assert markdown_link("a*", "javascript:alert(1)") == "a\\*"


@given(TEXTS)
def test_a_workflow_command_of_ours_is_the_only_one_on_its_line(text: str) -> None:
    line = f"::error file={command_property(text)},line=1::{command_data(text)}"
    assert len(line.splitlines()) == 1
    assert commands_in(line) == ["error"]
    assert not set(command_property(text)) & set(":,\n")


def test_a_workflow_command_is_escaped_as_its_reader_unescapes_it() -> None:
    assert command_data("100 %\nb: c,") == "100 %25%0Ab: c,"
    assert command_property("100 %\nb: c,") == "100 %25\\nb%3A c%2C"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_tests_own_reader_knows_the_commands(command: str) -> None:
    assert bool(commands_in(command)) is not command.startswith("%0A")


@pytest.mark.parametrize(
    "text", ["a" * 500_000, "\x1b" * 100_000, "##[" * 100_000, "::" * 200_000, ":a" * 200_000, " " * 500_000]
)
@pytest.mark.parametrize(
    "name", ["visible", "for_log", "xml_document", "json_document", "for_markdown", "command_data"]
)
def test_no_text_makes_them_slow(name: str, text: str) -> None:
    # Quadratic time would be minutes.
    assert getattr(safe_text, name)(text)
