"""A stage for tests of comparisons: it finds the lines with the word BAD, scores by their number, reads a coverage."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Finding, Severity, weighed
from pipeline.core.gate import findings_gate
from pipeline.core.stage import Examination, Metric
from pipeline.run import Run
from pipeline.run_command import each
from pipeline.stages.context import Context
from pipeline.workplace import Workplace
from tests.projects import SampleStage

COVERAGE = "covered.txt"
"""Holds how many of 1000 statements are covered."""


def look(context: Context) -> Examination:
    """What the tree holds. A file with the word DOUBT is not checked."""
    files = context.snapshot.files((".",), "*.py")
    texts = {path: (context.tree / path).read_text(encoding="utf-8") for path in files}
    found = weighed(
        (
            Finding(rule="bad", tool="look", severity=Severity.HIGH, message="Bad.", path=path, line=number, column=1,
                    snippet=line)
            for path, text in texts.items()
            for number, line in enumerate(text.splitlines(), 1)
            if "BAD" in line
        ),
        fail_on=Severity.MEDIUM,
    )  # fmt: skip
    metrics: dict[str, Metric] = {"score": 10.0 - len(found)}
    if (context.tree / COVERAGE).exists():
        covered = int((context.tree / COVERAGE).read_text(encoding="utf-8"))
        metrics |= {"covered": covered, "statements": 1000, "coverage": covered / 10}
    return Examination(
        evidence=Evidence.of(
            "Python files",
            expected=files,
            checked=[path for path in files if "DOUBT" not in texts[path]],
            controls=(Control(tool="look", planted="bad line", caught=True),),
        ),
        gates=(findings_gate(found, what="bad lines", fail_on=Severity.MEDIUM),),
        findings=found,
        metrics=metrics,
    )


def looking(name: str = "scan", **more: Any) -> SampleStage:
    """The stage."""
    return SampleStage(name, more.pop("examine", look), **more)


def carry_out(
    project: Path, *stages: SampleStage, against: str | None = None, run_id: str = "", **environ: str
) -> dict[str, Any]:
    """Run all stages and return the report."""
    variables = {**os.environ, **environ}
    identity = run_id or os.urandom(4).hex()
    run = Run(Workplace(project, variables, identity, against=against), stages, identity)
    try:
        asked = frozenset(stage.name for stage in stages)
        each(run, run.begin(asked), asked, ())
    finally:
        run.close()
    document: dict[str, Any] = json.loads((project / "reports/pipeline.json").read_text(encoding="utf-8"))
    return document


def stage(report: dict[str, Any], name: str = "scan") -> dict[str, Any]:
    """A stage of the report."""
    found: dict[str, Any] = next(item for item in report["stages"] if item["name"] == name)
    return found


def states(report: dict[str, Any]) -> list[str]:
    """The states of the findings."""
    return sorted(finding["state"] for finding in report["findings"])
