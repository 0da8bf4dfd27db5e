"""A waiver hides what its id, tool and scope all name, for as long as it holds, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.disposition import disposed, first_of
from pipeline.core.evidence import Evidence
from pipeline.core.finding import Severity, State, weighed
from pipeline.core.gate import findings_gate
from pipeline.core.stage import Examination
from pipeline.core.waiver import covers_path, hiding
from tests.waivers import TODAY, VULNERABILITY, make_finding, make_waiver


def test_it_hides_what_it_names() -> None:
    assert make_waiver().hides(make_finding(), TODAY)


@pytest.mark.parametrize(
    "other",
    [
        {"rule": "B102"},
        {"tool": "ruff"},
        {"path": "service/app.py"},
        {"path": "tests.py"},
        {"path": "service/tests/a.py"},
        {"path": ""},
        {"path": "tests/a.py", "package": "flask"},
    ],
)
def test_it_hides_nothing_that_differs_in_one_of_them(other: dict[str, str]) -> None:
    assert not make_waiver().covers(make_finding(**other))


@pytest.mark.parametrize("name", ["PYSEC-2024-1", "CVE-2024-1", "GHSA-aaaa-bbbb-cccc", "f" * 32])
@pytest.mark.parametrize("package", ["flask-thing", "Flask.Thing", "flask_thing"])
def test_a_vulnerability_is_named_by_any_of_its_names_and_by_its_package(name: str, package: str) -> None:
    assert make_waiver(id=name, tool="pip-audit", scope=package).hides(VULNERABILITY, TODAY)


@pytest.mark.parametrize("scope", ["flask", "service/requirements.txt", "service/**", "flask-thin?"])
def test_a_vulnerability_of_another_package_of_the_same_lock_is_out_of_scope(scope: str) -> None:
    assert not make_waiver(id="CVE-2024-1", tool="pip-audit", scope=scope).covers(VULNERABILITY)


@pytest.mark.parametrize(("left", "hides"), [(1, True), (0, True), (-1, False)])
def test_it_holds_through_its_last_day_and_not_beyond(left: int, hides: bool) -> None:
    waiver = make_waiver(expires=TODAY + timedelta(days=left))
    assert waiver.days_left(TODAY) == left
    assert waiver.hides(make_finding(), TODAY) is hides
    assert waiver.covers(make_finding())


def test_until_fixed_ends_with_the_first_version_that_has_the_fix() -> None:
    waiver = make_waiver(id="CVE-2024-1", tool="pip-audit", scope="flask-thing", until_fixed=True)
    fixed = replace(VULNERABILITY, fix="1.1")
    assert waiver.hides(VULNERABILITY, TODAY)
    assert not waiver.hides(fixed, TODAY)
    assert make_waiver(id="CVE-2024-1", tool="pip-audit", scope="flask-thing").hides(fixed, TODAY)


def test_until_fixed_means_packages_and_not_the_advice_of_a_linter() -> None:
    assert make_waiver(until_fixed=True).hides(make_finding(fix="Remove the assert"), TODAY)


@pytest.mark.parametrize(
    ("glob", "path", "covered"),
    [
        ("a.py", "a.py", True),
        ("a.py", "b/a.py", False),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/b/a.py", False),
        ("src/**", "src/b/c/a.py", True),
        ("src/**", "srcs/a.py", False),
        ("src/**/a.py", "src/a.py", True),
        ("src/**/a.py", "src/b/c/a.py", True),
        ("**/a.py", "a.py", True),
        ("**/tests/**/test_*.py", "x/tests/y/z/test_q.py", True),
        ("src/a**", "src/a/b.py", False),
        ("src/?.py", "src/ab.py", False),
        ("src/[ab].py", "src/b.py", True),
        ("src", "src/a.py", False),
        ("SRC/a.py", "src/a.py", False),
        ("ü/*", "ü/🐍.py", True),
        ("a.c", "abc", False),
        ("src/*", "src/a\nb.py", True),
    ],
)
def test_a_glob_covers_parts_and_never_more(glob: str, path: str, covered: bool) -> None:
    assert covers_path(glob, path) is covered


def test_a_glob_that_would_keep_a_regular_expression_busy_for_ever_is_answered_at_once() -> None:
    assert not covers_path("/".join(["**", "*a*a*a*a*a*b"] * 30), "/".join(["a" * 60] * 60))


PARTS = st.lists(st.sampled_from(["a", "b", "ab", "a.py"]), min_size=1, max_size=5)
GLOBS = st.lists(st.sampled_from(["a", "*", "**", "a*", "?", "[ab]", "*.py"]), min_size=1, max_size=5)


@given(GLOBS, PARTS)
def test_a_glob_means_what_its_definition_says(glob: list[str], path: list[str]) -> None:
    def covered(parts: list[str], names: list[str]) -> bool:
        if not parts:
            return not names
        if parts[0] == "**":
            return any(covered(parts[1:], names[skipped:]) for skipped in range(len(names) + 1))
        return bool(names) and fnmatchcase(names[0], parts[0]) and covered(parts[1:], names[1:])

    assert covers_path("/".join(glob), "/".join(path)) == covered(glob, path)


def test_the_first_disposition_that_knows_a_finding_decides() -> None:
    waived, existing = make_finding(), make_finding(rule="B105")
    known = frozenset({"B101", "B105"})
    state = first_of((hiding((make_waiver(),), TODAY), lambda f: State.EXISTING if f.rule in known else State.NEW))
    assert [state(f) for f in (waived, existing, make_finding(rule="B1"))] == [State.WAIVED, State.EXISTING, State.NEW]
    assert first_of(())(waived) is State.NEW


def test_what_is_waived_does_not_count_and_stays() -> None:
    findings = weighed((make_finding(), make_finding(path="service/app.py")), fail_on=Severity.MEDIUM)
    gate = findings_gate(findings, what="findings", fail_on=Severity.MEDIUM)
    seen = Examination(evidence=Evidence.of("files", expected=("a",), checked=()), gates=(gate,), findings=findings)
    after = disposed(seen, hiding((make_waiver(),), TODAY))
    assert [(f.path, f.state) for f in after.findings] == [
        ("service/app.py", State.NEW), ("tests/unit/test_a.py", State.WAIVED),
    ]  # fmt: skip
    assert (gate.found, after.gates[0].found) == ("2", "1")
    assert after.evidence == seen.evidence, "a waiver is no evidence"


@given(st.lists(st.sampled_from(["B101", "B102", "B105"])), st.sampled_from(["tests/**", "service/*", "**/a.py"]))
def test_only_what_a_waiver_covers_is_ever_waived(rules: list[str], scope: str) -> None:
    waiver = make_waiver(scope=scope)
    paths = ("tests/a.py", "service/a.py", "service/b/a.py")
    for finding in (make_finding(rule=rule, path=path) for rule in rules for path in paths):
        waived = hiding((waiver,), TODAY)(finding) is State.WAIVED
        assert waived == (finding.rule == "B101" and covers_path(scope, finding.path))
