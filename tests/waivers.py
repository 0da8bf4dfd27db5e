"""A waiver, a finding that it hides, a vulnerability and a report with waivers, each to be changed by a test."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from pipeline.core.finding import Finding, Severity
from pipeline.core.run_record import Report
from pipeline.core.stage import Status
from pipeline.core.waiver import Waiver
from tests.samples import passed, report

TODAY = date(2026, 6, 15)


def make_waiver(**changes: Any) -> Waiver:
    """A waiver for asserts in tests, in force on ``TODAY``."""
    values: dict[str, Any] = {
        "id": "B101",
        "tool": "bandit",
        "scope": "tests/**",
        "reason": "Asserts are how tests speak.",
        "owner": "Platform",
        "created": TODAY - timedelta(days=10),
        "expires": TODAY + timedelta(days=90),
        "line": 3,
        "last_line": 10,
        "stages": ("scan",),
    }
    return Waiver(**{**values, **changes})


def make_finding(**changes: Any) -> Finding:
    """A finding that it hides."""
    values: dict[str, Any] = {
        "rule": "B101", "tool": "bandit", "severity": Severity.HIGH, "message": "assert", "line": 3, "id": "f" * 32,
        "path": "tests/unit/test_a.py",
    }  # fmt: skip
    return Finding(**{**values, **changes})


VULNERABILITY = make_finding(
    rule="PYSEC-2024-1", tool="pip-audit", path="service/requirements.txt", package="Flask_Thing", version="1.0",
    aliases=("CVE-2024-1", "GHSA-aaaa-bbbb-cccc"),
)  # fmt: skip

DAY = date(2026, 1, 1)
"""On which the sample record says that its run began."""


def waived_report(*waivers: Waiver, findings: tuple[Finding, ...] = (), status: Status = Status.PASS) -> Report:
    """A report with these waivers and findings."""
    stage = replace(passed("scan"), findings=findings, status=status, reasons=("It is so.",))
    made = report(stage, required=("scan",))
    return replace(made, record=replace(made.record, waivers=waivers))
