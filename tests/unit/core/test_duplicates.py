"""Two tools that report the same know of each other; neither loses its finding, its count or its fingerprint."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.duplicates import PYLINT_OF_RUFF, meanings, with_sources
from pipeline.core.finding import Finding, Severity
from pipeline.core.stage import StageResult
from pipeline.reporters import json_report
from tests.samples import passed, report


def finding(tool: str, rule: str, **values: Any) -> Finding:
    """A finding on line 3 of a.py, or with these values."""
    about = {"path": "a.py", "line": 3} if "package" not in values else {}
    return Finding(**{"tool": tool, "rule": rule, "severity": Severity.HIGH, "message": "m", **about, **values})


def stage(name: str, *findings: Finding) -> StageResult:
    """The result of a stage with these findings."""
    return replace(passed(name), findings=findings)


def sources(*results: StageResult) -> list[tuple[str, ...]]:
    """Those of each finding, in order."""
    return [found.sources for result in with_sources(results) for found in result.findings]


def test_one_password_that_three_tools_report_in_three_stages_has_three_sources() -> None:
    told = sources(
        stage("lint", finding("ruff", "S105")),
        stage("scan", finding("bandit", "B105")),
        stage("secrets", finding("detect-secrets", "secret-keyword")),
    )
    assert told == [
        ("bandit:B105", "detect-secrets:secret-keyword"),
        ("detect-secrets:secret-keyword", "ruff:S105"),
        ("bandit:B105", "ruff:S105"),
    ]


def test_two_tools_of_one_stage_know_of_each_other_and_both_stay() -> None:
    both = stage("lint", finding("ruff", "F401"), finding("pylint", "W0611"))
    (result,) = with_sources([both])
    assert [(f.tool, f.rule, f.sources) for f in result.findings] == [
        ("ruff", "F401", ("pylint:W0611",)), ("pylint", "W0611", ("ruff:F401",)),
    ]  # fmt: skip
    assert (result.gates, result.status, result.counts()) == (both.gates, both.status, both.counts())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (finding("ruff", "F401"), finding("pylint", "W0611", line=4)),
        (finding("ruff", "F401"), finding("pylint", "W0611", path="b.py")),
        (finding("ruff", "F401"), finding("pylint", "W0612")),
        (finding("ruff", "S602"), finding("bandit", "B603")),
        (finding("bandit", "B602"), finding("detect-secrets", "secret-keyword")),
        (finding("bandit", "B105", line=0), finding("ruff", "S105", line=0)),
        (finding("own", "X"), finding("other", "X")),
        (finding("bandit", "B105"), finding("bandit", "B105")),
        (finding("a", "X", package="six", version="1"), finding("b", "Y", package="six", version="1")),
        (finding("a", "X", package="six", version="1"), finding("b", "X", package="six", version="2")),
        (finding("a", "X", package="six", version="1"), finding("b", "X", package="seven", version="1")),
    ],
)
def test_what_is_not_known_to_be_the_same_is_not(one: Finding, other: Finding) -> None:
    assert sources(stage("lint", one), stage("scan", other)) == [(), ()]


def test_a_vulnerability_is_known_again_by_any_of_its_names() -> None:
    one = finding("pip-audit", "PYSEC-2019-217", aliases=("CVE-2019-10906",), package="Jinja2", version="2.10")
    other = finding("trivy", "GHSA-1", aliases=("CVE-2019-10906",), package="jinja2", version="2.10")
    assert sources(stage("audit", one), stage("own", other)) == [("trivy:GHSA-1",), ("pip-audit:PYSEC-2019-217",)]


def test_what_a_stage_claims_itself_is_of_no_account() -> None:
    assert sources(stage("own", replace(finding("own", "X"), sources=("bandit:B105",)))) == [()]


def test_numbers_that_ruff_took_over_stand_for_the_tools_own() -> None:
    assert (meanings("ruff", "S602"), meanings("bandit", "B602")) == (("B602",), ("B602",))
    assert (meanings("ruff", "PLW0120"), meanings("pylint", "W0120")) == (("W0120",), ("W0120",))
    assert meanings("ruff", "SIM102") == meanings("ruff", "PLW012") == ()
    assert all(messages for messages in PYLINT_OF_RUFF.values())


def test_the_merged_report_tells_them_and_a_stages_own_file_does_not() -> None:
    made = report(stage("lint", finding("ruff", "S105")), stage("scan", finding("bandit", "B105")))
    document = json.loads(json_report.render(made))
    assert [f["sources"] for f in document["findings"]] == [["bandit:B105"], ["ruff:S105"]]
    alone = report(stage("lint", finding("ruff", "S105")))
    assert document["results"]["lint"] == json.loads(json_report.render(alone))["results"]["lint"]


FINDINGS = st.builds(
    finding,
    st.sampled_from(["ruff", "pylint", "bandit", "detect-secrets", "own"]),
    st.sampled_from(["F401", "W0611", "S105", "B105", "PLW0120", "W0120"]),
    line=st.integers(1, 2),
    path=st.sampled_from(["a.py", "b.py"]),
)


@given(st.lists(st.lists(FINDINGS, max_size=5), max_size=3))
def test_nothing_but_the_sources_changes_and_they_are_mutual(findings: list[list[Finding]]) -> None:
    results = [stage(f"s{number}", *found) for number, found in enumerate(findings)]
    told = with_sources(results)
    assert [replace(r, findings=tuple(replace(f, sources=()) for f in r.findings)) for r in told] == results
    assert with_sources(told) == told
    every = [f for r in told for f in r.findings]
    for one in every:
        assert not any(source.startswith(f"{one.tool}:") for source in one.sources)
        for source in one.sources:
            others = [f for f in every if f"{f.tool}:{f.rule}" == source and (f.path, f.line) == (one.path, one.line)]
            assert others
            assert all(f"{one.tool}:{one.rule}" in other.sources for other in others)
