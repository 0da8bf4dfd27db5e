"""ruff: the rules of pycodestyle (E, W), pyflakes (F) and mccabe (C90), and whether a ``noqa`` comment is of any use.

Of a comment for a rule that ruff does not apply it can't tell that: another tool may. It is a finding of its own, and
low; one that ruff knows to suppress nothing is in ``unused`` too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.finding import Confidence, Finding, Severity
from pipeline.core.ports import Outcome
from pipeline.core.weaknesses import weakness_of_ruff
from pipeline.errors import ToolTrouble
from pipeline.tools.places import relative, source_line

UNUSED = "RUF100"
RULES = f"E,F,W,C90,{UNUSED}"
_WITHOUT_USE = re.compile(r"\(unused: |\bblanket\b|; unused: ")
_CHECKING = re.compile(r"\]\[DEBUG\] Checking: (?P<path>.+)$", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What ruff reported; ``checked`` are the files that it says it read, relative to the tree.

    ``exempt`` are files that it read and that told it to report nothing. ``unused`` are the places of comments that
    suppress nothing.
    """

    findings: tuple[Finding, ...]
    checked: frozenset[str]
    exempt: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def command(program: str, max_complexity: int, files: tuple[str, ...]) -> tuple[str, ...]:
    """The command line for ``files``. The project's own ruff settings apply; our rules are added to them.

    ``--verbose`` makes ruff say what it checks; ``--no-cache`` keeps an earlier run's answer out.
    """
    return (*_options(program, max_complexity), "--", *files)


def control_command(program: str, max_complexity: int, beside: str) -> tuple[str, ...]:
    """The command line for a text on standard input, judged with the settings of a file that lies at ``beside``."""
    return (*_options(program, max_complexity), f"--stdin-filename={beside}", "-")


def _options(program: str, max_complexity: int) -> tuple[str, ...]:
    complexity = f"lint.mccabe.max-complexity={max_complexity}"
    wanted = f"--extend-select={RULES}"
    return (
        program,
        "check",
        "--output-format=json",
        "--verbose",
        "--no-cache",
        "--no-fix",
        wanted,
        "--config",
        complexity,
    )


def parse(outcome: Outcome, tree: Path) -> Output:
    """Read ruff's JSON and what it said of the files it checked.

    Exit codes: 0 clean, 1 findings, 2 trouble (ruff's documentation, "Exit codes").

    Raises:
        ToolTrouble: ruff failed, or its output is not whole, or contradicts its exit code.
    """
    if outcome.exit_code not in (0, 1):
        raise ToolTrouble(f"ruff failed with exit code {outcome.exit_code}.", why=f"It says: {outcome.tail()}")
    try:
        records: list[dict[str, Any]] = json.loads(outcome.stdout)
        findings = tuple(_finding(record, tree) for record in records)
    except (ValueError, KeyError, TypeError) as error:
        raise ToolTrouble("ruff's output is not whole, so it proves nothing.", why=str(error)) from error
    if bool(findings) != (outcome.exit_code == 1):
        raise ToolTrouble(f"ruff's exit code {outcome.exit_code} contradicts its {len(findings)} findings.")
    checked = {match["path"] for match in _CHECKING.finditer(outcome.stderr)}
    unused = tuple(f"{f.path}:{f.line}" for f in findings if f.rule == UNUSED and _WITHOUT_USE.search(f.message))
    return Output(findings=findings, checked=frozenset(relative(path, tree) for path in checked), unused=unused)


def _finding(record: dict[str, Any], tree: Path) -> Finding:
    rule = record["code"] or "invalid-syntax"
    path = relative(record["filename"], tree)
    line = int(record["location"]["row"])
    return Finding(
        rule=rule,
        tool="ruff",
        severity=_severity(rule),
        confidence=Confidence.HIGH,
        message=_message(record, rule),
        path=path,
        line=line,
        column=int(record["location"]["column"]),
        snippet=source_line(tree, path, line),
        cwe=weakness_of_ruff(rule),
        fix=(record.get("fix") or {}).get("message") or "",
    )


def _message(record: dict[str, Any], rule: str) -> str:
    """What ruff says, and the rule's name, as the other tools' messages have it; by that name it is documented."""
    name = record.get("name")
    return f"{record['message']} ({name})" if name and name != rule else str(record["message"])


def _severity(rule: str) -> Severity:
    """ruff rates nothing: what can't run or names nothing is high, layout is low, the rest medium."""
    if rule == "invalid-syntax" or rule.startswith(("E9", "F82", "F63", "F7")):
        return Severity.HIGH
    return Severity.LOW if rule.startswith(("W", "I")) or rule == UNUSED else Severity.MEDIUM
