"""Chaos checks of the full dose: a fault is planted in a container of its own, is seen to be there, and has a stated
outcome.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipeline.core.containers import Container, ContainerState, Executed
from pipeline.core.evidence import Control
from pipeline.core.gate import check_gate
from pipeline.core.probe import Probe
from pipeline.core.stage import NotChecked
from pipeline.core.wire import request_bytes
from pipeline.errors import EngineTrouble, TargetFault
from pipeline.settings import Smoke
from pipeline.stages import smoke_names
from pipeline.stages.chaos_faults import FAULTS, Fault
from pipeline.stages.context import Context
from pipeline.stages.readiness import ending, wait_until_ready
from pipeline.stages.service_container import container_request
from pipeline.stages.smoke_steadiness import PYTHON, requests_of

STORY = smoke_names.CHAOS
RECORD = "chaos.json"
_ANSWER_S = 5.0
_FAILED = 500


def plant_faults(context: Context, image: str) -> None:
    """Every fault in a container of its own, and what became of the service."""
    record: dict[str, dict[str, Any]] = {}
    for fault in FAULTS:
        if lacking := fault.lacking():
            record[fault.name] = {"lacking": lacking}
            continue
        context.ports.progress.say(f"chaos: {fault.name}")
        request = fault.changed(container_request(context, image, "chaos"))
        container = context.ports.engine().start(request)
        try:
            record[fault.name] = _tried(context, container, fault)
            context.keep(f"chaos-{fault.name.replace(' ', '-')}.log", container.logs())
        finally:
            container.remove()
    context.keep(RECORD, json.dumps(record, indent=2) + "\n")


def assess_chaos(settings: Smoke, record: Mapping[str, Any]) -> Probe:
    """Which faults were there, and whether each had its outcome."""
    gates, checked, doubts = [], [], []
    lacking = {
        fault.name: record[fault.name]["lacking"] for fault in FAULTS if record.get(fault.name, {}).get("lacking")
    }
    for fault in FAULTS:
        tried = record.get(fault.name)
        if tried is None or fault.name in lacking:
            continue
        ran = Executed(**tried["ran"]) if tried["ran"] else None
        if ran is None or not fault.seen(ran):
            said = tried["trouble"] or (ran.output.strip()[-200:] if ran else "nothing was run")
            doubts.append(f"The fault ({fault.name}) could not be seen to be there: {said.rstrip('.')}.")
            continue
        checked.append(_unit(fault.name))
        gates.append(
            check_gate(
                _is_well(fault, tried),
                what=f"the service with {fault.name}",
                allowed="answers as ever, or ends with the reason" if fault.deadly else "answers as ever",
                found=_told(tried),
            )
        )
    broken = {"statuses": {"GET /planted": _FAILED}, "ready": {"ready": True, "found": ""}, "state": None}
    return Probe(
        expected=frozenset(_unit(fault.name) for fault in FAULTS if fault.name not in lacking),
        checked=frozenset(checked),
        gates=tuple(gates),
        doubts=tuple(doubts),
        controls=(
            Control(
                tool="the judgement of chaos",
                planted="service that fails",
                caught=not any(_is_well(fault, broken) for fault in FAULTS),
            ),
        ),
        not_checked=tuple(NotChecked(what=_unit(name), reason=reason) for name, reason in lacking.items()),
        metrics={
            "chaos_checks": len(checked),
            "chaos_requests": (len(record) - len(lacking)) * len(requests_of(settings)),
        },
    )


def _tried(context: Context, container: Container, fault: Fault) -> dict[str, Any]:
    settings, ports = context.settings.smoke, context.ports

    def ready() -> dict[str, Any]:
        found = wait_until_ready(container, settings.ready_path, settings.ready_timeout_s, ports.clock, ports.progress)
        return asdict(found)

    first = ready()
    seen: dict[str, Any] = {"ran": None, "trouble": "", "statuses": {}, "ready": first, "state": None}
    if not first["ready"]:
        # It can't even begin so, which is an outcome: what was to be planted is there from the start.
        return seen | {"trouble": f"it was never ready ({first['found']})", "state": asdict(container.state())}
    try:
        seen["ran"] = asdict(container.execute((PYTHON, "-I", "-S", "-u", "-c", fault.program)))
        seen["ready"] = ready()
        if seen["ready"]["ready"]:
            seen["statuses"] = {request: _ask(context, container, request) for request in requests_of(settings)}
    except (EngineTrouble, TargetFault) as trouble:
        seen["trouble"] = str(trouble)
    return seen | {"state": asdict(container.state())}


def _ask(context: Context, container: Container, request: str) -> int:
    method, _, path = request.partition(" ")
    parts = [request_bytes(method, path, close=True)]
    return context.ports.wire.exchange(container.base_url, parts, within_s=_ANSWER_S).status


def _is_well(fault: Fault, tried: Mapping[str, Any]) -> bool:
    statuses = tried["statuses"].values()
    if tried["ready"]["ready"]:
        return bool(statuses) and all(0 < status < _FAILED for status in statuses)
    state = tried["state"] or {}
    ended = state.get("status") == "exited" and state.get("exit_code") != 0
    return fault.deadly and ended and bool(state.get("out_of_memory"))


def _told(tried: Mapping[str, Any]) -> str:
    if not tried["ready"]["ready"]:
        state = ContainerState(**tried["state"]) if tried["state"] else None
        return f"not ready: {tried['ready']['found']}" + (f", {ending(state)}" if state and not state.running else "")
    statuses = ", ".join(f"{request}: {status}" for request, status in tried["statuses"].items())
    return f"ready after {tried['ready']['after_s']:.1f} s, {statuses or 'nothing asked'}"


def _unit(name: str) -> str:
    return f"chaos: {name}"
