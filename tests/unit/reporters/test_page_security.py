"""Nothing on the page loads, runs or leads anywhere that it should not, whatever text the report holds."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from importlib.resources import files
from typing import Any

import html5lib
import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree

from pipeline.core.finding import Finding, Severity
from pipeline.core.run_record import Report
from pipeline.core.safe_text import html_document, visible
from pipeline.core.stage import StageResult
from pipeline.reporters import page
from tests import page_samples
from tests.page_reading import failing, read, words
from tests.samples import HOSTILE, passed, report, results

_LINK = re.compile(
    r"#[^\s]*|\./[^\s\"<>]+|https://(cwe\.mitre\.org|bandit\.readthedocs\.io|www\.cve\.org|osv\.dev)/\S+"
)
_ADVISORY = re.compile(r"https://github\.com/advisories/\S+")


def _policy(text: str) -> dict[str, str]:
    (content,) = read(text).xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    return dict(part.strip().split(" ", 1) for part in content.split(";"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("made", [page_samples.passing(), page_samples.failing(), page_samples.inconclusive()])
def test_the_security_policy_lets_nothing_but_our_own_style_and_script_in(made: Report) -> None:
    text = page.render(made)
    tree = read(text)
    (style,), (script,) = tree.xpath("//style"), tree.xpath("//script[not(@type)]")
    assert _policy(text) == {
        "default-src": "'none'",
        "style-src": _hash(style.text),
        "script-src": _hash(script.text),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert _foreign(tree) == []


def _foreign(tree: Any) -> list[str]:
    """What the policy would not let in, or that leads or loads elsewhere."""
    names = sorted({str(name) for element in tree.iter(etree.Element) for name in element.attrib})
    wrong = [f"@{name}" for name in names if name.startswith("on") or name in ("style", "srcset")]
    wrong += [f"<{e.tag}>" for e in tree.xpath("//img|//iframe|//object|//embed|//base|//audio|//video|//*[@src]")]
    wrong += tree.xpath("//link[not(@rel='icon')]/@href")
    wrong += [a for a in tree.xpath("//a/@href") if not (_LINK.fullmatch(a) or _ADVISORY.fullmatch(a))]
    return [*wrong, *(a for a in tree.xpath("//use/@href") if not a.startswith("#i-"))]


def test_what_would_be_foreign_is_seen() -> None:
    planted = "<img src=x onerror=a()><a href='javascript:a()'>x</a><p style='x'>"
    assert _foreign(read(planted)) == ["@onerror", "@style", "<img>", "javascript:a()"]


def test_our_own_style_and_script_are_no_workflow_commands_and_end_no_element() -> None:
    for name in ("page.css", "page.js"):
        text = files("pipeline.reporters").joinpath("page", name).read_text(encoding="utf-8")
        assert html_document(text) == text and "</" not in text and "<!--" not in text


def shape(tree: Any) -> set[tuple[str, tuple[str, ...]]]:
    """Every kind of element there is, with the names of its attributes."""
    elements = tree.iter(etree.Element)
    return {(str(element.tag), tuple(sorted(element.keys()))) for element in elements}


def _texts(result: StageResult) -> list[str]:
    """What must stand on the page for this result."""
    gates = [text for gate in result.gates for text in (gate.what, gate.allowed, gate.found)]
    tools = [text for tool in result.tools for text in (tool.name, tool.version)]
    left_out = [text for item in result.not_checked for text in (item.what, item.reason)]
    silenced = [text for item in result.suppressions for text in (item.text, item.reason, item.path)]
    found = [text for f in result.findings for text in (f.rule, f.message, f.owner, f.package, f.fix, *f.aliases)]
    controls = [control.planted for control in result.evidence.controls] if result.evidence else []
    # What a gate says in a reason stands in the gate's own row, and beside the verdict only its beginning.
    reasons = set(result.reasons) - {gate.sentence for gate in result.gates}
    return [*reasons, *gates, *tools, *left_out, *silenced, *found, *controls]


_ALLOWED = shape(read(failing())) | shape(read(page.render(page_samples.passing())))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(results())
def test_whatever_text_comes_in_comes_out_as_text(result: StageResult) -> None:
    text = page.render(report(result, replace(passed("scan"), command="x")))
    text.encode("utf-8")
    tree = read(text)
    shown = words(tree)
    for expected in _texts(result):
        assert " ".join(visible(expected, keep="\n\t").split()) in shown
    assert _foreign(tree) == []
    assert {tag for tag, _ in shape(tree)} <= {tag for tag, _ in _ALLOWED}
    assert not re.search(r"(?m)^\s*::.*::|##\[|##vso\[", text)


@pytest.mark.parametrize(
    "hostile", [*HOSTILE, "</script><script>alert(1)</script>", "<!--<script>", "javascript:alert(1)"]
)
def test_hostile_text_is_read_as_text_by_a_parser_of_browsers_rules(hostile: str) -> None:
    found = Finding(rule=hostile, tool="t", severity=Severity.HIGH, message=hostile, owner=hostile, fix=hostile)
    made = report(replace(passed(), findings=(found,), command=hostile))
    made = replace(made, record=replace(made.record, branch=hostile, actor=hostile))
    tree = html5lib.parse(page.render(made), treebuilder="lxml", namespaceHTMLElements=False)
    assert len(tree.findall(".//script")) == 2 and not tree.findall(".//img")
    data = json.loads(tree.find(".//script[@id='data']").text)
    assert visible(hostile, keep="\n\t") in data["strings"]
    (message,) = tree.xpath("//ol[@id='list']//span[@class='message']/text()")
    assert message.split() == visible(hostile, keep="\n\t").split() or hostile.isspace()


def test_a_name_of_a_file_is_no_address_of_another_place() -> None:
    for path in (
        "javascript:alert(1)",
        "../../etc/passwd",
        "/etc/passwd",
        "http://e/x",
        "a\\b",
        "x\u202ey",
        "a b#?.json",
    ):
        made = report(replace(passed(), artifacts=(replace(passed().artifacts[0], path=path),)))
        assert _foreign(read(page.render(made))) == [], path
