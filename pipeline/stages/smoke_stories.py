"""The stories of the smoke stage: which of them a run tells, by its dose and its exclusions, and what they amount to.

A story leaves one record below ``raw/``; what it amounts to is a function of that record alone, so that ``pipeline
verify`` comes to the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.core.probe import Probe, joined
from pipeline.core.stage import NotChecked
from pipeline.settings import Smoke
from pipeline.stages import (
    smoke_chaos,
    smoke_endpoints,
    smoke_malformed,
    smoke_restart,
    smoke_steadiness,
    smoke_stop,
)
from pipeline.stages.chaos_faults import FAULTS
from pipeline.stages.context import Context
from pipeline.stages.smoke_names import wanted

Record = Mapping[str, Any]
_RECORDS: Mapping[str, str] = {
    smoke_restart.STORY: smoke_restart.RECORD,
    smoke_endpoints.STORY: smoke_endpoints.RECORD,
    smoke_malformed.STORY: smoke_malformed.RECORD,
    smoke_steadiness.STORY: smoke_steadiness.RECORD,
    smoke_stop.STORY: smoke_stop.RECORD,
    smoke_chaos.STORY: smoke_chaos.RECORD,
}
_JUDGES: Mapping[str, Callable[[Smoke, Record], Probe]] = {
    smoke_restart.STORY: smoke_restart.assess_restart,
    smoke_malformed.STORY: smoke_malformed.assess_malformed,
    smoke_steadiness.STORY: smoke_steadiness.assess_steadiness,
    smoke_stop.STORY: smoke_stop.assess_stop,
    smoke_chaos.STORY: smoke_chaos.assess_chaos,
}
FILES = (*_RECORDS.values(), smoke_endpoints.EVENTS)
"""All that their judgement needs, by the name below ``raw/``."""


def records(context: Context) -> dict[str, str]:
    """What the stories have kept, by :data:`FILES`."""
    there = ((name, context.raw / name) for name in FILES)
    return {name: path.read_text(encoding="utf-8", errors="replace") for name, path in there if path.exists()}


def assess_stories(settings: Smoke, texts: Mapping[str, str]) -> Probe:
    """What the records in ``texts`` (by :data:`FILES`) amount to; a wanted story without its record was not told.

    Raises:
        ToolTrouble: a tool's own record can't be read.
    """
    probes = []
    for story in wanted(settings):
        if _RECORDS[story] not in texts:
            probes.append(Probe(expected=frozenset({f"story: {story}"})))
            continue
        record = json.loads(texts[_RECORDS[story]])
        if story == smoke_endpoints.STORY:
            events = texts.get(smoke_endpoints.EVENTS, "")
            probes.append(smoke_endpoints.assess_endpoints(settings, record, events))
        else:
            probes.append(_JUDGES[story](settings, record))
    return joined((*probes, _left_out(settings)))


def _left_out(settings: Smoke) -> Probe:
    """What this run does not look at, by dose, configuration and exclusion."""
    left = [NotChecked(what=f"smoke: {item.path}", reason=item.reason) for item in settings.exclude]
    if settings.dose != "full":
        names = ", ".join(fault.name for fault in FAULTS)
        reason = "They belong to the full dose (smoke.dose), for schedules and releases."
        left.append(NotChecked(what=f"chaos checks ({names})", reason=reason))
        left.append(NotChecked(what="generated requests for a longer time", reason=reason))
    if not settings.openapi:
        left.extend(smoke_endpoints.without_document().not_checked)
    return Probe(not_checked=tuple(left))
