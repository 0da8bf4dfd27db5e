"""Answers before and after: what changes anyway is no difference, everything else is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.core.same_answers import unlike
from pipeline.core.wire import Reply


def reply(body: Any, status: int = 200) -> Reply:
    """An answer with this body, as JSON unless it is text."""
    text = body if isinstance(body, str) else json.dumps(body)
    return Reply(text=f"HTTP/1.1 {status} So\r\nA: b\r\n\r\n{text}")


def test_time_stamps_may_differ_and_nothing_else() -> None:
    first, second = reply({"at": 1, "a": {"b": "x"}}), reply({"at": 2, "a": {"b": "x"}})
    assert unlike(first, second, reply({"at": 3, "a": {"b": "x"}})) == ""
    assert unlike(first, second, reply({"at": 3, "a": {"b": "y"}})) == "the body's a's b is another"


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (reply({"at": "soon", "a": 1}), "the body's at is of another kind"),
        (reply({"at": 1}), "the body's a is another"),
        (reply({"at": 1, "a": 1, "more": 1}), "the body's more is another"),
        (reply([1]), "the body is no object any more"),
        (reply({"at": 1, "a": 1}, status=500), "status 500 instead of 200"),
        (Reply(), "status none instead of 200"),
    ],
)
def test_another_answer_is_told(after: Reply, why: str) -> None:
    assert unlike(reply({"at": 1, "a": 1}), reply({"at": 2, "a": 1}), after) == why


def test_texts_are_compared_as_a_whole() -> None:
    assert unlike(reply("hello"), reply("hello"), reply("hello")) == ""
    assert unlike(reply("hello"), reply("hello"), reply("bye")) == "the body is another"
    assert unlike(reply("a1"), reply("a2"), reply("a3")) == ""


def test_who_had_no_steady_answer_before_has_none_to_compare() -> None:
    assert unlike(Reply(), Reply(), reply("x")).startswith("it had no steady answer before: status none")
    assert unlike(reply("x"), reply("x", 500), reply("x")).startswith("it had no steady answer before: status 200")
