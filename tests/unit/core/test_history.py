"""The history as text: what is kept and forgotten, and that no line can trip whoever reads it."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import history
from pipeline.core.history import HistoryEntry, PastStage, before, bounded, last_green, parse, text_of, union, with_runs
from pipeline.core.stage import Status
from tests.samples import TEXT, WORDS

PAST_STAGES = st.builds(
    PastStage,
    name=WORDS,
    status=st.sampled_from(list(Status)),
    duration_s=st.integers(0, 10_000_000).map(lambda ms: ms / 1000),
    cached=st.booleans(),
    findings=st.dictionaries(st.sampled_from(["high", "low"]), st.integers(0, 9)),
    waived=st.integers(0, 9),
    prints=st.one_of(st.none(), st.lists(st.sampled_from(["0a1b", "2c3d"]), max_size=2).map(tuple)),
)
ENTRIES = st.builds(
    HistoryEntry,
    run=WORDS,
    started=st.integers(0, 59).map(lambda second: f"2026-01-01T00:00:{second:02}.000Z"),
    finished=st.just("2026-01-02T00:00:00.000Z"),
    commit=TEXT,
    branch=TEXT,
    dirty=st.booleans(),
    snapshot=TEXT,
    policy=TEXT,
    verdict=st.sampled_from(list(Status)),
    stages=st.lists(PAST_STAGES, max_size=2).map(tuple),
    score=st.one_of(st.none(), st.floats(0, 10)),
    coverage=st.one_of(st.none(), st.floats(0, 100)),
)


def entry(number: int, verdict: Status = Status.PASS, **values: Any) -> HistoryEntry:
    made = HistoryEntry(
        run=f"run-{number}",
        started=f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000Z",
        finished="2026-01-02T00:00:00.000Z",
        commit="c" * 40,
        branch="main",
        dirty=False,
        snapshot="s" * 64,
        policy="p" * 64,
        verdict=verdict,
        stages=(PastStage(name="lint", status=verdict, findings={"low": 1}, prints=("a" * 12,)),),
    )
    return replace(made, **values)


@given(st.lists(ENTRIES, max_size=4, unique_by=lambda made: made.run))
def test_the_runs_come_back_in_the_order_of_their_beginnings(entries: list[HistoryEntry]) -> None:
    text = text_of(entries)
    assert text.isascii()
    assert text.count("\n") == len(entries)
    assert parse(text) == (tuple(sorted(entries, key=lambda made: (made.started, made.run))), ())


GOOD = json.loads(text_of([entry(1)]))


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({**GOOD, "schema": "pipeline.history/v2"}),
        json.dumps({**GOOD, "run": ""}),
        json.dumps({**GOOD, "started": "yesterday"}),
        json.dumps({**GOOD, "started": "2026-01-01"}),
        json.dumps({**GOOD, "started": "2026-13-01T00:00:00.000Z"}),
        json.dumps({**GOOD, "verdict": "green"}),
        json.dumps({**GOOD, "score": "ten"}),
        json.dumps({**GOOD, "score": float("nan")}),
        json.dumps(GOOD)[:-1].replace('"score": null', '"score": 1e999') + "}",
        json.dumps({**GOOD, "stages": [{"name": "lint", "status": "pass", "duration_s": -1}]}),
        json.dumps({**GOOD, "stages": [{"name": "lint", "status": "pass", "findings": {"low": -1}}]}),
        text_of([entry(3)])[:-9],
    ],
)
def test_a_damaged_line_is_left_out_with_a_note_that_names_it(line: str) -> None:
    entries, notes = parse(f"{text_of([entry(1)])}{line}\n\n{text_of([entry(2)])}")
    assert [made.run for made in entries] == ["run-1", "run-2"]
    assert len(notes) == 1
    assert notes[0].startswith("Line 2 of history.jsonl is damaged and was left out: ")
    assert notes[0].endswith(".")


def test_names_of_a_later_release_are_passed_over() -> None:
    assert parse(json.dumps({**GOOD, "later": [1]})) == ((entry(1),), ())


def test_a_run_has_one_line_and_the_later_state_counts() -> None:
    first, second = entry(1, Status.NOT_RUN), entry(2)
    assert with_runs((first, second), [replace(first, verdict=Status.FAIL)])[0].verdict is Status.FAIL
    assert [made.verdict for made in parse(text_of([first, entry(1)]))[0]] == [Status.PASS]


def test_the_oldest_lines_go_when_there_are_too_many() -> None:
    kept = bounded(entry(number) for number in range(history.MOST_ENTRIES + 7))
    assert len(kept) == history.MOST_ENTRIES
    assert (kept[0].run, kept[-1].run) == ("run-7", f"run-{history.MOST_ENTRIES + 6}")


def test_the_oldest_lines_go_when_there_are_too_many_bytes() -> None:
    kept = bounded(entry(number, branch="b" * 100_000) for number in range(50))
    assert len(text_of(kept)) <= history.MOST_BYTES
    assert kept[-1].run == "run-49"
    assert len(kept) >= history.MOST_BYTES // 101_000
    assert not bounded([entry(1, branch="b" * history.MOST_BYTES)])


def test_only_the_last_green_run_remembers_fingerprints() -> None:
    kept = bounded([entry(1), entry(2), entry(3, Status.FAIL)])
    assert [made.stages[0].prints for made in kept] == [None, ("a" * 12,), None]
    assert last_green(kept) == entry(2)
    assert last_green([entry(1, Status.FAIL)]) is None


def test_a_report_shows_what_began_before_it_and_a_bounded_number_of_runs() -> None:
    every = tuple(entry(number) for number in range(history.MOST_SHOWN + 20))
    own = every[history.MOST_SHOWN + 10]
    earlier = before(every, run=own.run, started=own.started)
    assert [made.run for made in earlier] == [made.run for made in every[: history.MOST_SHOWN + 10]]
    assert history.shown(earlier) == earlier[10:]
    joined = before(every, run="run-3", started=every[5].started)
    assert "run-3" not in {made.run for made in joined}


@given(st.lists(st.lists(ENTRIES, max_size=3), max_size=3), st.randoms(use_true_random=False))
def test_several_histories_make_one_whatever_their_order(
    histories: list[list[HistoryEntry]], source: random.Random
) -> None:
    def shuffled(items: Sequence[Any]) -> list[Any]:
        return source.sample(items, len(items))

    made = union(histories)
    assert union(shuffled([shuffled(part) for part in histories])) == made
    assert {one.run for one in made} == {one.run for part in histories for one in part}


def test_numbers_of_findings_are_summed_over_the_stages() -> None:
    stages = (
        PastStage(name="lint", status=Status.PASS, findings={"low": 2, "high": 1}, waived=5),
        PastStage(name="scan", status=Status.PASS, findings={"low": 1}),
    )
    made = entry(1, stages=stages)
    assert (made.findings, made.of_severity("low"), made.of_severity("critical")) == (4, 3, 0)
    assert made.stage("scan") == stages[1]
    assert made.stage("test") is None
