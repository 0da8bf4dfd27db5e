"""Malformed requests and stalling clients: the right error or a closed connection, and the service serves on.

After each case the service is asked an ordinary question. Every byte that came back is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipeline.core.evidence import Control, listed
from pipeline.core.gate import check_gate
from pipeline.core.malformed import Tried, cases, fault, planted_faults, stalling
from pipeline.core.probe import Probe
from pipeline.core.stage import NotChecked
from pipeline.core.wire import Reply, Wire, request_bytes
from pipeline.settings import Smoke
from pipeline.stages import smoke_names
from pipeline.stages.context import Context

STORY = smoke_names.MALFORMED
RECORD = "malformed.json"

_WITHIN_S = 3.0
_WELL = 200
_STALLED = "clients that stall"


def send_malformed(context: Context, address: str) -> None:
    """Send every case and keep what came back; in the full dose wait until clients that stall are cut off."""
    settings, wire = context.settings.smoke, context.ports.wire
    path = settings.ready_path
    tried = []
    for case in cases(path):
        reply = wire.exchange(address, case.parts, within_s=0 if case.gone else _WITHIN_S)
        tried.append({"name": case.name, "reply": asdict(reply), "afterwards": _ask(wire, address, path)})
    waited_s = settings.stalled_s if settings.dose == "full" else 0.0
    with wire.stalled(address, stalling(path)) as stalled:
        meanwhile = _ask(wire, address, path)
        replies = stalled.ended(waited_s) if waited_s else ()
    record = {
        "tried": tried,
        "stalled": [asdict(reply) for reply in replies],
        "meanwhile": meanwhile,
        "afterwards": _ask(wire, address, path),
        "waited_s": waited_s,
    }
    context.keep(RECORD, json.dumps(record, indent=2) + "\n")


def assess_malformed(settings: Smoke, record: Mapping[str, Any]) -> Probe:
    """What the replies amount to."""
    every = {case.name: case for case in cases(settings.ready_path)}
    tried = [
        Tried(case=every[one["name"]], reply=Reply(**one["reply"]), afterwards=one["afterwards"])
        for one in record["tried"]
        if one["name"] in every
    ]
    wrong = [f"{one.case.name}: {found}" for one in tried if (found := fault(one, _WELL))]
    if record["meanwhile"] != _WELL or record["afterwards"] != _WELL:
        wrong.append(f"{_STALLED}: status {record['meanwhile']} to others meanwhile, {record['afterwards']} afterwards")
    waited_s = float(record["waited_s"])
    replies = [Reply(**one) for one in record["stalled"]]
    held = sum(not (reply.closed or reply.error or reply.status) for reply in replies)
    cut_off = check_gate(
        not held and bool(replies),
        what="stalling clients that are not cut off",
        allowed=f"0 after {settings.stalled_s:g} s",
        found=f"{held} of {len(replies)}",
    )
    return Probe(
        expected=frozenset(map(_unit, (*every, _STALLED))),
        checked=frozenset(map(_unit, (*(one.case.name for one in tried), _STALLED))),
        gates=(
            check_gate(
                not wrong,
                what="malformed requests handled wrongly",
                allowed="0",
                found=f"{len(wrong)} ({listed(wrong)})" if wrong else "0",
            ),
            *((cut_off,) if waited_s else ()),
        ),
        controls=(
            Control(
                tool="the check of malformed requests",
                planted="failure, silence, obedience, second answer and dead service",
                caught=all(fault(planted, _WELL) for planted in planted_faults()),
            ),
        ),
        not_checked=()
        if waited_s
        else (NotChecked(what="that a stalling client is cut off", reason="Waiting for it takes the full dose."),),
    )


def _ask(wire: Wire, address: str, path: str) -> int:
    return wire.exchange(address, [request_bytes("GET", path, close=True)], within_s=_WITHIN_S).status


def _unit(name: str) -> str:
    return f"malformed: {name}"
