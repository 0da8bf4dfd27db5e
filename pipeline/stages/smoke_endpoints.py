"""Every operation of the OpenAPI document is asked, with generated requests, and answers as the document says.

The expected set is what the document itself lists; what was asked is what Schemathesis's own record of its requests
shows. In each run an operation is planted that the service does not have: a run that does not object to it is worth
nothing.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from pipeline.core.evidence import Control
from pipeline.core.openapi import Description, parse_description, with_planted
from pipeline.core.ports import Outcome, Request
from pipeline.core.probe import Probe
from pipeline.core.stage import NotChecked
from pipeline.core.wire import request_bytes
from pipeline.errors import ToolTrouble
from pipeline.settings import Smoke
from pipeline.stages import smoke_names
from pipeline.stages.context import Context
from pipeline.tools import schemathesis

STORY = smoke_names.ENDPOINTS
RECORD = "endpoints.json"
EVENTS = "schemathesis.ndjson"

_ANSWER_S = 5.0
_LONGEST_SEED = 8
# What it needs besides its own bound: its start, and the end of the request that it is at.
_MARGIN_S = 60
_OK = range(200, 400)


def ask_endpoints(context: Context, address: str) -> None:
    """Run Schemathesis against ``address``, and keep what it was told and what it did.

    Raises:
        ToolTrouble: Schemathesis could not be used.
    """
    settings = context.settings.smoke
    text, trouble = _document(context, address)
    planted = f"/pipeline-control-{secrets.token_hex(8)}"
    try:
        description = parse_description(text) if not trouble else None
    except ValueError as error:
        description, trouble = None, str(error)
    record: dict[str, Any] = {"document": settings.openapi, "trouble": trouble, "planted": planted, "operations": {}}
    if description is not None:
        record |= {"operations": {operation.label: operation.line for operation in description.operations}}
        record |= {"exit_code": _run(context, address, description, planted)}
    context.keep(RECORD, json.dumps(record, indent=2) + "\n")


def assess_endpoints(settings: Smoke, record: Mapping[str, Any], events: str) -> Probe:
    """What the record of a run, and Schemathesis's own of it, amount to.

    Raises:
        ToolTrouble: Schemathesis did not come to its end.
    """
    if record["trouble"]:
        said = f"The OpenAPI document {settings.openapi} could not be used: {record['trouble']}."
        return Probe(expected=frozenset({f"operations of {settings.openapi}"}), doubts=(said,))
    code = int(record["exit_code"])
    output = schemathesis.parse(Outcome(exit_code=code, stdout="", stderr="", duration_s=0), events)
    operations: Mapping[str, int] = record["operations"]
    planted = f"GET {record['planted']}"
    path = "" if settings.openapi.startswith("/") else settings.openapi
    failures = [failure for failure in output.failures if failure.operation != planted]
    return Probe(
        expected=frozenset(map(_unit, operations)),
        checked=frozenset(_unit(label) for label, count in output.answered.items() if count and label != planted),
        findings=schemathesis.findings(failures, path, operations),
        controls=(
            Control(
                tool="Schemathesis",
                planted="operation that the service does not have",
                caught=any(failure.operation == planted for failure in output.failures),
            ),
        ),
        doubts=output.troubles[:3],
        not_checked=tuple(
            NotChecked(what=f"{label} answering with success", reason=f"It only answered {_told(statuses)}.")
            for label, statuses in output.statuses.items()
            if label in operations and not any(status in _OK for status in statuses)
        ),
        metrics={"fuzz_seed": output.seed, "fuzz_requests": sum(output.answered.values())},
    )


def without_document() -> Probe:
    """What is said when no document is configured."""
    return Probe(
        not_checked=(
            NotChecked(
                what="the service's operations, by generated requests",
                reason="smoke.openapi names no OpenAPI document.",
            ),
        )
    )


def seed_of(snapshot: str) -> int:
    """The seed of the generated requests: from the snapshot's digest, so that the same content is asked the same."""
    digits = "".join(letter for letter in snapshot.rpartition(":")[2] if letter in "0123456789abcdef")
    return int(digits[:_LONGEST_SEED] or "0", 16)


def _document(context: Context, address: str) -> tuple[str, str]:
    """The document's text, and why there is none."""
    place = context.settings.smoke.openapi
    if place.startswith("/"):
        reply = context.ports.wire.exchange(address, [request_bytes("GET", place, close=True)], within_s=_ANSWER_S)
        if reply.status not in _OK:
            return "", f"the service answers {reply.status or reply.error or 'nothing'}"
        return reply.body.encode("iso-8859-1").decode("utf-8", "replace"), ""
    try:
        return (context.tree / place).read_text(encoding="utf-8"), ""
    except (OSError, UnicodeDecodeError) as error:
        return "", getattr(error, "strerror", None) or "it is not UTF-8 text"


def _run(context: Context, address: str, description: Description, planted: str) -> int:
    settings = context.settings.smoke
    full = settings.dose == "full"
    tools = context.environment("smoke")
    folder = context.scratch / "schemathesis"
    folder.mkdir()
    document, events = folder / "openapi.json", folder / "events.ndjson"
    document.write_text(with_planted(description.text, planted), encoding="utf-8")
    seconds = settings.fuzz_s if full else 0
    outcome = context.run(
        Request(
            argv=schemathesis.command(
                tools.program("schemathesis"),
                document,
                address,
                events,
                seed=seed_of(context.snapshot.digest),
                examples=settings.fuzz_examples * (10 if full else 1),
                seconds=seconds,
            ),
            cwd=folder,
            timeout_s=seconds + settings.timeout_s + _MARGIN_S,
            title="asking every operation",
        )
    )
    context.keep("schemathesis.log", outcome.stdout + outcome.stderr)
    if not events.exists():
        raise ToolTrouble("Schemathesis left no record of what it did.", why=outcome.tail())
    context.keep(EVENTS, events.read_text(encoding="utf-8", errors="backslashreplace"))
    return outcome.exit_code


def _unit(label: str) -> str:
    return f"operation: {label}"


def _told(statuses: Mapping[int, int]) -> str:
    return ", ".join(f"{status} ({count} times)" for status, count in statuses.items())
