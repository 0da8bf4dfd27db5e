"""What the derivations make of outputs that no whole report of the other tests holds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.core.evidence import Control, Evidence
from pipeline.core.policy_difference import Difference, Effect
from pipeline.core.stage import StageResult, Status
from pipeline.errors import ToolTrouble
from pipeline.rederivation import DERIVATIONS, Kept
from pipeline.settings import Canary, Settings
from pipeline.stages.canary_measurement import COLUMNS
from pipeline.stages.registry import pipeline_stages
from tests.finished_containers import hardened
from tests.samples import RECORD

EVIDENCE = Evidence.of("things", expected=("a",), checked=("a",))
LOOSENED = Difference(subject="test.coverage_floor", effect=Effect.LOOSENS, sentence="It was 75.0 and is 10.0.")
POLICIES = {
    "before": {"settings": {"name": "x"}, "files": {"noxfile.py": ""}},
    "after": {"settings": {"name": "x", "waivers": []}, "files": {}},
}


def kept(stage: str, raw: dict[str, Any], evidence: Evidence | None = EVIDENCE, **metrics: Any) -> Kept:
    """A stage's result with these raw outputs."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in raw.items()}
    result = StageResult(name=stage, status=Status.FAIL, reasons=("So.",), evidence=evidence, metrics=metrics)
    record = replace(RECORD, policy={"name": "x"}, changes=(LOOSENED, replace(LOOSENED, approved=True)))
    return Kept(result=result, raw=texts, settings=Settings(canary=Canary(requests=60)), record=record)


def test_every_stage_of_the_pipeline_can_be_derived_again() -> None:
    assert {stage.name for stage in pipeline_stages()} | {"policy"} == set(DERIVATIONS)


def test_the_changes_of_the_policy_are_counted_again() -> None:
    seen = DERIVATIONS["policy"](kept("policy", {"policy.json": POLICIES})).examination
    assert seen.metrics == {"loosening": 2, "unapproved": 1, "changes": 2}
    assert seen.evidence.expected == {"the settings", "noxfile.py"}
    assert [(gate.found, gate.passed) for gate in seen.gates] == [("1", False)]


def test_a_revision_without_a_policy_has_no_parts() -> None:
    seen = DERIVATIONS["policy"](kept("policy", {"policy.json": {**POLICIES, "before": None}})).examination
    assert seen.evidence.expected == {"the settings"}


def test_a_comparison_of_another_policy_is_none() -> None:
    other = {**POLICIES, "after": {"settings": {"name": "y"}, "files": {}}}
    with pytest.raises(ToolTrouble, match="other values than the report's: name"):
        DERIVATIONS["policy"](kept("policy", {"policy.json": other}))


def test_the_measurement_of_a_live_deployment_is_judged_by_limits() -> None:
    raw = {"samples.json": {"columns": COLUMNS, "rows": []}, "answers.json": {}, "earlier-runs.json": []}
    derived = DERIVATIONS["canary"](kept("canary", raw, mode="live", rounds=1))
    assert len(derived.examination.evidence.expected) == 60
    assert "Which deployment answered" in derived.taken[0]


@pytest.mark.parametrize(
    ("stage", "raw", "fault"),
    [
        ("scan", {}, "No output of bandit is there"),
        ("audit", {}, "pip-audit's output is not there"),
        ("lint", {}, "The raw output ruff.log is not there"),
        ("smoke", {"container.json": hardened(), "container-trouble.txt": "gone"}, "no end of the container"),
    ],
)
def test_outputs_that_are_missing_are_told(stage: str, raw: dict[str, Any], fault: str) -> None:
    with pytest.raises(ToolTrouble, match=fault):
        DERIVATIONS[stage](kept(stage, raw))


@pytest.mark.parametrize("change", [{"schema": "other"}, {"complete": False}, {"detectors": []}])
def test_an_output_that_is_not_the_secret_drivers_is_refused(change: dict[str, Any]) -> None:
    whole = {"schema": "pipeline.secret-scan/v1", "complete": True, "detectors": ["x"]}
    with pytest.raises(ValueError, match="is not the driver's"):
        DERIVATIONS["secrets"](kept("secrets", {"secrets.json": {**whole, **change}}))


def test_a_planted_package_that_nobody_claims_to_have_caught_is_not_looked_for() -> None:
    planted = Control(tool="pip-audit", planted="package a 1, which is known to be vulnerable", caught=False)
    evidence = Evidence.of("locked packages", expected=("six==1.17.0",), checked=(), controls=(planted,))
    derived = DERIVATIONS["audit"](kept("audit", {"pip-audit.json": {"dependencies": []}}, evidence))
    assert derived.examination.evidence.controls == (planted,)


def test_a_result_without_evidence_can_not_be_derived() -> None:
    with pytest.raises(ToolTrouble, match="has no evidence"):
        DERIVATIONS["secrets"](
            kept(
                "secrets",
                {
                    "secrets.json": {
                        "schema": "pipeline.secret-scan/v1", "complete": True, "detectors": ["x"], "errors": [],
                        "files": [], "allowed": [], "secrets": [],
                    }
                },
                None,
            )
        )  # fmt: skip
