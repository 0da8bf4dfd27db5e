"""What a change does to the settings that it is held to, key by key; what can't be told counts as loosening."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.policy_difference import Difference, Effect, Policy, judged, setting_differences, told, way_of
from pipeline.settings import Settings
from pipeline.settings_cache import Cache
from pipeline.settings_loading import policy

EXCLUDED = {"path": "generated", "reason": "Made by a compiler."}


def effects(name: str, before: Any, after: Any, *gone: str) -> list[tuple[Effect, str]]:
    """What one key's change comes to; ``gone`` are paths that are not there any more."""
    found = setting_differences({name: before}, {name: after}, lambda path: path not in gone)
    return [(difference.effect, difference.sentence) for difference in found]


def effect(name: str, before: Any, after: Any) -> Effect:
    """The only difference's effect."""
    (only,) = effects(name, before, after)
    return only[0]


@pytest.mark.parametrize(
    ("name", "tight", "loose"),
    [
        ("lint.score_floor", 10.0, 9.0),
        ("lint.score_floor", 1.0, None),
        ("test.coverage_floor", 95.0, 94.9),
        ("test.minimum", 10, 1),
        ("canary.requests", 200, 50),
        ("lint.max_complexity", 10, 11),
        ("lint.max_noqa", 0, 1),
        ("lint.max_noqa", 100, None),
        ("audit.max_age_days", 7, 3650),
        ("build.max_size_mb", 50.0, None),
        ("canary.max_p95_ms", 250.0, 500.0),
        ("canary.tolerance", 0.2, 0.4),
        ("lint.score_tolerance", 0.0, 0.1),
        ("test.coverage_tolerance", 0.0, 5.0),
        ("waiver_max_days", 30, 180),
        ("smoke.memory_mb", 128, 1024),
        ("smoke.dose", "full", "standard"),
        ("smoke.openapi", "service/openapi.json", ""),
        ("smoke.fuzz_s", 60, 5),
        ("smoke.load_connections", 32, 2),
        ("smoke.max_growth_mb", 2.0, 200.0),
        ("smoke.stalled_s", 30.0, 300.0),
        ("scan.fail_on", "medium", "high"),
        ("audit.fail_on", "low", "critical"),
        ("scan.confidence", "low", "high"),
        ("push.insecure", False, True),
        ("lint.expect_nothing", "", "There is none."),
        ("suppressions_need_reasons", True, False),
        ("spdx.max_files", 3, 4),
        ("spdx.floor", 3, 2),
    ],
)
def test_a_key_goes_one_way_and_back(name: str, tight: Any, loose: Any) -> None:
    assert effect(name, tight, loose) is Effect.LOOSENS
    assert effect(name, loose, tight) is Effect.TIGHTENS


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("test.markers", "not slow", "not slow and not ugly"),
        ("audit.lock", "requirements.txt", "other.txt"),
        ("build.base", "locked", "dockerfile"),
        ("spdx.header", "MIT", "BSD"),
        ("scan.fail_on", "medium", "sometimes"),
        ("lint.max_complexity", 10, "ten"),
        ("spdx.lists", ["a"], ["b"]),
    ],
)
def test_what_can_t_be_told_counts_as_loosening_both_ways(name: str, before: Any, after: Any) -> None:
    for one, other in ((before, after), (after, before)):
        ((found, sentence),) = effects(name, one, other)
        assert found is Effect.LOOSENS
        assert sentence.endswith("and which way that goes is not known.")


@pytest.mark.parametrize(
    "name", ["lint.timeout_s", "smoke.ready_timeout_s", "push.registry", "name", "test.environment"]
)
def test_timeouts_and_names_demand_nothing(name: str) -> None:
    assert effect(name, "a", "b") is Effect.NEUTRAL


def test_another_excuse_for_the_same_is_neutral() -> None:
    assert effect("lint.expect_nothing", "There is none.", "There is none yet.") is Effect.NEUTRAL


def test_a_stage_that_is_not_required_any_more_loosens() -> None:
    assert effects("required", ["lint", "scan"], ["lint", "test"]) == [
        (Effect.LOOSENS, "required no longer names scan."),
        (Effect.TIGHTENS, "required also names test."),
    ]


def test_a_path_that_is_no_longer_looked_at_loosens_unless_it_is_gone_or_lies_below_another() -> None:
    assert effects("sources", ["a", "old", "b/c"], ["b"], "old") == [
        (Effect.LOOSENS, "sources no longer names a."),
        (Effect.NEUTRAL, "sources no longer names b/c, which lies below another that it names."),
        (Effect.NEUTRAL, "sources no longer names old, which is not there any more."),
        (Effect.TIGHTENS, "sources also names b."),
    ]


def test_a_request_of_the_canary_is_no_path() -> None:
    assert effect("canary.paths", ["/", "/echo"], ["/"]) is Effect.LOOSENS


def test_the_order_of_paths_is_neutral() -> None:
    assert effect("lint.paths", ["a", "b"], ["b", "a"]) is Effect.NEUTRAL


def test_an_exclusion_loosens_and_its_end_tightens() -> None:
    assert effects("lint.exclude", [], [EXCLUDED]) == [
        (Effect.LOOSENS, "lint.exclude excludes generated (Made by a compiler).")
    ]
    assert effect("lint.exclude", [EXCLUDED], []) is Effect.TIGHTENS


def test_an_exclusion_within_another_and_another_reason_are_neutral() -> None:
    narrower = {"path": "generated/api", "reason": "Made by a compiler."}
    assert [found for found, _ in effects("lint.exclude", [EXCLUDED], [narrower])] == [Effect.NEUTRAL, Effect.TIGHTENS]
    assert effect("lint.exclude", [EXCLUDED], [{**EXCLUDED, "reason": "Another."}]) is Effect.NEUTRAL


@pytest.mark.parametrize("name", sorted({*policy(Settings())} - {"against", "waivers"}))
def test_every_key_of_the_policy_goes_a_known_way(name: str) -> None:
    unclear = {
        "test.markers", "smoke.markers", "canary.markers", "audit.lock", "audit.requirements", "audit.advisories",
        "test.requirements", "build.base",
    }  # fmt: skip
    assert bool(way_of(name)) != (name in unclear), f"say in _WAYS which way {name} goes"


@pytest.mark.parametrize(("before", "after"), [("required", "auto"), ("auto", "off"), ("required", "off")])
def test_less_signing_loosens_and_more_tightens(before: str, after: str) -> None:
    assert effect("push.sign", before, after) is Effect.LOOSENS
    assert effect("push.sign", after, before) is Effect.TIGHTENS
    assert effect("push.sign", before, "unheard-of") is Effect.LOOSENS


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["low", "high", "", "x"]),
    st.lists(st.sampled_from(["a", "a/b", "c"]), max_size=3, unique=True),
)  # fmt: skip
NAMES = st.sampled_from(
    ["lint.score_floor", "lint.max_noqa", "scan.fail_on", "required", "sources", "push.insecure", "spdx.x", "name"]
)


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.dictionaries(NAMES, VALUES, max_size=4))
def test_equal_settings_have_no_difference_and_others_have_one_each(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    listing = {"required", "sources"}
    before, after = (
        {n: v for n, v in values.items() if (n in listing) == isinstance(v, list)} for values in (before, after)
    )
    found = setting_differences(before, after, lambda path: True)
    changed = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
    silent = {n for n in changed & listing if not before.get(n) and not after.get(n)}
    assert changed - silent <= {difference.subject for difference in found} <= changed
    assert all(difference.sentence.endswith(".") for difference in found)


def test_what_loosens_comes_first() -> None:
    found = [told("b", Effect.NEUTRAL, "B."), told("c", Effect.LOOSENS, "C."), told("a", Effect.TIGHTENS, "A.")]
    assert [difference.subject for difference in judged(found)] == ["c", "a", "b"]
    assert isinstance(judged(found)[0], Difference)


def test_the_digest_is_of_everything_but_the_revision() -> None:
    base = Policy(values={"a": 1, "against": "x"}, files={"noxfile.py": "x"})
    assert base.digest == Policy(values={"a": 1, "against": "y"}, files={"noxfile.py": "x"}).digest
    assert base.digest != Policy(values={"a": 2}, files={"noxfile.py": "x"}).digest
    assert base.digest != Policy(values={"a": 1}, files={"noxfile.py": "y"}).digest


def test_each_expectation_that_goes_loosens_and_each_that_comes_tightens() -> None:
    before = {"user": "1", "cmd": ["a", "b"], "ports": ["1", "2"], "files": [{"path": "/a"}], "labels": {"x": "1"}}
    after = {"user": "2", "cmd": ["a", "b"], "ports": ["2"], "files": [{"path": "/a"}, {"path": "/b"}]}
    assert effects("build.expect", before, after) == [
        (Effect.LOOSENS, 'build.expect no longer expects labels.x: "1".'),
        (Effect.LOOSENS, 'build.expect no longer expects ports: "1".'),
        (Effect.LOOSENS, 'build.expect no longer expects user: "1".'),
        (Effect.TIGHTENS, 'build.expect expects files: {"path": "/b"}.'),
        (Effect.TIGHTENS, 'build.expect expects user: "2".'),
    ]


def test_a_further_licence_loosens_and_a_list_where_there_was_none_tightens() -> None:
    assert effect("build.licences", [], ["MIT"]) is Effect.TIGHTENS
    assert effect("build.licences", ["MIT"], []) is Effect.LOOSENS
    assert effects("build.licences", ["MIT"], ["ISC"]) == [
        (Effect.LOOSENS, "build.licences also has ISC."),
        (Effect.TIGHTENS, "build.licences no longer has MIT."),
    ]
    assert effects("build.licence_of", {}, {"a": "MIT"}) == [(Effect.LOOSENS, "build.licence_of also has a: MIT.")]
    assert effect("build.debian_advisories", "debian.zip", "") is Effect.LOOSENS


@pytest.mark.parametrize(
    ("name", "stricter", "weaker"),
    [
        ("cache.max_age_hours", 24.0, 240.0),
        ("cache.max_age_days", 30.0, 3650.0),
        ("audit.max_age_days", 7, 3650),
        ("cache.fresh", "always", "auto"),
        ("cache.fresh", "auto", "never"),
        ("cache.write", "never", "auto"),
        ("cache.write", "auto", "always"),
    ],
)
def test_earlier_results_that_count_for_more_loosen(name: str, stricter: Any, weaker: Any) -> None:
    assert effect(name, stricter, weaker) is Effect.LOOSENS
    assert effect(name, weaker, stricter) is Effect.TIGHTENS


def test_another_folder_of_results_loosens_whichever_it_is_and_their_size_does_not() -> None:
    assert effect("cache.dir", "", "kept") is Effect.LOOSENS
    assert effect("cache.dir", "kept", "") is Effect.LOOSENS
    assert effect("cache.dir", "kept", "other") is Effect.LOOSENS
    assert effect("cache.max_mb", 500, 5000) is Effect.NEUTRAL


@pytest.mark.parametrize("item", fields(Cache), ids=lambda item: item.name)
def test_every_key_of_the_cache_goes_a_known_way(item: Field[Any]) -> None:
    assert way_of(f"cache.{item.name}")
