"""``openvex.json`` has what the specification demands, and claims no more than a waiver says.

That a scanner obeys it is in ``tests/integration/test_scanners.py``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from packageurl import PackageURL

from pipeline.core.finding import Finding, State
from pipeline.core.waiver import JUSTIFICATIONS, Waiver
from pipeline.reporters import openvex
from tests.samples import FINDINGS, WORDS
from tests.waivers import DAY, VULNERABILITY, make_finding, make_waiver, waived_report

WAIVED = replace(VULNERABILITY, state=State.WAIVED)


def waiver(**changes: object) -> Waiver:
    """A waiver of the vulnerability that is in force on the day."""
    about = {"id": "CVE-2024-1", "tool": "pip-audit", "scope": "flask-thing", "stages": ("audit",)}
    return make_waiver(**{"created": DAY, "expires": DAY + timedelta(days=90), **about, **changes})


def document(*waivers: Waiver, findings: tuple[Finding, ...] = (WAIVED,)) -> dict[str, Any]:
    """The document, once it has been held against the specification."""
    made: dict[str, Any] = json.loads(openvex.render(waived_report(*waivers, findings=findings)))
    hold_to_the_specification(made)
    return made


# https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md: "Document Struct Fields", all and those that are required
# ("statements" by the definition of a document), and "Statement Fields".
FIELDS = {"@context", "@id", "author", "role", "timestamp", "last_updated", "version", "tooling", "statements"}
DEMANDED = {"@context", "@id", "author", "timestamp", "version", "statements"}
STATEMENT = {
    "@id", "version", "vulnerability", "timestamp", "last_updated", "products", "status", "supplier", "status_notes",
    "justification", "impact_statement", "action_statement", "action_statement_timestamp",
}  # fmt: skip
# Sections "Status Labels" and "Status Justifications".
STATUSES = {"not_affected", "affected", "fixed", "under_investigation"}
LABELS = {
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
}


def hold_to_the_specification(made: dict[str, Any]) -> None:
    """Every demand that a document of the kind that we make can break."""
    assert DEMANDED <= made.keys() <= FIELDS
    assert made["@context"] == "https://openvex.dev/ns/v0.2.0"
    assert made["@id"].startswith("https://") and made["author"]
    assert isinstance(made["version"], int) and made["version"] >= 1
    assert datetime.fromisoformat(made["timestamp"]).tzinfo is not None
    assert made["statements"], "a document without a statement says nothing"
    for statement in made["statements"]:
        hold_statement(statement)


def hold_statement(statement: dict[str, Any]) -> None:
    """Sections "Statement Fields", "Vulnerability Struct Fields", "Component Fields" and "Product Data Structure"."""
    assert {"vulnerability", "status", "products"} <= statement.keys() <= STATEMENT
    assert statement["status"] in STATUSES
    assert datetime.fromisoformat(statement["timestamp"]).tzinfo is not None
    assert {"name"} <= statement["vulnerability"].keys() <= {"@id", "name", "description", "aliases"}
    assert statement["vulnerability"]["name"]
    if statement["status"] == "not_affected":
        assert statement.get("justification") in LABELS or statement.get("impact_statement")
    else:
        assert not {"justification", "impact_statement"} & statement.keys()
    assert statement["status"] != "affected" or statement["action_statement"]
    assert statement["products"]
    for product in statement["products"]:
        # "As Package URLs are valid IRIs, the @id can take a purl as a value."
        assert PackageURL.from_string(product["identifiers"]["purl"]).type == "pypi"
        assert product["@id"] == product["identifiers"]["purl"]


def test_the_justifications_of_a_waiver_are_the_labels_of_the_specification() -> None:
    assert set(JUSTIFICATIONS) == LABELS


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
        (waiver(), replace(WAIVED, package=" ")),
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


@given(FINDINGS, WORDS.filter(str.strip), WORDS, WORDS)
def test_any_text_makes_a_valid_document(finding: Finding, package: str, owner: str, reason: str) -> None:
    known = replace(finding, package=package, version=finding.version.strip() or "1", state=State.WAIVED, fix="")
    made = document(
        waiver(id=known.rule, tool=known.tool, scope=package, owner=owner, reason=reason), findings=(known,)
    )
    assert made["statements"][0]["vulnerability"]["name"] == known.rule
