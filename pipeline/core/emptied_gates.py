"""Configuration that empties a gate is a finding of the pipeline itself: here is how one is made and counted.

What is looked for in which tool's configuration: :mod:`pipeline.core.emptied_linters` and
:mod:`pipeline.core.emptied_tests`; the pipeline's own thresholds and exclusions are judged here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pipeline.core.configuration_texts import Table
from pipeline.core.finding import Confidence, Finding, Severity, with_fingerprints
from pipeline.core.gate import counted_again, findings_gate
from pipeline.core.stage import Examination

TOOL = "pipeline"
EXCLUDED, UNRULED, UNBOUND, DESELECTED = "excludes-everything", "no-rules", "no-threshold", "tests-left-out"
"""The rules: nothing is left to check; the tool's rules are off; a limit that nothing can miss; tests that are expected
and left out without a word."""
MOST_COMPLEX = 50
"""McCabe's own last class, "untestable, very high risk", begins above 50 (T. J. McCabe, SEI's C4 reference, 1996)."""
_OWN_FILE = "pyproject.toml"


def emptied(rule: str, message: str, fix: str, *, path: str = "", line: int = 0, snippet: str = "") -> Finding:
    """A finding of the pipeline about configuration; message and fix are full sentences."""
    return Finding(
        rule=rule,
        tool=TOOL,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        message=message,
        path=path,
        line=line,
        snippet=snippet,
        fix=fix,
    )


def in_table(rule: str, table: Table, key: str, message: str, fix: str) -> Finding:
    """A finding about a key of a tool's configuration."""
    return emptied(rule, message, fix, path=table.path, line=table.line(key), snippet=f"{key}: {message}")


def with_configuration(examination: Examination, findings: Sequence[Finding]) -> Examination:
    """The examination with findings about its configuration, which count whatever the stage's own thresholds say.

    The stage's findings gate counts them, so that they can be waived by name like any other; a stage that had nothing
    to check gets such a gate.
    """
    if not findings:
        return examination
    every = (*with_fingerprints(findings), *examination.findings)
    gates = list(examination.gates)
    if not any(gate.of_findings and not gate.of_severity for gate in gates):
        gates.append(findings_gate((), what="findings", fail_on=Severity.LOW))
    counted = tuple(counted_again(gate, every) if gate.of_findings else gate for gate in gates)
    notes = tuple(f"Configuration that empties this gate counts as a finding: {f.message}" for f in findings)
    return replace(examination, findings=every, gates=counted, notes=(*examination.notes, *notes))


def excludes_everything(key: str, text: str) -> Finding:
    """The pipeline's own exclusions leave a stage nothing; ``text`` is that of the project's pyproject.toml."""
    return _own(EXCLUDED, key, text, f"{key} leaves nothing to check.", "Exclude less, or say so with expect_nothing.")


def floor_of_nothing(key: str, value: float | None, text: str) -> tuple[Finding, ...]:
    """A floor that is set to 0 (or below) lets everything pass."""
    if value is None or value > 0:
        return ()
    message = f"{key} is {value:g}, which nothing can miss."
    return (_own(UNBOUND, key, text, message, "Set a floor that means something, or none."),)


def limit_of_nothing(key: str, value: float, highest: float, text: str) -> tuple[Finding, ...]:
    """A limit above the highest value that still means something."""
    if value <= highest:
        return ()
    message = f"{key} is {value:g}; a limit above {highest:g} is one that nothing exceeds."
    return (_own(UNBOUND, key, text, message, f"Set it to {highest:g} or less."),)


def threshold_above_all(key: str, fail_on: Severity, worst: Severity, text: str) -> tuple[Finding, ...]:
    """A severity from which on findings fail that is worse than any that the stage's tools give."""
    if worst.reaches(fail_on):
        return ()
    message = f"{key} is {fail_on}, and the stage's tools rate nothing worse than {worst}, so that nothing would fail."
    return (_own(UNBOUND, key, text, message, f"Set it to {worst} or milder."),)


def own_line(text: str, key: str) -> int:
    """The line of pyproject.toml that sets ``section.name`` of [tool.pipeline], 0 when none does."""
    section, _, name = key.rpartition(".")
    header = re.compile(r"^\s*\[\[?\s*(?P<name>[^\]]+?)\s*\]")
    inside = ""
    spelt = {f"tool.pipeline.{section}".rstrip("."): name, "tool.pipeline": key}
    for number, line in enumerate(text.splitlines(), 1):
        if match := header.match(line):
            inside = match["name"].replace('"', "")
        elif inside in spelt and re.match(rf"\s*{re.escape(spelt[inside])}\s*=", line):
            return number
    return 0


def _own(rule: str, key: str, text: str, message: str, fix: str) -> Finding:
    line = own_line(text, key)
    return emptied(rule, message, fix, path=_OWN_FILE if line else "", line=line, snippet=key)
