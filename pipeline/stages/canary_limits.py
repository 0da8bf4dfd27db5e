"""The canary by absolute limits: where there is no release to compare with, and for a live deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

from pipeline.core.canary_judge import EVERYWHERE, Limits, Side, compare_with_limits, failing, observe, slowed
from pipeline.core.evidence import Control
from pipeline.core.finding import Severity, weighed
from pipeline.core.gate import count_gate, findings_gate
from pipeline.core.stage import Examination
from pipeline.core.statistics import quantile
from pipeline.settings import Canary
from pipeline.stages.canary_measurement import Measurement, control, doubts_of, gates_of, keep, measure
from pipeline.stages.context import Context
from pipeline.stages.project_locks import project_environment
from pipeline.stages.test import run_tests
from pipeline.tools import pytest

CANDIDATE = "candidate"
LIVE = "live"


def examine_by_limits(context: Context, side: str, address: str) -> Examination:
    """Measure one side and hold it against the limits of the settings."""
    measurement = measure(context, {side: address}, lambda samples: True, rounds=1)
    examination, judged = assess_limits(context.settings.canary, measurement, side)
    keep(context, measurement, judged, {"mode": "absolute limits", "limits": asdict(_limits(context.settings.canary))})
    return examination
