"""``openvex.json`` has what the specification demands and claims no more than a waiver says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from pipeline.core.finding import Finding, State
from pipeline.core.waiver import JUSTIFICATIONS, Waiver
from pipeline.reporters import openvex
from tests.samples import FINDINGS, WORDS
from tests.waivers import DAY, VULNERABILITY, make_finding, make_waiver, waived_report

# https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md, "Document Struct Fields": those that are required.
DEMANDED = {"@context", "@id", "author", "timestamp", "version", "statements"}
WAIVED = replace(VULNERABILITY, state=State.WAIVED)


def waiver(**changes: object) -> Waiver:
    """A waiver of the vulnerability that is in force on the day."""
    about = {"id": "CVE-2024-1", "tool": "pip-audit", "scope": "flask-thing", "stages": ("audit",)}
    return make_waiver(**{"created": DAY, "expires": DAY + timedelta(days=90), **about, **changes})


def document(*waivers: Waiver, findings: tuple[Finding, ...] = (WAIVED,)) -> dict[str, Any]:
    """The document, once it has been held against the specification."""
    made: dict[str, Any] = json.loads(openvex.render(waived_report(*waivers, findings=findings)))
    assert made.keys() >= DEMANDED
    for statement in made["statements"]:
        assert statement["vulnerability"]["name"] and statement["products"]
        assert statement["status"] in {"not_affected", "affected"}
        needed = "justification" if statement["status"] == "not_affected" else "action_statement"
        assert statement[needed]
    return made


def test_a_waived_vulnerability_stays_affected_with_the_reason_as_the_action() -> None:
    made = document(waiver(), findings=(replace(WAIVED, fix="1.1, 2.0"),))
    assert made["@context"] == "https://openvex.dev/ns/v0.2.0"
    assert (made["version"], made["timestamp"]) == (1, "2026-01-01T00:00:00.000Z")
    assert made["author"]
    assert made["statements"] == [
        {
            "vulnerability": {"name": "PYSEC-2024-1", "aliases": ["CVE-2024-1", "GHSA-aaaa-bbbb-cccc"]},
            "products": [
                {"@id": "pkg:pypi/flask-thing@1.0", "identifiers": {"purl": "pkg:pypi/flask-thing@1.0"}},
            ],
            "timestamp": "2026-01-01T00:00:00Z",
            "status": "affected",
            "action_statement": "Asserts are how tests speak.",
            "status_notes": "Decided by Platform, until 2026-04-01. A fix is in 1.1, 2.0.",
        }
    ]


@pytest.mark.parametrize("justification", JUSTIFICATIONS)
def test_only_a_waiver_with_a_justification_claims_that_nobody_is_affected(justification: str) -> None:
    (statement,) = document(waiver(justification=justification))["statements"]
    assert (statement["status"], statement["justification"]) == ("not_affected", justification)
    assert statement["impact_statement"] == "Asserts are how tests speak."
    assert "action_statement" not in statement


@pytest.mark.parametrize(
    ("entry", "finding"),
    [
        (waiver(), replace(WAIVED, state=State.NEW)),
        (waiver(), replace(WAIVED, state=State.EXISTING)),
        (waiver(expires=DAY - timedelta(days=1), created=DAY - timedelta(days=9)), WAIVED),
        (waiver(id="B101", tool="bandit", scope="tests/**"), make_finding(state=State.WAIVED)),
    ],
)
def test_without_a_waived_vulnerability_there_is_no_document(entry: Waiver, finding: Finding) -> None:
    """One without a statement would not be valid."""
    assert openvex.render(waived_report(entry, findings=(finding,))) == ""


def test_one_release_in_two_locks_is_one_statement() -> None:
    findings = (WAIVED, replace(WAIVED, path="other/requirements.txt"), replace(WAIVED, version="2.0"))
    statements = document(waiver(), findings=findings)["statements"]
    assert [statement["products"][0]["@id"] for statement in statements] == [
        "pkg:pypi/flask-thing@1.0", "pkg:pypi/flask-thing@2.0",
    ]  # fmt: skip


def test_the_same_content_has_the_same_name_and_other_content_another() -> None:
    names = [document(entry)["@id"] for entry in (waiver(), waiver(), waiver(reason="It is another reason."))]
    assert names[0] == names[1] != names[2]
    assert names[0].startswith("https://openvex.dev/docs/public/vex-")


def test_a_version_is_escaped_as_package_urls_want_it() -> None:
    assert openvex.purl(replace(VULNERABILITY, version="1!2.0+local 1")) == "pkg:pypi/flask-thing@1%212.0%2Blocal%201"


@given(FINDINGS, WORDS, WORDS, WORDS)
def test_any_text_makes_a_valid_document(finding: Finding, package: str, owner: str, reason: str) -> None:
    known = replace(finding, package=package, version=finding.version or "1", state=State.WAIVED, fix="")
    made = document(
        waiver(id=known.rule, tool=known.tool, scope=package, owner=owner, reason=reason), findings=(known,)
    )
    assert made["statements"][0]["vulnerability"]["name"] == known.rule
