"""Schemathesis: generated requests to every operation of an OpenAPI document, and whether answers are as documented.

Read is its own stream of events (NDJSON), whose last one says that it came to its end: it exits with 1 for failures and
for errors of its own alike.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.finding import Confidence, Finding, Severity
from pipeline.core.ports import Outcome
from pipeline.errors import ToolTrouble

TOOL = "schemathesis"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
"""What every answer must keep to. Left out are the checks that know better than the document what a service must refuse
or accept (negative_data_rejection and the like): to ignore an unknown or odd parameter is many a service's right.
"""

_SEVERITIES = {"not_a_server_error": Severity.HIGH}
_LONGEST = 400
_EVENTS_OF_TROUBLE = ("NonFatalError", "FatalError", "Interrupted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A check that failed at an operation, with the tool's own words, and how often it did."""

    operation: str
    check: str
    title: str
    message: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a run did: how many requests of each operation were answered, with which statuses, and what failed."""

    answered: Mapping[str, int] = field(default_factory=dict)
    statuses: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    troubles: tuple[str, ...] = ()
    seed: int = 0
    version: str = ""


def command(
    program: str, document: Path, address: str, events: Path, *, seed: int, examples: int, seconds: int = 0
) -> tuple[str, ...]:
    """Its arguments: ``examples`` generated requests an operation, repeated for so many ``seconds`` if any are given.

    The document's own base path is kept. Nothing is remembered from run to run: the seed decides.
    """
    return (
        program, "run", str(document), "--origin", address, "--phases", "coverage,fuzzing", "--mode", "all",
        "--checks", ",".join(CHECKS), "--continue-on-failure", "--max-examples", str(examples), "--seed", str(seed),
        *(("--max-time", str(seconds)) if seconds else ()), "--request-timeout", "5", "--generation-database", "none",
        "--no-color", "--warnings", "off", "--output-truncate", "true",
        "--report", "ndjson", "--report-ndjson-path", str(events),
    )  # fmt: skip


def parse(outcome: Outcome, events: str) -> Output:
    """What a run of Schemathesis amounts to.

    Raises:
        ToolTrouble: it did not come to an end, or its events can't be read.
    """
    try:
        seen = [_event(line) for line in events.splitlines() if line.strip()]
    except (ValueError, TypeError) as error:
        raise ToolTrouble("Schemathesis left events that can't be read.", why=str(error)) from error
    ends = [body for kind, body in seen if kind == "EngineFinished"]
    if not ends or outcome.exit_code not in (0, 1):
        raise ToolTrouble(
            f"Schemathesis did not come to its end (exit code {outcome.exit_code}).", why=outcome.tail() or "no output"
        )
    beginning: Mapping[str, Any] = next((body for kind, body in seen if kind == "Initialize"), {})
    reason = str(ends[-1].get("stop_reason", ""))
    troubles = [_trouble(kind, body) for kind, body in seen if kind in _EVENTS_OF_TROUBLE]
    if reason not in ("completed", "max_time"):
        troubles.append(f"Schemathesis stopped early: {reason or 'no reason given'}.")
    scenarios = [body for kind, body in seen if kind == "ScenarioFinished"]
    troubles.extend(
        f"Schemathesis met an error of its own at {_label(body)}."
        for body in scenarios
        if body.get("status") == "error"
    )
    statuses = _statuses(scenarios)
    return Output(
        answered={label: sum(counts.values()) for label, counts in statuses.items()},
        statuses=statuses,
        failures=_failures(scenarios),
        troubles=tuple(dict.fromkeys(troubles)),
        seed=int(beginning.get("seed") or 0),
        version=str(beginning.get("schemathesis_version", "")),
    )


def findings(failures: Iterable[Failure], path: str, lines: Mapping[str, int]) -> tuple[Finding, ...]:
    """A finding for each failure, at its operation; the document's ``path`` is empty if it is no file of the tree."""
    return tuple(
        Finding(
            rule=failure.check,
            tool=TOOL,
            severity=_SEVERITIES.get(failure.check, Severity.MEDIUM),
            confidence=Confidence.HIGH,
            message=_shortened(f"{failure.operation}: {failure.title}. {failure.message}"),
            path=path,
            line=lines.get(failure.operation, 1) if path else 0,
            snippet=f"{failure.operation} {failure.check}",
        )
        for failure in failures
    )


def _event(line: str) -> tuple[str, dict[str, Any]]:
    value = json.loads(line)
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(f"no event: {line[:80]}")
    kind, body = next(iter(value.items()))
    if not isinstance(body, dict):
        raise ValueError(f"no event: {line[:80]}")
    return kind, body


def _label(scenario: Mapping[str, Any]) -> str:
    return str((scenario.get("recorder") or {}).get("label", ""))


def _statuses(scenarios: Iterable[Mapping[str, Any]]) -> dict[str, dict[int, int]]:
    """For each operation, how often it was answered with which status."""
    seen: dict[str, Counter[int]] = {}
    for scenario in scenarios:
        for interaction in ((scenario.get("recorder") or {}).get("interactions") or {}).values():
            response = interaction.get("response")
            if response:
                seen.setdefault(_label(scenario), Counter())[int(response["status_code"])] += 1
    return {label: dict(sorted(counts.items())) for label, counts in seen.items()}


def _failures(scenarios: Iterable[Mapping[str, Any]]) -> tuple[Failure, ...]:
    """Each kind of failure at each operation once, by its first message."""
    first: dict[tuple[str, str, str], str] = {}
    count: Counter[tuple[str, str, str]] = Counter()
    for scenario in scenarios:
        for checks in ((scenario.get("recorder") or {}).get("checks") or {}).values():
            for check in checks:
                if check.get("status") == "failure":
                    told = (check.get("failure_info") or {}).get("failure") or {}
                    key = (_label(scenario), str(check.get("name")), str(told.get("title", "")))
                    first.setdefault(key, " ".join(str(told.get("message", "")).split()))
                    count[key] += 1
    return tuple(
        Failure(operation=key[0], check=key[1], title=key[2], message=message, count=count[key])
        for key, message in first.items()
    )


def _trouble(kind: str, body: Mapping[str, Any]) -> str:
    told = body.get("info") or body.get("value") or body.get("message") or body
    return _shortened(f"Schemathesis tells of {kind}: {told}".rstrip(".") + ".")


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
