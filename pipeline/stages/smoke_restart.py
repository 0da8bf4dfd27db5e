"""SIGKILL and restart: the service comes back ready by itself, and answers as before.

In a container of its own, while the suite asks another one: a kill and a start are mostly waiting for the engine.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

from pipeline.core.containers import Container
from pipeline.core.evidence import Control, listed
from pipeline.core.gate import check_gate
from pipeline.core.probe import Probe
from pipeline.core.same_answers import unlike
from pipeline.core.wire import Reply, request_bytes
from pipeline.settings import Smoke
from pipeline.stages import smoke_names
from pipeline.stages.container_log import findings_in
from pipeline.stages.context import Context
from pipeline.stages.readiness import Readiness, wait_until_ready
from pipeline.stages.service_container import container_request
from pipeline.stages.smoke_steadiness import requests_of

STORY = smoke_names.RESTART
RECORD = "restart.json"

_ANSWER_S = 5.0
_KILLED = 137


@contextlib.contextmanager
def restarting(context: Context, image: str) -> Iterator[Future[None]]:
    """The story beside what is done meanwhile; it has been told, and its container is gone, when its future is done.

    When the context ends before, it is not told to its end, and its container is removed all the same.
    """
    engine, request = context.ports.engine(), container_request(context, image, STORY)
    started: list[Container] = []
    over = threading.Event()

    def tell() -> None:
        started.append(engine.start(request))
        try:
            if not over.is_set():
                kill_and_restart(context, started[0])
        finally:
            started[0].remove()

    with ThreadPoolExecutor(1) as aside:
        told: list[Future[None]] = []
        try:
            told.append(aside.submit(tell))
            yield told[0]
        finally:
            over.set()
            for container in () if told and told[0].done() else started:
                # Whoever still waits for it meets its absence.
                container.remove()


def kill_and_restart(context: Context, container: Container) -> None:
    """Once it is ready: ask, kill, start, wait, ask again; all answers and its log are kept."""
    record: dict[str, Any] = {"exit_code": None, "answers": {}}
    readiness = _ready(context, container)
    if readiness.ready:
        before = [_ask(context, container) for _ in range(2)]
        record["exit_code"] = container.kill().exit_code
        container.start_again()
        readiness = _ready(context, container)
        after = _ask(context, container) if readiness.ready else {}
        record["answers"] = {
            request: [asdict(answers[request]) for answers in (*before, after) if request in answers]
            for request in before[0]
        }
    else:
        readiness = replace(readiness, found=f"not even ready before SIGKILL: {readiness.found}")
    record |= {"ready": asdict(readiness), "log": context.ports.redact(container.logs())}
    context.keep(RECORD, json.dumps(record, indent=2) + "\n")


def assess_restart(settings: Smoke, record: Mapping[str, Any]) -> Probe:
    """Whether it came back, and the same."""
    answers = {request: [Reply(**one) for one in seen] for request, seen in record["answers"].items()}
    whole = {request: seen for request, seen in answers.items() if len(seen) == 3}
    other = [f"{request}: {found}" for request, seen in whole.items() if (found := unlike(*seen))]
    ready = record["ready"]
    doubts: tuple[str, ...] = ()
    if record["exit_code"] != _KILLED and (ready["ready"] or record["exit_code"] is not None):
        doubts = (f"SIGKILL ended the container with exit code {record['exit_code']} and not {_KILLED}.",)
    wrong = Reply(text="HTTP/1.1 200 OK\r\n\r\nother"), Reply(text="HTTP/1.1 200 OK\r\n\r\nplanted")
    return Probe(
        expected=frozenset(_unit(request) for request in requests_of(settings)),
        checked=frozenset(map(_unit, whole)),
        gates=(
            check_gate(
                bool(ready["ready"]),
                what="ready again after SIGKILL",
                allowed=f"within {settings.ready_timeout_s:g} s",
                found=ready["found"],
            ),
            check_gate(
                not other,
                what="answers that are others after SIGKILL and restart",
                allowed="0",
                found=f"{len(other)} ({listed(other, 3)})" if other else "0",
            ),
        ),
        controls=(
            Control(
                tool="the comparison of answers",
                planted="other answer",
                caught=bool(unlike(wrong[0], wrong[0], wrong[1])),
            ),
        ),
        findings=findings_in(record.get("log", "")),
        doubts=doubts,
        metrics={"ready_again_s": round(float(ready["after_s"]), 3) if ready["ready"] else None},
    )


def _ready(context: Context, container: Container) -> Readiness:
    settings, ports = context.settings.smoke, context.ports
    return wait_until_ready(container, settings.ready_path, settings.ready_timeout_s, ports.clock, ports.progress)


def _ask(context: Context, container: Container) -> dict[str, Reply]:
    """The host is named without its port, which changes with a restart."""
    answers = {}
    for request in requests_of(context.settings.smoke):
        method, _, path = request.partition(" ")
        parts = [request_bytes(method, path, close=True)]
        answers[request] = context.ports.wire.exchange(container.base_url, parts, within_s=_ANSWER_S)
    return answers


def _unit(request: str) -> str:
    return f"restart: {request}"
