"""Conditions that a stage's result must meet, each printed as what is allowed against what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.core.evidence import listed
from pipeline.core.finding import Finding, Severity, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One condition: ``what`` is measured, what is ``allowed``, what was ``found``, and whether that is enough.

    ``of_findings`` marks a gate that counts a stage's findings, so that it can be counted again when their states are
    known (see :mod:`pipeline.core.disposition`): those that count, or those ``of_severity``, of which ``most`` may be.
    """

    what: str
    allowed: str
    found: str
    passed: bool
    of_findings: bool = False
    of_severity: str = ""
    most: int = 0

    @property
    def sentence(self) -> str:
        """The gate as a full sentence for a report's reasons."""
        return f"{self.what}: allowed {self.allowed}, found {self.found}."


def findings_gate(findings: Sequence[Finding], *, what: str, fail_on: Severity) -> Gate:
    """No new finding may be one that counts (see :func:`pipeline.core.finding.weighed`)."""
    blank = Gate(what=f"{what} of severity {fail_on} or worse", allowed="0", found="0", passed=True, of_findings=True)
    return counted_again(blank, findings)


def severity_gates(findings: Sequence[Finding], *, what: str, most: Mapping[Severity, int]) -> tuple[Gate, ...]:
    """For each severity with a maximum: no more new findings of just this severity, whether or not they count."""
    blanks = (
        Gate(
            what=f"{what} of severity {severity}",
            allowed=f"at most {number}",
            found="0",
            passed=True,
            of_findings=True,
            of_severity=str(severity),
            most=number,
        )
        for severity, number in most.items()
    )
    return tuple(counted_again(blank, findings) for blank in blanks)


def counted_again(gate: Gate, findings: Sequence[Finding]) -> Gate:
    """The gate that counts findings, for these findings."""
    new = [finding for finding in findings if finding.state is State.NEW]
    counted = sum(f.severity == gate.of_severity if gate.of_severity else f.counted for f in new)
    return replace(gate, found=str(counted), passed=counted <= gate.most)


def floor_gate(value: float, floor: float, *, what: str, unit: str = "", digits: int = 2) -> Gate:
    """``value`` may not lie below ``floor``. What is compared is the value itself, never its rounded form."""
    allowed, found = _told_apart(floor, value, digits)
    return Gate(what=what, allowed=f"at least {allowed}{unit}", found=f"{found}{unit}", passed=value >= floor)


def count_gate(count: int, least: int, *, what: str) -> Gate:
    """At least ``least`` of something."""
    return Gate(what=what, allowed=f"at least {least}", found=str(count), passed=count >= least)


def ceiling_gate(value: float, most: float, *, what: str, unit: str = "", digits: int = 2) -> Gate:
    """``value`` may not lie above ``most``. What is compared is the value itself, never its rounded form."""
    allowed, found = _told_apart(most, value, digits)
    return Gate(what=what, allowed=f"at most {allowed}{unit}", found=f"{found}{unit}", passed=value <= most)


def _told_apart(allowed: float, found: float, digits: int) -> tuple[str, str]:
    """Both numbers rounded, unless that would print "at least 95.00, found 95.00" beside a failure."""
    rounded = (f"{allowed:.{digits}f}", f"{found:.{digits}f}")
    return rounded if allowed == found or rounded[0] != rounded[1] else (repr(allowed), repr(found))


def check_gate(passed: bool, *, what: str, allowed: str, found: str) -> Gate:
    """A condition that is not a number."""
    return Gate(what=what, allowed=allowed, found=found, passed=passed)


def steadiness_gates(flaky: Sequence[str], most: int) -> tuple[Gate, ...]:
    """A gate on the tests that failed and then passed when they were run again; none where there are no such tests.

    Such a test has failed on this very content, so that it has passed is no more certain than that it has failed.
    """
    if not flaky:
        return ()
    what, found = "tests that passed only on another try", f"{len(flaky)} ({listed(flaky, 3)})"
    return (check_gate(len(flaky) <= most, what=what, allowed=str(most), found=found),)
