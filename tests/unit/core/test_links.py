"""Each rule and advisory leads to the page of those who publish it, and no hostile name to anywhere else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.finding import Finding, Severity
from pipeline.core.links import advisory_link, cwe_link, link_of
from pipeline.testing import outcome
from pipeline.tools import bandit, pylint, ruff
from tests.samples import FINDINGS, HOSTILE, TEXT
from tests.support import recorded

PAGE = re.compile(
    r"https://(docs\.astral\.sh|pylint\.readthedocs\.io|bandit\.readthedocs\.io|github\.com|www\.cve\.org|osv\.dev)"
    r"/[A-Za-z0-9_./?=#-]+"
)


def finding(**values: Any) -> Finding:
    """A finding with these values."""
    given_values = {"rule": "R1", "tool": "ruff", "severity": Severity.HIGH, "message": "It is bad.", **values}
    return Finding(**given_values)


def test_ruffs_rules_lead_to_the_page_that_ruff_itself_names(tmp_path: Path) -> None:
    printed, _ = recorded("ruff", "findings", tmp_path)
    pages = [record["url"] for record in json.loads(printed.stdout)]
    assert pages
    assert [link_of(f).rstrip("/") for f in ruff.parse(printed, tmp_path).findings] == pages


def test_bandits_rules_lead_to_the_page_that_bandit_itself_names(tmp_path: Path) -> None:
    printed, more = recorded("bandit", "findings", tmp_path)
    pages = [record["more_info"] for record in json.loads(more["written"])["results"]]
    assert any("#" in page for page in pages)
    assert [link_of(f) for f in bandit.parse(printed, more["written"], tmp_path).findings] == pages


def test_pylints_messages_lead_to_the_folder_of_their_category(tmp_path: Path) -> None:
    printed, more = recorded("pylint", "findings", tmp_path)
    found = {f.rule: link_of(f) for f in pylint.parse(printed, more["walked"], tmp_path).findings}
    start = "https://pylint.readthedocs.io/en/stable/user_guide/messages"
    assert found["W0611"] == f"{start}/warning/unused-import.html"
    assert found["E0602"] == f"{start}/error/undefined-variable.html"


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("GHSA-462w-v97r-4m45", "https://github.com/advisories/GHSA-462w-v97r-4m45"),
        ("CVE-2019-10906", "https://www.cve.org/CVERecord?id=CVE-2019-10906"),
        ("PYSEC-2019-217", "https://osv.dev/vulnerability/PYSEC-2019-217"),
        ("MAL-2024-1", "https://osv.dev/vulnerability/MAL-2024-1"),
        ("GHSA-462w-v97r-4m4a", ""),
        ("CVE-2019-10906/../x", ""),
        ("CVE-2019-10906\n", ""),
        ("CVE-\u0662\u0660\u0661\u0669-10906", ""),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_an_advisory_leads_to_its_database(name: str, page: str) -> None:
    assert advisory_link(name) == page


def test_a_package_leads_to_its_advisory_or_else_to_an_alias_of_it() -> None:
    about = {"tool": "pip-audit", "package": "jinja2", "version": "2.10"}
    assert link_of(finding(rule="PYSEC-2019-217", **about)).endswith("/PYSEC-2019-217")
    assert link_of(finding(rule="SNYK-1", aliases=("?", "CVE-2019-10906"), **about)).endswith("=CVE-2019-10906")
    assert link_of(finding(rule="SNYK-1", **about)) == ""
    # Only for a package: elsewhere a rule that is called like an advisory is none.
    assert link_of(finding(rule="CVE-2019-10906", tool="own")) == ""


@pytest.mark.parametrize(
    "values",
    [
        {"message": "It is bad. (../../x)"},
        {"message": "It is bad. (a b)"},
        {"message": "(unused-import) and more"},
        {"rule": "F401/..", "message": "m (unused-import)"},
        {"tool": "pylint", "rule": "W0611", "message": "m (Unused)"},
        {"tool": "pylint", "rule": "X0611", "message": "m (unused-import)"},
        {"tool": "bandit", "fix": "See https://bandit.readthedocs.io.evil.example/en/1/plugins/a.html"},
        {"tool": "bandit", "fix": "See https://bandit.readthedocs.io/en/1/plugins/a.html?<script>"},
        {"tool": "bandit", "fix": "See javascript:alert(1)"},
        {"tool": "detect-secrets", "rule": "aws-access-key"},
    ],
)
def test_what_has_not_the_shape_of_the_tools_own_has_no_link(values: dict[str, Any]) -> None:
    assert link_of(finding(**values)) == ""


@given(FINDINGS, st.sampled_from(["ruff", "pylint", "bandit", "pip-audit"]), TEXT, st.sampled_from(HOSTILE))
def test_whatever_a_finding_holds_its_link_is_one_of_a_known_site(
    given_finding: Finding, tool: str, text: str, hostile: str
) -> None:
    made = finding(
        tool=tool,
        rule=given_finding.rule,
        message=f"{given_finding.message} ({text})",
        fix=f"See https://bandit.readthedocs.io/en/1.9.4/plugins/{hostile}",
        package=given_finding.package,
        aliases=(*given_finding.aliases, hostile),
    )
    assert link_of(made) == "" or PAGE.fullmatch(link_of(made))


@pytest.mark.parametrize(
    ("number", "page"), [(798, "https://cwe.mitre.org/data/definitions/798.html"), (0, ""), (-1, "")]
)
def test_a_weakness_leads_to_mitre(number: int, page: str) -> None:
    assert cwe_link(number) == page


def test_a_rule_without_a_name_has_no_page() -> None:
    record = {
        "code": "F1", "filename": "a.py", "location": {"row": 1, "column": 1}, "message": "m", "name": None,
    }  # fmt: skip
    (plain,) = ruff.parse(outcome(1, json.dumps([record])), Path("/nowhere")).findings
    assert (plain.message, link_of(plain)) == ("m", "")
