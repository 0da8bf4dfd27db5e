"""``smoke`` again, from the engine's description of the container, its log, its end, and the record of the tests."""

from __future__ import annotations

from typing import Any

from pipeline.core.containers import ContainerState
from pipeline.core.evidence import Control
from pipeline.core.probe import Probe
from pipeline.core.verification_raw import Rederived
from pipeline.errors import ToolTrouble
from pipeline.rederivation.kept import Kept
from pipeline.rederivation.tests import FIELDS, recorded_run
from pipeline.stages import hardening, smoke
from pipeline.stages.container_log import TOOL
from pipeline.stages.readiness import Readiness
from pipeline.stages.smoke_stories import FILES, assess_stories
from pipeline.tools import schemathesis

_RECORD = "tests-record.jsonl"


def rederived(kept: Kept) -> Rederived:
    """What the trial amounts to."""
    answer: dict[str, Any] = kept.json("container.json")
    if "container-trouble.txt" in kept.raw:
        raise ToolTrouble("The engine had no end of the container to keep.")
    record = _RECORD in kept.raw
    texts = {name: kept.raw[name] for name in FILES if name in kept.raw}
    told = assess_stories(kept.settings.smoke, texts) if record else smoke.NOTHING_TOLD
    trial = smoke.Trial(
        restrictions=hardening.restrictions(answer),
        readiness=_readiness(kept),
        ran=recorded_run(kept.text(_RECORD)) if record else None,
        stopped=_state(kept.json("container-end.json")),
        log=kept.text("container.log"),
        controls=_controls(kept, answer, told),
        told=told,
    )
    image = str(kept.result.metrics.get("image_id") or "")
    if answer.get("Image") not in (None, image):
        raise ToolTrouble(f"The container ran {answer['Image']}, and the result is about {image}.")
    tests = kept.evidence.expected - hardening.restriction_names() - told.expected
    examined = smoke.assess(kept.settings.smoke, tests, trial, image)
    return Rederived(
        examination=examined,
        tools=("pytest", TOOL, schemathesis.TOOL),
        fields=FIELDS,
        metrics=("tests", "exit_code", "restrictions", *told.metrics),
        taken=(
            kept.whole_checkout,
            "When the container was ready, and that a missing path and a silent address were noticed, rest on the "
            "report's own word.",
        ),
    )


def _readiness(kept: Kept) -> Readiness:
    """As the result tells it: the waiting leaves no output of its own."""
    after = kept.result.metrics.get("ready_s")
    found = next((gate.found for gate in kept.result.gates if gate.what == "ready"), "")
    ready = isinstance(after, int | float)
    return Readiness(ready=ready, after_s=float(after) if isinstance(after, int | float) else 0.0, found=found)


def _state(state: dict[str, Any]) -> ContainerState:
    return ContainerState(
        status=str(state["Status"]),
        exit_code=int(state["ExitCode"]),
        out_of_memory=bool(state.get("OOMKilled")),
        health=str((state.get("Health") or {}).get("Status", "")),
    )


def _controls(kept: Kept, answer: dict[str, Any], told: Probe) -> tuple[Control, ...]:
    """Those that need no container are carried out again, those of the stories by the stories."""
    stories = {(control.tool, control.planted) for control in told.controls}
    again = hardening.control(answer)
    mine = (control for control in kept.controls if (control.tool, control.planted) not in stories)
    return tuple(again if (c.tool, c.planted) == (again.tool, again.planted) else c for c in mine)
