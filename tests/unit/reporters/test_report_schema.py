"""The published schema is JSON Schema 2020-12, every report is valid to it, and it knows every name that one holds."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline.reporters
from pipeline.core.finding import State
from pipeline.core.policy_difference import Difference, Effect
from pipeline.core.run_record import Against
from pipeline.core.stage import StageResult, not_run
from pipeline.core.waiver import JUSTIFICATIONS, Waiver
from pipeline.reporters import json_report
from tests.finished_containers import CONTAINERS
from tests.finished_reports import MIXED, finished
from tests.samples import TEXT, passed, report, results
from tests.waivers import make_finding, make_waiver, waived_report

PUBLISHED = Path(pipeline.reporters.__file__).with_name("pipeline-report.schema.json")
SCHEMA: dict[str, Any] = json.loads(PUBLISHED.read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


def closed(schema: Any) -> Any:
    """The schema with no room for names that it does not tell of."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    shut = {name: closed(value) for name, value in schema.items()}
    if shut.get("type") == "object" and "properties" in shut:
        shut["unevaluatedProperties"] = False
    if "allOf" in shut:
        # Its parts know half of the names each.
        shut["allOf"] = [part if "$ref" in part else schema["allOf"][1] for part in schema["allOf"]]
        shut["unevaluatedProperties"] = False
    return shut


def strict() -> jsonschema.Draft202012Validator:
    """The schema as it would be if nothing could be added."""
    schema = closed(copy.deepcopy(SCHEMA))
    for name in ("finding", "suppression", "not_checked"):
        # Closed where they are joined with the stage's name.
        del schema["$defs"][name]["unevaluatedProperties"]
    return jsonschema.Draft202012Validator(schema)


def document(text: str) -> dict[str, Any]:
    """The report as a value."""
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["title"] == SCHEMA["properties"]["schema"]["const"] == json_report.SCHEMA


@pytest.mark.parametrize("stages", [MIXED, CONTAINERS], ids=["mixed", "containers"])
def test_a_real_report_is_valid_and_holds_no_name_that_the_schema_does_not_know(stages: Any, tmp_path: Path) -> None:
    written = document((finished(tmp_path / "project", stages) / "pipeline.json").read_text(encoding="utf-8"))
    VALIDATOR.validate(written)
    strict().validate(written)


def test_waivers_are_valid_too() -> None:
    written = document(json_report.render(waived_report(make_waiver())))
    assert written["waivers"]
    VALIDATOR.validate(written)
    strict().validate(written)


@given(results())
def test_whatever_a_report_holds_it_is_valid(result: StageResult) -> None:
    written = document(json_report.render(report(result, not_run("scan", "It was not selected."))))
    for stage in written["stages"]:
        # Samples hold digests of anything.
        stage["artifacts"] = []
    VALIDATOR.validate(written)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("verdict",), "green"), (("stages", 0, "status"), None), (("stages", 0, "evidence", "expected"), -1),
        (("stages", 0, "artifacts", 0, "sha256"), "0"), (("dirty",), "yes"), (("schema",), "pipeline.report/v2"),
        (("checksum",), ""), (("stages", 0, "findings", "new"), "1"), (("started",), "yesterday"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused(where: tuple[Any, ...], value: Any) -> None:
    written = document(json_report.render(report(passed())))
    VALIDATOR.validate(written)
    holder: Any = written
    for name in where[:-1]:
        holder = holder[name]
    holder[where[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(written)


@pytest.mark.parametrize("name", ["verdict", "stages", "policy", "findings", "not_checked"])
def test_a_missing_name_is_refused(name: str) -> None:
    written = document(json_report.render(report(passed())))
    del written[name]
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(written)


def test_a_later_addition_is_no_fault() -> None:
    written = document(json_report.render(report(passed())))
    for holder in (written, written["stages"][0], written["policy"], written["stages"][0]["gates"][0]):
        holder["later"] = 1
        VALIDATOR.validate(written)
        assert not strict().is_valid(written)
        del holder["later"]
    strict().validate(written)


CHANGES = st.builds(
    Difference, subject=TEXT, effect=st.sampled_from(list(Effect)), sentence=TEXT, item=TEXT, approved=st.booleans()
)
WAIVERS = st.builds(
    make_waiver,
    id=st.sampled_from(["B101", "f" * 32, "]]>"]),
    reason=TEXT,
    owner=TEXT,
    expires=st.dates(date(2025, 12, 1), date(2026, 6, 1)),
    until_fixed=st.booleans(),
    justification=st.sampled_from(["", *JUSTIFICATIONS]),
    stages=st.sampled_from([(), ("scan",), ("scan", "own")]),
)


@given(
    st.none() | st.builds(Against, revision=TEXT, source=TEXT, commit=TEXT),
    st.lists(CHANGES, max_size=3),
    TEXT,
    st.lists(WAIVERS, max_size=3),
)
def test_what_a_run_was_compared_with_and_its_waivers_are_valid_whatever_they_say(
    against: Against | None, changes: list[Difference], approval: str, waivers: list[Waiver]
) -> None:
    made = waived_report(*waivers, findings=(make_finding(state=State.WAIVED), make_finding(fix="2.0", package="six")))
    record = replace(made.record, against=against, changes=tuple(changes), approval=approval)
    written = document(json_report.render(replace(made, record=record)))
    assert written["policy"]["changes"] == [asdict(change) for change in changes]
    VALIDATOR.validate(written)
    strict().validate(written)


@pytest.mark.parametrize("holder", ["against", "change", "waiver", "finding", "policy"])
def test_each_name_is_explained(holder: str) -> None:
    properties = SCHEMA["$defs"][holder]["properties"]
    assert not [name for name, value in properties.items() if not {"description", "$ref"} & value.keys()]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("policy", "against"), {"revision": "main"}), (("policy", "changes", 0, "effect"), "worse"),
        (("policy", "changes", 0, "approved"), "yes"), (("policy", "approval"), None),
        (("waivers", 0, "state"), "forgotten"), (("waivers", 0, "expires"), "soon"), (("waivers", 0, "hides"), "all"),
        (("findings", 0, "epss"), 1.5), (("findings", 0, "cvss"), "9.8"), (("findings", 0, "exploited"), "yes"),
        (("findings", 0, "context_start"), -1), (("findings", 0, "sources"), "bandit:B105"),
    ],
)  # fmt: skip
def test_a_wrong_value_in_them_is_refused(where: tuple[Any, ...], value: Any) -> None:
    made = waived_report(make_waiver(), findings=(make_finding(),))
    change = Difference(subject="lint.fail_on", effect=Effect.LOOSENS, sentence="It was.")
    written = document(json_report.render(replace(made, record=replace(made.record, changes=(change,)))))
    VALIDATOR.validate(written)
    holder: Any = written
    for name in where[:-1]:
        holder = holder[name]
    assert where[-1] in holder
    holder[where[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(written)
