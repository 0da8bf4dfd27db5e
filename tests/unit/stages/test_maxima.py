"""``max_low`` and the like: what may be found of a severity that does not fail by itself, in each stage that rates."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.core.advisories import Vulnerability
from pipeline.core.evidence import Control
from pipeline.core.finding import Finding, Severity, State
from pipeline.core.gate import check_gate
from pipeline.core.lock import parse_lock
from pipeline.core.stage import Examination, Status
from pipeline.core.verdict import conclude
from pipeline.settings import Audit, Lint, Scan
from pipeline.stages import audit_assessment, lint, scan
from pipeline.tools import bandit, pip_audit, pylint, ruff
from tests.audit_project import NOW, lock_of

FILES = ("a.py",)
PINS = parse_lock(lock_of("six==1.17.0"), "lock")


def control(tool: str) -> Control:
    """One that was caught."""
    return Control(tool=tool, planted="fault", caught=True)


def low(tool: str) -> tuple[Finding, Finding]:
    """Two findings of low severity."""
    first, second = (
        Finding(rule="R", tool=tool, severity=Severity.LOW, message="m", path="a.py", line=line) for line in (1, 2)
    )
    return first, second


def of_lint(max_low: int | None) -> Examination:
    """What ``lint`` makes of them."""
    return lint.assess(
        Lint(max_low=max_low),
        FILES,
        ruff.Output(findings=low("ruff"), checked=frozenset(FILES)),
        pylint.Output(findings=(), checked=frozenset(FILES), score=10.0),
        controls=(control("ruff"), control("pylint")),
    )


def of_scan(max_low: int | None) -> Examination:
    """What ``scan`` makes of them."""
    output = bandit.Output(findings=low("bandit"), checked=frozenset(FILES))
    return scan.assess(Scan(max_low=max_low), FILES, output, control=control("bandit"))


def of_audit(max_low: int | None) -> Examination:
    """What ``audit`` makes of two vulnerabilities of low severity."""
    found = tuple(
        pip_audit.Reported(package="six", version="1.17.0", vulnerability=Vulnerability(id=name, severity=Severity.LOW))
        for name in ("PYSEC-1", "PYSEC-2")
    )
    seen = audit_assessment.Observed(
        output=pip_audit.Output(audited=frozenset({"six==1.17.0"}), found=found), controls=(control("pip-audit"),)
    )
    current = check_gate(True, what="lock", allowed="all", found="all")
    return audit_assessment.assess(Audit(lock="lock", max_low=max_low), PINS, seen, current, NOW)


@pytest.mark.parametrize("examined", [of_lint, of_scan, of_audit])
@pytest.mark.parametrize(
    ("max_low", "status"), [(None, Status.PASS), (2, Status.PASS), (1, Status.FAIL), (0, Status.FAIL)]
)
def test_more_than_the_maximum_fails_with_both_numbers(
    examined: Callable[[int | None], Examination], max_low: int | None, status: Status
) -> None:
    found, reasons = conclude(examined(max_low))
    assert found is status
    assert any(f"of severity low: allowed at most {max_low}, found 2." in r for r in reasons) == (status is Status.FAIL)


def test_only_maxima_that_are_set_are_gates_and_states_count_again() -> None:
    assert Lint(max_high=3, max_info=0).maxima == {Severity.HIGH: 3, Severity.INFO: 0}
    assert len(of_lint(None).gates) + 1 == len(of_lint(1).gates)
    assert all(finding.state is State.NEW for finding in of_lint(1).findings)
