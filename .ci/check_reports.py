"""Reads the reports of a finished run as a stranger would, and fails unless they say what they should."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from lxml import etree

STAGES = ["lint", "scan", "secrets", "audit", "test", "build", "smoke", "canary", "push"]
REPORTS = Path("reports")


def main() -> None:
    """Check pipeline.json, the stages' own results, their artifacts and the JUnit file."""
    report: dict[str, Any] = json.loads((REPORTS / "pipeline.json").read_text(encoding="utf-8"))
    expect(report["schema"] == "pipeline.report/v1", "the schema is the first version's")
    expect(report["verdict"] == "pass", f"the verdict is pass, and it is {report['verdict']}")
    expect([stage["name"] for stage in report["stages"]] == STAGES, "the nine stages are there in their order")
    for stage in report["stages"]:
        check_stage(stage, report["snapshot"])
    junit = etree.parse(str(REPORTS / "pipeline.junit.xml")).getroot()
    expect([suite.get("name") for suite in junit] == STAGES, "JUnit has a suite for each stage")
    expect(junit.get("failures") == junit.get("errors") == "0", "JUnit has neither failures nor errors")
    print(f"reports: {len(report['stages'])} stages, all pass, snapshot {report['snapshot'][:12]}")


def check_stage(stage: dict[str, Any], snapshot: str) -> None:
    """A green stage shows its evidence, a control that was caught, its tools, and artifacts with the right digests."""
    name = stage["name"]
    evidence = stage["evidence"]
    expect(stage["status"] == "pass", f"{name} is pass")
    expect(0 < evidence["expected"] == evidence["checked"], f"{name} checked all that it should have")
    expect(evidence["control"]["caught"] is True, f"{name} caught its planted sample")
    expect(all(gate["passed"] for gate in stage["gates"]) and stage["gates"], f"{name} met its gates")
    expect(bool(stage["artifacts"]), f"{name} kept its raw outputs")
    for artifact in stage["artifacts"]:
        content = (REPORTS / artifact["path"]).read_bytes()
        expect(hashlib.sha256(content).hexdigest() == artifact["sha256"], f"{artifact['path']} has its digest")
    own = json.loads((REPORTS / "stages" / name / "result.json").read_text(encoding="utf-8"))
    expect(own["status"] == "pass" and own["snapshot"] == snapshot, f"{name}'s own result agrees")


def expect(holds: bool, what: str) -> None:
    """End with a sentence when something does not hold."""
    if not holds:
        sys.exit(f"the reports are not as they should be: {what}")


if __name__ == "__main__":
    main()
