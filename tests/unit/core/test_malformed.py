"""Malformed requests: each is really malformed, and which replies to it are wrong."""

from __future__ import annotations

import pytest

from pipeline.core.malformed import Case, Tried, cases, fault, planted_faults, stalling
from pipeline.core.wire import Reply

CASE = Case(name="a case", parts=(b"GE(T) / HTTP/1.1\r\n\r\n",))
EVERY = {case.name: case for case in cases("/ready")}


def reply(*statuses: int, closed: bool = True) -> Reply:
    """Answers with these statuses."""
    return Reply(
        text="".join(f"HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n" for status in statuses), closed=closed
    )


@pytest.mark.parametrize("status", [400, 404, 405, 408, 411, 413, 414, 417, 431, 501, 505])
def test_a_refusal_is_right(status: int) -> None:
    assert fault(Tried(case=CASE, reply=reply(status), afterwards=200), 200) == ""


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (reply(500), "status 500"),
        (reply(502), "status 502"),
        (reply(503), "status 503"),
        (reply(200), "status 200"),
        (reply(400, 200), "a second request was seen in it"),
        (Reply(seconds=3.0), "neither an answer nor an end within 3.0 s"),
    ],
)
def test_a_failure_obedience_a_second_answer_and_silence_are_wrong(seen: Reply, why: str) -> None:
    assert fault(Tried(case=CASE, reply=seen, afterwards=200), 200) == why


@pytest.mark.parametrize(
    "seen", [Reply(closed=True), Reply(error="ConnectionResetError"), Reply(text="?", closed=True)]
)
def test_a_closed_connection_is_right(seen: Reply) -> None:
    assert fault(Tried(case=CASE, reply=seen, afterwards=200), 200) == ""


def test_a_service_that_does_not_answer_afterwards_is_at_fault_whatever_it_said() -> None:
    assert fault(Tried(case=CASE, reply=reply(400), afterwards=0), 200) == "no answer to an ordinary request afterwards"
    assert fault(Tried(case=CASE, reply=reply(400), afterwards=500), 200).startswith("status 500 to an ordinary")


def test_to_obey_chunks_beside_a_length_is_allowed_but_not_to_read_on() -> None:
    case = EVERY["chunks beside a length"]
    assert fault(Tried(case=case, reply=reply(200), afterwards=200), 200) == ""
    assert fault(Tried(case=case, reply=reply(200, 404), afterwards=200), 200) == "a second request was seen in it"


def test_of_a_client_that_is_gone_only_what_follows_is_judged() -> None:
    case = EVERY["close within a chunk"]
    assert fault(Tried(case=case, reply=Reply(), afterwards=200), 200) == ""
    assert fault(Tried(case=case, reply=Reply(), afterwards=0), 200)


def test_interim_answers_are_none() -> None:
    assert reply(100, 400).statuses == (400,)
    assert Reply(text="HTTP/1.1 400\r\n\r\n").status == 400
    assert Reply(text="<html>").status == 0


def test_every_planted_fault_is_one() -> None:
    assert all(fault(planted, 200) for planted in planted_faults())


def test_the_cases_have_names_of_their_own_and_aim_at_the_path() -> None:
    assert len(EVERY) == len(cases("/ready")) >= 20
    aimed = [case for case in EVERY.values() if b"/ready" in case.parts[0]]
    assert len(aimed) >= len(EVERY) - 3


def test_the_lengths_that_hide_a_request_are_its_own() -> None:
    for name in ("two different lengths", "list of lengths"):
        head, body = EVERY[name].parts
        assert b"%d" % len(body) in head, name
    head, body = EVERY["chunks beside a length"].parts
    assert b"Content-Length: %d" % len(body) in head


def test_who_stalls_has_begun_something_that_is_not_whole() -> None:
    header, body, chunk = stalling("/ready")
    assert b"\r\n\r\n" not in header
    assert b"Content-Length: 100" in body
    assert b"chunked" in chunk
