"""Masking reaches every free text, and nothing that holds a report together."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding, Severity
from pipeline.core.gate import Gate
from pipeline.core.masking import masked_result, masked_value
from pipeline.core.stage import NotChecked, StageResult, Status, Suppression
from pipeline.execution.redaction import SecretRedactor
from pipeline.reporters import json_report

SECRET = "-".join(("must", "not", "be", "seen", "4711"))
RESULT = StageResult(
    name="scan",
    status=Status.FAIL,
    reasons=(f"It said {SECRET}.",),
    evidence=Evidence.of("files", expected=("a.py",), checked=("a.py",)),
    gates=(Gate(what="findings", allowed="0", found=SECRET, passed=False),),
    findings=(Finding(rule="B1", tool="bandit", severity=Severity.HIGH, message=SECRET, snippet=SECRET, fix=SECRET),),
    metrics={"said": SECRET, "count": 3},
    not_checked=(NotChecked(what=SECRET, reason=SECRET),),
    suppressions=(Suppression(kind="nosec", path="a.py", line=1, text=SECRET, reason=SECRET),),
    doubts=(f"It may be {SECRET}.",),
    notes=(f"It was {SECRET}.",),
    command=f"run {SECRET}",
)


def redactor(*secrets: str) -> SecretRedactor:
    redact = SecretRedactor({})
    for secret in secrets:
        redact.also(secret)
    return redact


def test_no_free_text_shows_the_secret() -> None:
    assert SECRET not in json_report.render_stage(masked_result(RESULT, redactor(SECRET)))


@pytest.mark.parametrize("word", ["findings", "inconclusive", "artifacts", "evidence", "suppressions", "duration_s"])
def test_a_secret_that_is_called_like_a_key_does_not_take_the_report_apart(word: str) -> None:
    result = replace(RESULT, reasons=(f"It said {word}.",))
    text = json_report.render_stage(masked_result(result, redactor(word)))
    read = json_report.parse_stage(text)
    assert read is not None
    assert (read.status, read.reasons) == (Status.FAIL, ("It said [secret].",))
    assert json.loads(text)["details"]["findings"][0]["rule"] == "B1"


def test_keys_of_a_value_stay_and_its_texts_are_masked() -> None:
    value = {SECRET: [SECRET, 1, {"b": SECRET}]}
    assert masked_value(value, redactor(SECRET)) == {SECRET: ["[secret]", 1, {"b": "[secret]"}]}
