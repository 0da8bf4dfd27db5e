"""What counts as trouble in a service's log."""

from __future__ import annotations

import pytest

from pipeline.stages.container_log import findings_in


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ('{"level": "error", "msg": "x"}', ["log-error"]),
        ('{"severity": "CRITICAL"}', ["log-critical"]),
        ('{"level": "INFO", "msg": "ERROR in the text"}', []),
        ('{"level": "ERROR", "exception": "Traceback (most recent call last)"}', ["log-traceback"]),
        ("ERROR: it broke", ["log-error"]),
        ("[2026-01-01 10:00:00 +0000] [1] [CRITICAL] WORKER TIMEOUT", ["log-critical"]),
        ("2026-01-01T10:00:00Z ERROR it broke", ["log-error"]),
        ("Traceback (most recent call last):", ["log-traceback"]),
        ("no ERROR here", []),
        ("ERRORS: 0", []),
        ('{"broken json ERROR', []),
        ("[1, 2]", []),
        ("", []),
    ],
)
def test_a_log_line_is_read_by_its_level(line: str, rules: list[str]) -> None:
    assert [finding.rule for finding in findings_in(line)] == rules


def test_a_flood_of_errors_stays_readable() -> None:
    findings = findings_in("ERROR " + "x" * 1000 + "\n" + "ERROR again\n" * 100)
    assert len(findings) == 50
    assert len(findings[0].message) <= 401
