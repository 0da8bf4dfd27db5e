"""``test`` again, from the witness's record of what really ran, and coverage's own JSON for the files that count."""

from __future__ import annotations

import json

from pipeline.core.verification_raw import Rederived
from pipeline.rederivation.kept import CONTROLS, NOWHERE, Kept, ended
from pipeline.stages import test
from pipeline.tools import coverage, pytest

FIELDS = ("rule", "tool", "severity", "message", "counted")
_RECORD, _COVERAGE, _MEASURED = "junit-record.jsonl", "coverage.json", "measured.json"


def rederived(kept: Kept) -> Rederived:
    """What the tests' outcomes and the coverage amount to."""
    covered = None
    if _COVERAGE in kept.raw:
        covered = coverage.parse(kept.text(_COVERAGE), tuple(map(str, kept.json(_MEASURED))))
    ran = recorded_run(kept.text(_RECORD))
    caught = all(control.caught for control in kept.controls)
    examined = test.assess(kept.settings.test, kept.evidence.expected, ran, covered, caught=caught)
    shown = ("coverage", "statements") if covered else ()
    return Rederived(
        examination=examined,
        tools=("pytest",),
        fields=FIELDS,
        metrics=("tests", "failed", "skipped", *shown),
        taken=(kept.whole_checkout, CONTROLS, "Where a test failed in its file rests on the report's own word too."),
    )


def recorded_run(record: str) -> pytest.Output:
    """What pytest did by the witness's record; its exit code is the one that the witness saw coming."""
    ends = [event["exit"] for event in map(json.loads, record.splitlines()) if event["event"] == "end"]
    return pytest.parse(ended(int(ends[-1]) if ends else -1), record, NOWHERE)
