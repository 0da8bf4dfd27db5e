"""Masking reaches every text that comes from outside, and nothing that holds a report together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding, Severity
from pipeline.core.gate import Gate
from pipeline.core.masking import OURS, Mask, masked_output, masked_record, masked_result, masked_value
from pipeline.core.stage import Examination, StageResult, Status
from pipeline.core.verdict import conclude
from pipeline.core.verification import is_contradicted
from pipeline.core.verification_results import judged_again
from pipeline.reporters import json_reading, json_report
from tests.hostile import planted
from tests.page_samples import failing

SECRET = "-".join(("must", "not", "be", "seen", "4711"))
RESULT = StageResult(
    name="scan",
    status=Status.FAIL,
    reasons=("It said so.",),
    evidence=Evidence.of("files", expected=("a.py",), checked=("a.py",)),
    gates=(Gate(what="findings", allowed="0", found="1", passed=False),),
    findings=(Finding(rule="B1", tool="bandit", severity=Severity.HIGH, message="A finding.", path="a.py"),),
)


def hiding(word: str) -> Mask:
    """A mask that knows one word, whatever that is."""
    return lambda text: text.replace(word, "[secret]")


def test_no_text_of_the_model_shows_the_secret_whatever_field_it_stands_in() -> None:
    shown = planted(failing(), lambda _: f"before {SECRET} behind", left=OURS)
    assert SECRET in repr(shown.results) and SECRET in repr(shown.record)
    results = [masked_result(result, hiding(SECRET)) for result in shown.results]
    record = masked_record(shown.record, hiding(SECRET))
    assert SECRET not in repr((results, record))
    assert "before [secret] behind" in repr(results)


def test_what_holds_a_report_together_stays() -> None:
    report = failing()
    everything = [masked_result(result, lambda _: "[secret]") for result in report.results]
    record = masked_record(report.record, lambda _: "[secret]")
    for kind, names in OURS.items():
        told, kept = (_values(part, kind, names) for part in ((report.results, report.record), (everything, record)))
        assert told == kept
        assert told
    assert [result.counts() for result in everything] == [result.counts() for result in report.results]
    assert record.policy.keys() == report.record.policy.keys()


def _values(value: Any, kind: type, names: frozenset[str]) -> list[Any]:
    """What the fields of these names hold in all values of a class within a value."""
    if isinstance(value, kind):
        return [getattr(value, name) for name in sorted(names)]
    if is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, field.name) for field in fields(value)]
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [found for part in parts for found in _values(part, kind, names)]


def test_names_that_differ_in_their_secrets_alone_still_differ() -> None:
    names = [f"a {SECRET}", "a [secret] (2)", "a [secret]"]
    evidence = Evidence.of("tests", expected=names, checked=names[:1])
    masked = masked_result(replace(RESULT, evidence=evidence), hiding(SECRET)).evidence
    assert masked is not None
    assert len(masked.expected) == 3
    assert len(masked.missing) == 2


def test_reasons_follow_from_what_is_shown() -> None:
    # Sorted by the names as they are shown, and not as they were.
    names = [f"{SECRET}-a", "must", "[secret]-b", *(f"z{number}" for number in range(9))]
    seen = Examination(evidence=Evidence.of("files", expected=names, checked=()), gates=RESULT.gates, notes=(SECRET,))
    status, reasons = conclude(seen)
    masked = masked_result(
        replace(RESULT, status=status, reasons=reasons, evidence=seen.evidence, notes=seen.notes), hiding(SECRET)
    )
    assert masked.reasons[1].endswith("not checked: [secret]-a, [secret]-b, must, z0, z1 and 7 more.")
    assert masked.reasons[2] == "[secret]"
    assert not is_contradicted(judged_again(masked))
    told = replace(RESULT, reasons=(f"It said {SECRET}.",), evidence=seen.evidence)
    assert masked_result(told, hiding(SECRET)).reasons == ("It said [secret].",)


def test_what_shows_no_secret_is_the_very_same_value() -> None:
    assert masked_result(RESULT, hiding("something else")) is RESULT


@pytest.mark.parametrize("word", ["findings", "inconclusive", "artifacts", "evidence", "suppressions", "duration_s"])
def test_a_secret_that_is_called_like_a_key_does_not_take_the_report_apart(word: str) -> None:
    result = replace(RESULT, reasons=(f"It said {word}.",))
    text = json_report.render_stage(masked_result(result, hiding(word)))
    read = json_reading.parse_stage(text)
    assert read is not None
    assert (read.status, read.reasons) == (Status.FAIL, ("It said [secret].",))
    assert json.loads(text)["details"]["findings"][0]["rule"] == "B1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"a":  "x 1234"}', '{"a":  "x [secret]"}'),
        ('{"a": "\\u12345", "b": ["1234"]}', '{\n "a": "\u12345",\n "b": [\n  "[secret]"\n ]\n}\n'),
        ('{"a": 12345}', '{"a": [secret]5}'),
        ("no JSON { 1234", "no JSON { [secret]"),
        ("{ no JSON 1234", "{ no JSON [secret]"),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_an_output_that_is_json_stays_json(text: str, shown: str) -> None:
    assert masked_output(text, hiding("1234")) == shown


def test_keys_of_a_value_stay_and_its_texts_are_masked() -> None:
    value = {SECRET: [SECRET, 1, {"b": SECRET}]}
    assert masked_value(value, hiding(SECRET)) == {SECRET: ["[secret]", 1, {"b": "[secret]"}]}
