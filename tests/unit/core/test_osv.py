"""Which versions an advisory is about, what it is called, and how bad it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.advisories import AdvisoryIndex, Vulnerability, index_of, preferred, same
from pipeline.core.finding import Severity
from pipeline.core.osv import Affected, Event, Package, Range, Rating, Record, listed
from pipeline.core.version_order import normal, pep440, semver, spellings
from pipeline.core.vulnerability_rating import cvss_severity, qualitative, severity_of

V3_HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
V3_LOW = "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"
V4_CRITICAL = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def events(*pairs: str) -> tuple[Event, ...]:
    """Events from ``kind:version`` words."""
    return tuple(Event(**dict([pair.split(":", 1)])) for pair in pairs)


def ranged(*pairs: str, kind: str = "ECOSYSTEM") -> Range:
    """A range from ``kind:version`` words."""
    return Range(type=kind, events=events(*pairs))


def about(*ranges: Range, versions: Sequence[str] = (), name: str = "flask", ecosystem: str = "PyPI") -> Affected:
    """What a record says of a package."""
    return Affected(package=Package(ecosystem=ecosystem, name=name), ranges=ranges, versions=tuple(versions))


def record(*affected: Affected, name: str = "PYSEC-1", **more: object) -> Record:
    """A record with these parts; without any it is about flask before 2.0."""
    parts = affected or (about(ranged("introduced:0", "fixed:2.0")),)
    return Record(id=name, modified=DAY, affected=parts, **more)  # type: ignore[arg-type]  # what a test gives


def index(*records: Record) -> AdvisoryIndex:
    """An index of these records."""
    return index_of(records, sha256="0" * 64)


@pytest.mark.parametrize(
    ("words", "version", "expected"),
    [
        (("introduced:0", "fixed:2.0"), "1.9", True),
        (("introduced:0", "fixed:2.0"), "2.0", False),
        (("introduced:0", "fixed:2.0"), "2.0rc1", True),
        (("introduced:0", "fixed:2.0"), "0.dev0", True),
        (("introduced:1.0", "fixed:2.0"), "0.9", False),
        (("introduced:1.0", "fixed:2.0"), "1.0.0", True),
        (("introduced:1.0", "last_affected:1.5"), "1.5", True),
        (("introduced:1.0", "last_affected:1.5"), "1.5.1", False),
        (("fixed:2.0", "introduced:3.0", "fixed:3.2", "introduced:0"), "3.1", True),
        (("fixed:2.0", "introduced:3.0", "fixed:3.2", "introduced:0"), "2.5", False),
        (("fixed:2.0", "introduced:3.0", "fixed:3.2", "introduced:0"), "3.2", False),
        (("introduced:0", "fixed:1.0", "introduced:1.0", "fixed:2.0"), "1.0", True),
        (("introduced:1.0", "fixed:1.0"), "1.5", False),
        (("introduced:0", "limit:2.0"), "1.9", True),
        (("introduced:0", "limit:2.0"), "2.0", False),
        (("introduced:0", "limit:1.0", "limit:3.0"), "2.0", True),
        (("introduced:0", "limit:*"), "99", True),
        (("introduced:0",), "99", True),
        ((), "1.0", False),
        (("introduced:0", "fixed:2.0-n653"), "1.0", None),
        (("introduced:0", "fixed:2.0"), "not a version", None),
    ],
)
def test_a_range_holds_what_the_schema_says(words: tuple[str, ...], version: str, expected: bool | None) -> None:
    assert ranged(*words).holds(version) is expected


@pytest.mark.parametrize(
    ("words", "version", "expected"),
    [
        (("introduced:1.0.0-alpha.9", "fixed:1.0.0-alpha.10"), "1.0.0-alpha.9", True),
        (("introduced:1.0.0-alpha.9", "fixed:1.0.0-alpha.10"), "1.0.0-alpha.10", False),
        (("introduced:0", "fixed:1.0.0"), "1.0.0-rc.1", True),
        (("introduced:0", "fixed:1.2.3"), "1.2", True),
        (("introduced:0", "fixed:1.2"), "1.2.0+build5", False),
        (("introduced:0", "fixed:1.2.3"), "1.2.3rc1", True),
    ],
)
def test_a_semver_range_is_ordered_by_semantic_versioning(words: tuple[str, ...], version: str, expected: bool) -> None:
    assert ranged(*words, kind="SEMVER").holds(version) is expected


@given(
    st.lists(
        st.tuples(st.sampled_from(["introduced", "fixed", "last_affected"]), st.integers(0, 9)),
        unique_by=lambda e: e[1],
    ),
    st.integers(0, 10),
)
def test_a_range_is_evaluated_as_the_schema_s_own_algorithm_does(points: list[tuple[str, int]], version: int) -> None:
    vulnerable = False
    for kind, number in sorted(points, key=lambda point: point[1]):
        if kind == "introduced" and version >= number:
            vulnerable = True
        if kind == "fixed" and version >= number:
            vulnerable = False
        if kind == "last_affected" and version > number:
            vulnerable = False
    assert ranged(*(f"{kind}:{number}" for kind, number in points)).holds(str(version)) is vulnerable


def test_the_list_of_versions_counts_beside_the_ranges() -> None:
    told = about(ranged("introduced:3.0"), versions=["1.0", "legacy-1"])
    assert [told.holds(version) for version in ("1.0.0", "1.1", "3.5")] == [True, False, True]
    assert listed("legacy-1", ["legacy-1"])


def test_a_range_that_cannot_be_ordered_leaves_the_word_to_the_list_of_versions() -> None:
    odd = ranged("introduced:0", "fixed:2.0-n653")
    assert not about(odd, versions=["1.0"]).holds("1.1")
    assert about(odd, versions=["1.0"]).holds("1.0")


def test_a_range_that_cannot_be_ordered_counts_as_affected_when_nothing_else_tells() -> None:
    assert about(ranged("introduced:0", "fixed:2.0-n653")).holds("99.0")


def test_a_git_range_says_nothing_of_versions() -> None:
    assert not about(ranged("introduced:0", kind="GIT")).holds("1.0")


def test_a_local_build_is_as_vulnerable_as_the_version_it_was_built_from() -> None:
    told = about(ranged("introduced:0", "last_affected:1.0"), versions=["1.0"])
    assert told.holds("1.0+cu118")
    assert spellings("1.0+cu118") == ("1.0+cu118", "1.0")
    assert spellings("odd") == ("odd",)


def test_versions_and_names_have_one_spelling() -> None:
    assert (normal("1.0-1"), normal("v01.0.RC1"), normal("odd")) == ("1.0.post1", "1.0rc1", "odd")
    assert pep440("2013-03-27T16:32:26+0100") is None
    assert semver("1.0.0.0") is None
    assert Package(ecosystem="PyPI", name="Foo_Bar.Baz").pypi_name == "foo-bar-baz"
    assert not Package(ecosystem="npm", name="flask").pypi_name


def test_a_record_is_about_its_own_packages_only() -> None:
    told = record(
        about(ranged("introduced:0"), name="Flask"), about(ranged("introduced:0"), name="a", ecosystem="npm"), name="X"
    )
    assert told.packages == {"flask"}
    assert told.affects("flask", "1.0")
    assert not told.affects("a", "1.0")


def test_a_withdrawn_record_affects_nothing() -> None:
    assert not record(withdrawn="2024-01-01T00:00:00Z").affects("flask", "1.0")


def test_a_record_without_any_affected_part_is_about_nothing() -> None:
    empty = Record(id="X", modified=DAY, affected=(Affected(),))
    assert not empty.packages
    assert not Record(id="Y", modified=DAY).affects("flask", "1")


def test_fixed_versions_are_those_of_versions_and_not_of_commits() -> None:
    told = record(
        about(
            ranged("introduced:0", "fixed:2.0"),
            ranged("introduced:3", "fixed:3.1-n1"),
            ranged("fixed:abc1234", kind="GIT"),
        ),
        name="X",
    )
    assert {str(version) for version in told.fixed("flask")} == {"2.0"}


def test_one_vulnerability_under_three_names_is_one() -> None:
    found = index(
        record(
            aliases=("CVE-1",), summary="Short.", database_specific={"cwe_ids": ["CWE-79", "CWE-20"]}, name="GHSA-2"
        ),
        record(aliases=("CVE-1",), details="Long and wide.", name="PYSEC-1"),
        record(name="PYSEC-9"),
    ).vulnerabilities("flask", "1.0")
    assert [(v.id, v.aliases) for v in found] == [("PYSEC-1", ("CVE-1", "GHSA-2")), ("PYSEC-9", ())]
    assert (found[0].text, found[0].cwe, found[0].fixed) == ("Short.", (20, 79), ("2.0",))
    assert found[0].ids == {"PYSEC-1", "CVE-1", "GHSA-2"}


def test_names_join_through_a_third_that_comes_last() -> None:
    names = {"a": {"1"}, "b": {"2"}, "c": {"1", "2"}, "d": {"3"}}
    groups = same("abcd", lambda item: names[item])
    assert sorted(map(sorted, groups)) == [["a", "b", "c"], ["d"]]


@given(st.lists(st.frozensets(st.integers(0, 12), min_size=1, max_size=3), max_size=12))
def test_joining_names_is_what_repeated_merging_gives(items: list[frozenset[int]]) -> None:
    merged = [set(item) for item in items]
    for _ in items:
        for one in merged:
            for other in merged:
                if one & other:
                    one |= other
                    other |= one
    expected = {frozenset(one) for one in merged}
    groups = same(items, lambda item: map(str, item))
    assert {frozenset(number for item in group for number in item) for group in groups} == expected
    assert sum(len(group) for group in groups) == len(items)


def test_a_vulnerability_goes_by_the_name_that_pip_audit_prefers() -> None:
    assert preferred(["GHSA-1", "CVE-1", "PYSEC-1", "GHSA-1"]) == ("PYSEC-1", "CVE-1", "GHSA-1")


def test_the_index_knows_its_newest_change_and_its_size() -> None:
    later = Record(
        id="B", modified=datetime(2026, 2, 1, tzinfo=UTC), affected=(about(ranged("introduced:0"), name="b"),)
    )
    both = index(record(), later)
    assert (both.newest, both.count, sorted(both.by_package)) == (later.modified, 2, ["b", "flask"])
    assert not both.vulnerabilities("unheard-of", "1.0")


def test_the_sample_is_vulnerable_by_the_index_itself() -> None:
    last = record(about(ranged("introduced:0.5", "last_affected:0.7"), name="zope"), name="L")
    assert index(last).sample() == ("zope", "0.5")
    assert index(record(about(versions=["odd", "1.0+local", "1.2"]), withdrawn=None, name="V")).sample() == (
        "flask",
        "1.2",
    )
    assert index(record()).sample() == ("flask", "0")


def test_a_snapshot_of_withdrawn_records_has_no_sample() -> None:
    assert index(record(withdrawn="2024-01-01T00:00:00Z")).sample() is None


@pytest.mark.parametrize(
    ("scheme", "vector", "expected"),
    [
        ("CVSS_V3", V3_HIGH, Severity.HIGH),
        ("CVSS_V3", V3_LOW, Severity.LOW),
        ("CVSS_V4", V4_CRITICAL, Severity.CRITICAL),
        ("CVSS_V2", "AV:N/AC:L/Au:N/C:P/I:P/A:P", Severity.HIGH),
        ("CVSS_V3", "CVSS:3.1/AV:N", Severity.UNKNOWN),
        ("CVSS_V3", "7.5", Severity.UNKNOWN),
        ("CVSS_V3", "", Severity.UNKNOWN),
        ("Ubuntu", "high", Severity.UNKNOWN),
    ],
)
def test_a_vector_is_rated_by_its_base_score(scheme: str, vector: str, expected: Severity) -> None:
    assert cvss_severity(scheme, vector) is expected


def test_the_words_for_scores_change_at_the_published_bounds() -> None:
    words = [str(qualitative(score)) for score in (0.0, 0.1, 3.9, 4.0, 6.9, 7.0, 8.9, 9.0, 10.0)]
    assert words == ["info", "low", "low", "medium", "medium", "high", "high", "critical", "critical"]


def test_a_vector_is_believed_before_a_word_and_the_worst_of_several_counts() -> None:
    low = record(severity=(Rating(type="CVSS_V3", score=V3_LOW),), database_specific={"severity": "CRITICAL"}, name="A")
    word = record(database_specific={"severity": "moderate"}, name="B")
    silent = record(name="C")
    odd = record(severity=(Rating(type="CVSS_V3", score="?"),), database_specific={"severity": "HIGH"}, name="D")
    assert severity_of([low], "flask") is Severity.LOW
    assert severity_of([word, low, silent], "flask") is Severity.MEDIUM
    assert severity_of([odd], "flask") is Severity.HIGH
    assert severity_of([silent], "flask") is Severity.UNKNOWN


def test_a_severity_that_belongs_to_another_package_is_not_taken() -> None:
    rated = Affected(
        package=Package(ecosystem="PyPI", name="other"),
        severity=(Rating(type="CVSS_V3", score=V3_HIGH),),
        versions=("1",),
    )
    told = record(about(ranged("introduced:0")), rated, name="A")
    assert severity_of([told], "flask") is Severity.UNKNOWN
    assert severity_of([told], "other") is Severity.HIGH


def test_a_vulnerability_needs_no_more_than_a_name() -> None:
    assert Vulnerability(id="X").ids == {"X"}
