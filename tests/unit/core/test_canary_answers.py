"""What an answer says, what changes in it by itself, and what of a candidate's answers deviates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.canary_answers import OTHERS, Answers, altered, described, deviation, profile, together

HEADERS = (("Content-Type", "application/json"), ("Date", "now"), ("X-Id", "1"), ("Vary", "a"), ("vary", "b"))


def of(*bodies: Any, headers: Mapping[str, str] | None = None, status: int = 200) -> Answers:
    named = tuple((headers or {"Content-Type": "application/json"}).items())
    return profile(described(status, named, json.dumps(body).encode()) for body in bodies)


def told(release: Answers, candidate: Answers, *, values: bool = True) -> str:
    return "; ".join(deviation(release, candidate, values=values).told)


def test_an_answer_as_items() -> None:
    items = described(200, HEADERS, b'{"a": [1, "x"], "b": {"c": null}, "d": true}')
    assert items["status"] == "200" and items["header vary"] == "a, b" and "header date" not in items
    assert items["type of $.a"] == "array" and items["length of $.a"] == "2"
    assert items["type of $.a[]"] == "number | string" and items["$.b.c"] == "null"
    assert items["type of $.d"] == "boolean"
    assert described(200, (), b"")["body"] == "empty"
    assert described(200, (), b"{broken")["body"].startswith("7 bytes, sha256 ")
    assert len(described(200, (), json.dumps({"a": "x" * 999}).encode())["$.a"]) < 120


def test_the_same_answers_do_not_deviate_and_times_and_addresses_are_learnt() -> None:
    release = of(*({"t": n, "msg": "hi", "url": f"http://x:{n % 2}"} for n in range(9)))
    assert release.items["$.t"][OTHERS] > 0
    assert not deviation(release, of({"t": 77, "msg": "hi", "url": "http://x:7"}), values=True).answers


@pytest.mark.parametrize(
    ("candidate", "values", "schema"),
    [
        (of({"msg": "ho"}), '$.msg was "hi" and is "ho"', ""),
        (of({"msg": 1}), "type of $.msg was string and is number", "type of $.msg was string and is number"),
        (of({}), "$.msg is missing", "type of $.msg is missing"),
        (of({"msg": "hi", "new": 1}), "$.new is new", ""),
        (of({"msg": "hi"}, status=201), "status was 200 and is 201", "status was 200 and is 201"),
        (of({"msg": "hi"}, headers={"Content-Type": "text/plain"}), "header content-type", "header content-type"),
        (of({"msg": "hi"}, headers={"Content-Type": "application/json", "X": "1"}), "header x is new", ""),
        (
            of({"msg": "hi"}, headers={"Server": "s"}),
            "header content-type is missing",
            "header content-type is missing",
        ),
    ],
)
def test_what_deviates(candidate: Answers, values: str, schema: str) -> None:
    release = of(*[{"msg": "hi"}] * 5)
    assert values in told(release, candidate)
    found = told(release, candidate, values=False)
    assert schema in found and bool(schema) == bool(found)


def test_only_those_that_deviate_are_counted() -> None:
    candidate = of({"msg": "hi"}, {"msg": "ho"}, {"msg": "hi"}, {"msg": "he"})
    assert deviation(of({"msg": "hi"}), candidate, values=True).answers == 2
    assert not deviation(Answers(), candidate, values=True).answers
    assert deviation(candidate, altered(candidate), values=True).answers == 4
    assert altered(Answers()) == Answers()


def test_two_sides_together_are_as_one_and_a_count_that_can_not_be_is_refused() -> None:
    one, two = of({"a": 1}, {"a": 2}), of({"a": 2})
    assert together(one, two) == of({"a": 1}, {"a": 2}, {"a": 2})
    with pytest.raises(ValueError, match="not in more answers"):
        Answers(total=1, items={"status": {"200": 2}})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=12,
    )
)
def test_any_body_is_described_and_equals_itself(body: Any) -> None:
    release = of(body, body)
    assert not deviation(release, of(body), values=True).answers
