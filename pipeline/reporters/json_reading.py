"""``pipeline.json`` and ``result.json`` read back into values. What is read may be damaged, or somebody else's.

A reader ignores names that it does not know, so that a later release may add some (``docs/report-format.md``).
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import msgspec

from pipeline.core.run_record import Report, RunRecord
from pipeline.core.stage import StageResult, Status
from pipeline.reporters.json_report import NO_CHECKSUM, SCHEMA, STAGE_SCHEMA, digest

# In the merged report each of these is one list for all stages.
_LISTS = ("findings", "suppressions", "not_checked")
_CHECKSUM = re.compile(r'"checksum": "(?P<value>[0-9a-f]{64})"\n\}\n\Z')


class OtherSchema(ValueError):
    """The text says itself that it is of another schema, or of a later version of this one."""


def checksum(text: str) -> tuple[str, str]:
    """The checksum that a merged report holds, and the one of what it says: its text with an empty one in that place.

    Raises:
        ValueError: it does not end with a checksum.
    """
    found = _CHECKSUM.search(text)
    if found is None:
        raise ValueError("it does not end with a checksum of itself")
    return found["value"], digest(text[: found.start()] + NO_CHECKSUM)


def parse_record(text: str) -> tuple[RunRecord, str]:
    """What a merged report says of its run, and when that was finished.

    Raises:
        ValueError: it is no JSON, no report of this schema, or a value has the wrong type.
    """
    with _whole():
        return _record(_document(text, SCHEMA))


def parse_report(text: str) -> Report:
    """A whole merged report, but for the history, which it does not hold: :func:`render` makes the same text of it.

    Raises:
        ValueError: it is no JSON, no report of this schema, was changed since it was written, is of a release that did
            not write down what its statuses rest on, or a value has the wrong type.
    """
    with _whole():
        document = _document(text, SCHEMA)
        told, derived = checksum(text)
        if told != derived:
            raise ValueError("it was changed: its checksum is not that of what it says")
        record, finished = _record(document)
        lists: dict[str, dict[str, list[Any]]] = {name: {n: [] for n in _LISTS} for name in record.stages}
        for kind in _LISTS:
            for item in document[kind]:
                lists[item["stage"]][kind].append(item)
        results = tuple(
            _result(
                {**stage, "snapshot": record.snapshot, "policy": record.policy_digest},
                {**lists[stage["name"]], **_parts(stage)},
            )
            for stage in document["stages"]
        )
    return Report(record=record, results=results, finished=finished)


def parse_stage(text: str) -> StageResult | None:
    """Read a ``result.json`` back; none when it is not one of this version, or its evidence carries no such green."""
    try:
        result = read_stage(text)
    except ValueError:
        # Somebody else's file, or a damaged one, in our place: no result, and a missing result is never green.
        return None
    return result if _is_carried(result) else None


def read_stage(text: str) -> StageResult:
    """What a ``result.json`` says, whether or not its status follows from it.

    Raises:
        ValueError: it is no JSON, no result of this schema, or a value has the wrong type.
    """
    with _whole():
        document = _document(text, STAGE_SCHEMA)
        return _result(document, document["details"])


@contextlib.contextmanager
def _whole() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is not whole ({type(error).__name__}: {error})") from error


def _record(document: Mapping[str, Any]) -> tuple[RunRecord, str]:
    known = {item.name for item in fields(RunRecord)}
    values = {name: value for name, value in document.items() if name in known}
    values |= {
        "run_id": document["run"],
        "stages": [stage["name"] for stage in document["stages"]],
        "policy_digest": document["policy"]["digest"],
        "policy": document["policy"]["effective"],
        **{name: value for name, value in document["policy"].items() if name in known},
    }
    return msgspec.convert(values, RunRecord), msgspec.convert(document["finished"], str)


def _result(shown: Mapping[str, Any], parts: Mapping[str, Any]) -> StageResult:
    """The result that a stage's object tells, together with its lists: what ``result.json`` calls ``details``."""
    document = dict(shown)
    if (evidence := shown["evidence"]) is not None:
        document["evidence"] = {
            "unit": evidence["unit"],
            "expected": parts["expected"],
            "checked": parts["checked"],
            "controls": evidence["control"]["samples"] if evidence["control"] else [],
            "nothing_expected": evidence.get("nothing_expected", ""),
        }
    document.update({name: parts[name] for name in _LISTS})
    document.update({name: parts.get(name, []) for name in ("doubts", "notes")})
    document["details"] = parts.get("values", {})
    known = {item.name for item in fields(StageResult)}
    return msgspec.convert({k: v for k, v in document.items() if k in known}, StageResult)


def _parts(stage: Mapping[str, Any]) -> dict[str, Any]:
    """The lists of a stage that stand in its own object of the merged report."""
    if "basis" not in stage:
        raise ValueError("it was written by an earlier release, which did not keep what is needed to make it again")
    basis, missing = stage["basis"], frozenset(stage["evidence"]["missing"] if stage["evidence"] else ())
    checked = [*(name for name in basis["expected"] if name not in missing), *basis["beyond"]]
    return {**basis, "checked": checked, "values": stage["details"]}


def _document(text: str, schema: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    if document["schema"] != schema:
        raise OtherSchema(f"its schema is {document['schema']!r} and not {schema!r}")
    return document


def _is_carried(result: StageResult) -> bool:
    """Whether a green that was read is one that the same file's evidence and gates carry."""
    if result.status is not Status.PASS:
        return True
    doubted = result.evidence is None or result.evidence.doubts or result.doubts
    return not doubted and all(gate.passed for gate in result.gates)
