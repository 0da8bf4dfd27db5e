"""A merged report comes back whole, so that every format can be made again from it; later releases may add names."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.change import change_since_last_green
from pipeline.core.policy_difference import Difference, Effect
from pipeline.core.run_record import Against, Report
from pipeline.core.stage import StageResult, not_run
from pipeline.reporters import FORMATS, json_reading, json_report
from tests.samples import TEXT, passed, report, results
from tests.unit.core.test_history import ENTRIES
from tests.waivers import make_finding, make_waiver


def of_run(made: Report) -> Report:
    """As a run makes it: its stages are those of the results, which are about its snapshot and policy."""
    record = replace(made.record, stages=tuple(result.name for result in made.results))
    about: dict[str, Any] = {"snapshot": record.snapshot, "policy": record.policy_digest}
    stages = tuple(replace(r, **about, duration_s=round(r.duration_s, 3)) for r in made.results)
    return replace(made, record=record, results=stages)


@settings(max_examples=40)
@given(results(), results("scan"), st.one_of(st.none(), ENTRIES), TEXT)
def test_a_report_comes_back_whole_and_makes_every_format_again(
    one: StageResult, other: StageResult, green: Any, branch: str
) -> None:
    made = of_run(report(one, other, not_run("test", "It was not selected.")))
    made = replace(made, record=replace(made.record, last_green=green, branch=branch))
    back = json_reading.parse_report(json_report.render(made))
    assert back == made
    assert change_since_last_green(back) == change_since_last_green(made)
    for form in FORMATS.values():
        assert form.files(back) == form.files(made)


def full() -> Report:
    """A report in which nothing is empty that a run may fill."""
    waiver = make_waiver()
    made = of_run(report(replace(passed("scan"), findings=(make_finding(),)), passed()))
    record = replace(
        made.record,
        waivers=(waiver,),
        against=Against(revision="main", source="--against", commit="d" * 40),
        changes=(Difference(subject="settings", item="x", effect=Effect.LOOSENS, sentence="It is less."),),
        approval="a" * 64,
        generator="proven-pipeline 0.1",
    )
    return replace(made, record=record)


def test_what_a_run_was_compared_with_and_its_waivers_come_back() -> None:
    made = full()
    back = json_reading.parse_report(json_report.render(made))
    assert back == made
    assert back.waivers == made.waivers


def sealed(document: dict[str, Any]) -> str:
    """The document with the checksum that belongs to it."""
    text = json.dumps({**document, "checksum": ""}, indent=2) + "\n"
    return text.replace(json_report.NO_CHECKSUM, f'"checksum": "{json_report.digest(text)}"\n}}\n')


FREE = ("effective", "metrics", "results", "details", "findings")
"""Objects whose names are values: a policy's keys, a stage's measures, and counts."""


def added(document: Any, name: str = "") -> Any:
    """The document with a name that nobody knows in every object, as a later release of version 1 may add one."""
    if isinstance(document, dict):
        kept = document if name in FREE else {"of_a_later_release": [1], **document}
        return {key: value if name in FREE else added(value, key) for key, value in kept.items()}
    return [added(item) for item in document] if isinstance(document, list) else document


def test_names_of_a_later_release_are_passed_over_wherever_they_stand() -> None:
    made = full()
    document = json.loads(json_report.render(made))
    assert json_reading.parse_report(sealed(document)) == made
    later = added(document)
    assert later["stages"][0]["gates"][0]["of_a_later_release"] == [1]
    assert json_reading.parse_report(sealed(later)) == made


def without_basis(document: dict[str, Any]) -> None:
    """As a release before this one wrote it."""
    for stage in document["stages"]:
        del stage["basis"]


def other_version(document: dict[str, Any]) -> None:
    """A later schema."""
    document["schema"] = "pipeline.report/v2"


def no_stages(document: dict[str, Any]) -> None:
    """No stages."""
    del document["stages"]


def wrong_type(document: dict[str, Any]) -> None:
    """A truth value that is a text."""
    document["dirty"] = "no"


def finding_of_nobody(document: dict[str, Any]) -> None:
    """A finding of a stage that there is not."""
    document["findings"][0]["stage"] = "else"


def bad_history(document: dict[str, Any]) -> None:
    """An earlier run that is none."""
    document["last_green"] = {"run": "1"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (without_basis, "earlier release"),
        (other_version, "its schema is"),
        (no_stages, "it is not whole"),
        (wrong_type, "bool"),
        (finding_of_nobody, "it is not whole"),
        (bad_history, "last_green"),
    ],
)
def test_a_report_that_does_not_hold_together_is_refused(fault: Callable[[dict[str, Any]], None], words: str) -> None:
    document = json.loads(json_report.render(full()))
    fault(document)
    with pytest.raises(ValueError, match=words):
        json_reading.parse_report(sealed(document))


def test_a_change_of_any_byte_is_seen() -> None:
    text = json_report.render(full())
    with pytest.raises(ValueError, match="it was changed"):
        json_reading.parse_report(text.replace('"actor": "me"', '"actor": "you"'))
