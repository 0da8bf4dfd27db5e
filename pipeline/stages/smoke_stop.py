"""SIGTERM under load: no request that was fully sent before it is lost, and the end is in order.

The container is frozen for a moment while clients send, so that it is certain which requests were whole before the
signal: it finds them, unanswered, together with the signal when it runs on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipeline.core.containers import Container, ContainerState
from pipeline.core.evidence import Control, listed
from pipeline.core.gate import check_gate
from pipeline.core.probe import Probe
from pipeline.core.stop_under_load import account
from pipeline.core.wire import Sent
from pipeline.settings import Smoke
from pipeline.stages import smoke_names
from pipeline.stages.context import Context
from pipeline.stages.smoke_steadiness import requests_of

STORY = smoke_names.STOP
RECORD = "stop.json"

_AT_WORK_S = 0.3
_FILL_S = 2.0
_POLL_S = 0.02
# What the engine's port forwarding still holds reaches the frozen service within this.
_ARRIVE_S = 0.1
_ANSWER_S = 2.0
_UNIT = "stop: requests in flight"


def stop_under_load(context: Context, container: Container) -> ContainerState:
    """Stop it while clients load it, keep what became of every request, and say how it ended."""
    settings, clock = context.settings.smoke, context.ports.clock
    with context.ports.wire.load(container.base_url, requests_of(settings), settings.load_connections) as load:
        clock.sleep(_AT_WORK_S)
        container.pause()
        give_up = clock.monotonic() + _FILL_S
        while load.waiting() < settings.load_connections and clock.monotonic() < give_up:
            clock.sleep(_POLL_S)
        clock.sleep(_ARRIVE_S)
        load.ease()
        signal_s = load.now()
        state = container.stop(settings.stop_timeout_s)
        sent = load.finish(_ANSWER_S)
    record = {"signal_s": signal_s, "sent": [asdict(one) for one in sent]}
    context.keep(RECORD, json.dumps(record) + "\n")
    return state


def assess_stop(settings: Smoke, record: Mapping[str, Any]) -> Probe:
    """Whether a request was lost."""
    sent = tuple(Sent(**one) for one in record["sent"])
    signal_s = float(record["signal_s"])
    found = account(sent, signal_s, settings.ready_path)
    lost = [f"{one.request} ({one.error or one.status})" for one in found.lost]
    return Probe(
        expected=frozenset({_UNIT}),
        checked=frozenset({_UNIT}) if found.in_flight else frozenset(),
        gates=(
            check_gate(
                not lost,
                what="requests lost that were fully sent before SIGTERM",
                allowed="0",
                found=f"{len(lost)} of {found.before}, {found.in_flight} of them not yet answered then"
                + (f" ({listed(lost, 3)})" if lost else ""),
            ),
        ),
        controls=(_control(sent, signal_s, settings.ready_path),),
        notes=(
            f"At SIGTERM {found.in_flight} fully sent requests were not yet answered; of {found.before} before it"
            f" {len(lost)} were lost. Later ones: {found.served_later} answered, {found.refused_later} refused.",
        ),
        metrics={"in_flight_at_stop": found.in_flight, "lost_at_stop": len(lost)},
    )


def _control(sent: tuple[Sent, ...], signal_s: float, ready_path: str) -> Control:
    """The same account with one request more, which was reset."""
    reset = Sent(request="GET /planted", whole_s=signal_s, ended_s=signal_s + 1, status=0, error="ConnectionResetError")
    more = len(account((*sent, reset), signal_s, ready_path).lost) - len(account(sent, signal_s, ready_path).lost)
    return Control(tool="the account of requests", planted="request that was reset", caught=more == 1)
