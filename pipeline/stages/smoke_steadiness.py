"""Memory and file handles under load: measured by the image's own Python in the container, judged by a stated rule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.core.containers import Container
from pipeline.core.evidence import Control
from pipeline.core.gate import Gate, ceiling_gate, check_gate
from pipeline.core.probe import Probe
from pipeline.core.steadiness import PROGRAM, Reading, growth_files, growth_mb, parse_reading
from pipeline.core.stop_under_load import is_failure
from pipeline.errors import EngineTrouble
from pipeline.settings import Smoke
from pipeline.stages import smoke_names
from pipeline.stages.context import Context

STORY = smoke_names.STEADINESS
RECORD = "steadiness.json"
PYTHON = "python3"

_CLIENTS = 8
_ANSWER_S = 5.0
_POLL_S = 0.02
_SETTLE_S = 0.3
_MEMORY, _FILES = "steady: memory", "steady: file handles"


def measure_steadiness(context: Context, container: Container) -> None:
    """Load it twice with the same number of requests, and keep what its processes held after each half."""
    settings = context.settings.smoke
    halves: list[dict[str, Any]] = []
    trouble = ""
    for _ in range(2):
        sent, failed = _load(context, container.base_url, requests_of(settings), amount(settings))
        context.ports.clock.sleep(_SETTLE_S)
        try:
            output = container.execute((PYTHON, "-I", "-S", "-c", PROGRAM)).output
        except EngineTrouble as error:
            output, trouble = "", str(error)
        halves.append({"sent": sent, "failed": failed, "reading": output})
    context.keep(RECORD, json.dumps({"halves": halves, "trouble": trouble}, indent=2) + "\n")


def assess_steadiness(settings: Smoke, record: Mapping[str, Any]) -> Probe:
    """Whether what it held after the second half is more than it may be."""
    halves = record["halves"]
    expected = frozenset({_MEMORY, _FILES})
    load = _load_gate(halves)
    controls = (_control(settings),)
    try:
        before, after = (parse_reading(half["reading"]) for half in halves)
    except ValueError as error:
        said = record["trouble"] or str(error)
        doubt = f"What the container's processes hold could not be read: {said.rstrip('.')}."
        return Probe(expected=expected, gates=(load,), doubts=(doubt,), controls=controls)
    doubts = []
    if before.processes != after.processes:
        doubts.append("Processes of the service ended or began under load, so that their memory can't be compared.")
    short = [half["sent"] for half in halves if half["sent"] < amount(settings)]
    if short:
        doubts.append(f"Only {short[0]} of {amount(settings)} requests of the load could be sent in time.")
    return Probe(
        expected=expected,
        checked=expected,
        gates=(load, *_gates(settings, before, after)),
        doubts=tuple(doubts),
        controls=controls,
        metrics={
            "memory_mb": round(after.memory_kb / 1024, 2),
            "memory_growth_mb": round(growth_mb(before, after), 3),
            "file_handles": after.files,
            "file_handle_growth": growth_files(before, after),
        },
    )


def amount(settings: Smoke) -> int:
    """How many requests each half has."""
    return settings.load_requests * (10 if settings.dose == "full" else 1)


def requests_of(settings: Smoke) -> tuple[str, ...]:
    """What is sent as load, each as ``METHOD /path``."""
    chosen = settings.requests or (settings.ready_path,)
    return tuple(text if " " in text else f"GET {text}" for text in chosen)


def _gates(settings: Smoke, before: Reading, after: Reading) -> tuple[Gate, ...]:
    return (
        ceiling_gate(growth_mb(before, after), settings.max_growth_mb, what="growth of memory under load", unit=" MiB"),
        check_gate(
            growth_files(before, after) <= settings.max_growth_files,
            what="growth of file handles under load",
            allowed=f"at most {settings.max_growth_files}",
            found=str(growth_files(before, after)),
        ),
    )


def _load_gate(halves: Sequence[Mapping[str, Any]]) -> Gate:
    failed = sum(half["failed"] for half in halves)
    told = f"{failed} of {sum(half['sent'] for half in halves)}"
    return check_gate(not failed, what="requests of the load that failed", allowed="0", found=told)


def _control(settings: Smoke) -> Control:
    before = Reading(memory_kb=10_000, files=10, processes=(1,))
    leaking = Reading(
        memory_kb=10_001 + int(settings.max_growth_mb * 1024), files=11 + settings.max_growth_files, processes=(1,)
    )
    caught = not any(gate.passed for gate in _gates(settings, before, leaking))
    return Control(tool="the check of memory and file handles", planted="leak of both", caught=caught)


def _load(context: Context, address: str, requests: Sequence[str], number: int) -> tuple[int, int]:
    """How many requests were sent, and how many of them failed."""
    clock = context.ports.clock
    give_up = clock.monotonic() + context.settings.smoke.timeout_s
    with context.ports.wire.load(address, requests, _CLIENTS) as load:
        while load.sent() < number and clock.monotonic() < give_up:
            clock.sleep(_POLL_S)
        sent = load.finish(_ANSWER_S)
    return len(sent), sum(is_failure(one, context.settings.smoke.ready_path) for one in sent)
