"""A forger with little patience: changes one thing in a finished report and computes every digest again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core.finding import Severity, State
from pipeline.core.gate import counted_again
from pipeline.core.run_record import Report, RunRecord
from pipeline.core.stage import Artifact, StageResult, Status
from pipeline.reporters import FORMATS, json_reading, json_report


class Forgery:
    """A finished report that is changed and sealed again, so that no digest tells."""

    def __init__(self, reports: Path) -> None:
        self.reports = reports
        self.record, self._finished = json_reading.parse_record(self._text("pipeline.json"))
        self.results = {name: json_reading.read_stage(self._text(_path(name))) for name in self.record.stages}

    def result(self, stage: str, **changes: Any) -> None:
        """Another value in a stage's result."""
        self.results[stage] = replace(self.results[stage], **changes)

    def metrics(self, stage: str, **changes: Any) -> None:
        """Other metrics of a stage."""
        self.result(stage, metrics={**self.results[stage].metrics, **changes})

    def evidence(self, stage: str, **changes: Any) -> None:
        """Other evidence of a stage."""
        evidence = self.results[stage].evidence
        assert evidence is not None
        self.result(stage, evidence=replace(evidence, **changes))

    def about(self, **changes: Any) -> None:
        """Another value in what the report says of the run."""
        self.record = replace(self.record, **changes)

    def raw(self, stage: str, name: str, change: Callable[[str], str]) -> None:
        """Another raw output."""
        path = self.reports / "stages" / stage / "raw" / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    def raw_json(self, stage: str, name: str, change: Callable[[Any], Any]) -> None:
        """Another raw output, changed as the value that it holds; ``change`` may change it in place."""

        def text(before: str) -> str:
            document = json.loads(before)
            changed = change(document)
            return json.dumps(document if changed is None else changed)

        self.raw(stage, name, text)

    def sealed(self) -> Path:
        """Everything written again, with the digests that belong to it."""
        for name, result in self.results.items():
            self.results[name] = self._with_digests(result)
            (self.reports / _path(name)).write_text(json_report.render_stage(self.results[name]), encoding="utf-8")
        report = Report(record=self.record, results=tuple(self.results.values()), finished=self._finished)
        for made in FORMATS.values():
            for glob in made.globs:
                for path in self.reports.glob(glob):
                    path.unlink()
            for file, text in made.files(report).items():
                (self.reports / file).parent.mkdir(exist_ok=True)
                (self.reports / file).write_text(text, encoding="utf-8")
        return self.reports

    def _with_digests(self, result: StageResult) -> StageResult:
        artifacts = tuple(
            Artifact(path=a.path, sha256=hashlib.sha256((self.reports / a.path).read_bytes()).hexdigest())
            for a in result.artifacts
        )
        return replace(result, artifacts=artifacts)

    def _text(self, path: str) -> str:
        return (self.reports / path).read_text(encoding="utf-8")


def another(record: RunRecord, **values: Any) -> dict[str, Any]:
    """The policy of a record with other values."""
    return {**record.policy, **values}


def without_findings(forgery: Forgery, stage: str) -> None:
    """The stage green: no finding, and gates, status and reasons that fit."""
    result = forgery.results[stage]
    gates = tuple(counted_again(gate, ()) if gate.of_findings else gate for gate in result.gates)
    forgery.result(stage, findings=(), gates=gates, status=Status.PASS, reasons=result.notes)


def gates_met(forgery: Forgery, stage: str) -> None:
    """Every gate of the stage met."""
    forgery.result(stage, gates=tuple(replace(gate, passed=True) for gate in forgery.results[stage].gates))


def lower(forgery: Forgery, stage: str) -> None:
    """The findings of the stage harmless, and the stage green."""
    findings = tuple(replace(f, severity=Severity.INFO, counted=False) for f in forgery.results[stage].findings)
    without_findings(forgery, stage)
    forgery.result(stage, findings=findings)


def waived(forgery: Forgery, stage: str) -> None:
    """The findings of the stage waived, and the stage green."""
    findings = tuple(replace(f, state=State.WAIVED) for f in forgery.results[stage].findings)
    without_findings(forgery, stage)
    forgery.result(stage, findings=findings)


def _path(stage: str) -> str:
    return f"stages/{stage}/result.json"
