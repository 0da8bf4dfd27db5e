"""What an attacker would put into names, messages and logs: payloads for each sink, and reports full of them.

The readers of logs are written after the programs that they stand for: the runner of GitHub Actions
(``ActionCommand.cs`` of actions/runner) and GitLab's log (``Gitlab::Ci::Ansi2json``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from hypothesis import strategies as st

from pipeline.core.finding import Finding, State
from pipeline.core.run_record import Report

MARKUP = (
    "]]>", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "--><script>alert(1)</script><!--",
    "</script><script>alert(1)//", "</style><style>*{display:none}", "</title><base href=//evil.example>",
    "<![CDATA[x", "<?xml version='1.0'?>", "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hosts'>]>&e;",
    "&lt;b&gt;&#x3c;i&#62;", "&amp;&", "\"'>", "' onmouseover='alert(1)", '" autofocus onfocus="alert(1)',
    "`onclick=alert(1)", "<svg/onload=a()>", "<a xmlns:x='http://www.w3.org/1999/xhtml'><x:script>", "{{7*7}}",
    "{% include '/etc/hosts' %}", "${7*7}", "<%= 1 %>", '"},"planted":{"', "\\u003cscript\\u003e", "\\", "\\\"",
    "*/alert(1)/*",
)  # fmt: skip
LINKS = (
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>", "vbscript:x", "[x](javascript:alert(1))", "<javascript:alert(1)>",
    "https://evil.example/\"onclick=x", "//evil.example/x", "https://evil.example\\@good.example/",
    "file:///etc/hosts",
)  # fmt: skip
COMMANDS = (
    "::error::planted", "::add-mask::value", "::set-output name=x::y", "\n::set-output name=x::y", "\r::debug::x",
    "\r\n::stop-commands::token", "  ::notice::x", "\u3000::warning::x", "##[error]planted", "a ##[add-mask]x",
    "##vso[task.setvariable variable=x]y", "##VSO[task.complete]x", "##teamcity[message text='x']", "%0A::error::x",
    "section_start:1:x\r\x1b[0Kx", "\n\x1b[0Ksection_end:1:x\r\x1b[0K", "\nsection_start:1560896352:x[collapsed=true]",
)  # fmt: skip
ESCAPES = (
    "\x1b[2J", "\x1b]0;title\x07", "\x1b]8;;https://evil.example\x1b\\x", "\x9b31m", "\x1bPq\x1b\\", "\x07\x08\x7f",
    "\x00", "over\rwritten", "\x0e\x0f", "\x1b[1A\x1b[2K", "\x85\x84", "\x1bc",
)  # fmt: skip
UNSEEN = (
    "\u202egpj.exe", "\u2066x\u2069", "\u200bz\u200d\ufeff", "\xadx", "\U000e0041\U000e007f", "\u3164\uffa0",
    "\u2028x\u2029", "\ud800", "\udcff", "\udc80\ud83d", "\ufffe\uffff\U0001ffff", "\ufdd0", "\u061c", "e\u034f\u0301",
)  # fmt: skip
MARKDOWN = (
    "| a | `b` | [c](d) |", "![x](https://evil.example/x.png)", "# h1\n- item", "@someone", "#123", "GH-1", "!7",
    "a/b#1", "`` ` ``", "~~x~~ **y** _z_", "<details><summary>x</summary>", ":tada:", "$x$", "- [ ] x", "> q",
    "```\ncode", "a\n===", "someone@evil.example", "https://evil.example/", "www.evil.example", "xmpp:a@evil.example",
    "\n/close", "&copy;", "[a]: https://evil.example", "[^1]", "\n\n    code", "<!-- x", "~label", "%milestone", "&1",
    "a\\\nb",
)  # fmt: skip
SHEETS = ("=1+1", '=HYPERLINK("https://evil.example")', "+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1")
PATHS = ("../../etc/passwd", "/etc/passwd", "..\\..\\x", "C:\\x", "con", "a\x00b", "a/../../b", "~root", "file://x")
OTHERS = (
    'x"} 1\nplanted{a="b', "\n# EOF\nplanted 1", "x" * 3000, "ümläut 🐍 العربية", "a\tb", "100 %", "{0}{1}", "%s%n",
)  # fmt: skip
PAYLOADS = (*MARKUP, *LINKS, *COMMANDS, *ESCAPES, *UNSEEN, *MARKDOWN, *SHEETS, *PATHS, *OTHERS)

TEXTS = st.one_of(
    st.sampled_from(PAYLOADS),
    st.text(st.characters(), max_size=30),
    st.lists(st.sampled_from(PAYLOADS), min_size=2, max_size=3).map("".join),
    st.lists(st.sampled_from("\n\r\x1b:#[]<>&\"'`|@=+-()!~$\\/ ax1"), max_size=20).map("".join),
)
"""Payloads, whatever text, several payloads in one, and what payloads are made of."""

_LINE = re.compile(r"\r\n|\r|\n")
_V2 = re.compile(r"::(?P<name>[^\s:]+)[^\n]*?::")
_V1 = re.compile(r"##(?:vso|teamcity)?\[(?P<name>[^\]\s;]*)", re.IGNORECASE)
_SECTION = re.compile(r"(?:\x1b\[0K)?(?P<name>section_(?:start|end)):\d+:")
_TIMES = frozenset({"started", "finished", "exploited"})
_DIGESTS = frozenset({"commit", "snapshot", "policy", "policy_digest", "sha256", "id", "digest"})


def commands_in(text: str) -> list[str]:
    """The workflow commands that a CI system would read in a printed text, by their names."""
    found = []
    for line in _LINE.split(text):
        begun = _V2.match(line.lstrip()) or _SECTION.match(line.lstrip())
        found += [begun["name"]] if begun else []
        found += [match["name"] for match in _V1.finditer(line)]
    return found


def unseen_in(text: str) -> str:
    """What stands in a text and can't be seen: control and format characters, separators of lines, halves of others."""
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return "".join(sorted(char for char in set(text) - {"\n", "\t"} if unicodedata.category(char) in kinds))


def planted(report: Report, text: Callable[[str], str], left: Mapping[type, frozenset[str]] | None = None) -> Report:
    """The report with ``text`` of a field's name in the place of each text, whatever fields the model has or will have.

    Times stay, as they are read as such, the names of stages, by which a report is put together, and the fields of
    each class that are ``left``.
    """
    made: Report = _planted(report, text, left or {})
    names = [result.name for result in report.results]
    results = tuple(replace(result, name=name) for result, name in zip(made.results, names, strict=True))
    record = replace(made.record, stages=report.record.stages, required=report.record.required)
    waived = next((f for result in results for f in result.findings if f.state is State.WAIVED), None)
    if waived is not None and record.waivers:
        # Otherwise the waiver would hide nothing, and no reader would see its texts.
        hiding = replace(record.waivers[0], id=waived.rule, tool=waived.tool, scope=waived.package or "**")
        record = replace(record, waivers=(hiding, *record.waivers[1:]))
    return replace(made, record=record, results=results)


def marked(payloads: Iterable[str]) -> tuple[Callable[[str], str], Mapping[int, str]]:
    """A function that gives each text a payload, in turn, behind a mark of its own; and what is told by each mark."""
    given: dict[int, str] = {}
    every = list(payloads)

    def text(field_name: str) -> str:
        number = len(given)
        payload = every[number % len(every)]
        # Of a digest a reader sees the beginning, and nothing says that there was more.
        given[number] = "" if field_name in _DIGESTS else payload
        return f"q{number}q{payload}"

    return text, given


def _planted(value: Any, text: Callable[[str], str], left: Mapping[type, frozenset[str]], name: str = "") -> Any:
    if isinstance(value, str):
        return value if isinstance(value, Enum) else text(name)
    if isinstance(value, tuple | list | frozenset):
        return type(value)(_planted(item, text, left, name) for item in value)
    if isinstance(value, Mapping):
        return {key: _planted(item, text, left, name) for key, item in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    stays = _TIMES | left.get(type(value), frozenset())
    changed = {
        field.name: _planted(getattr(value, field.name), text, left, field.name)
        for field in fields(value)
        if field.name not in stays
    }
    if isinstance(value, Finding):
        # A finding refuses a path that leads out, whatever stands in the rest of it.
        changed["path"] = re.sub(r"\.\.|^/", ".", str(changed["path"])) if value.path else ""
    return replace(value, **changed)
