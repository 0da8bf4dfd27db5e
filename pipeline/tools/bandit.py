"""bandit: insecure calls and imports in Python code.

bandit's exit code can't carry a proof: it is 0 for a missing file, a syntax error and an empty folder alike
(PyCQA/bandit#1326, #797), and its default excludes match substrings, so that ``.github/scripts/x.py`` or
``CVSparser/x.py`` are never scanned even when named. So it is given single files, an empty list of excludes, and a file
to write its JSON to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.evidence import listed
from pipeline.core.finding import Confidence, Finding, Severity
from pipeline.core.ports import Outcome
from pipeline.core.secret_forms import MASK
from pipeline.errors import ToolTrouble
from pipeline.tools.places import relative, source_line

_MOST_BYTES = 100_000
TOTALS = "_totals"
# The rules whose message repeats the string that they take for a password.
PASSWORD_RULES = {"B105", "B106", "B107"}
_QUOTED = re.compile(r"'(?P<value>.+)'\Z", re.S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What bandit reported; ``checked`` are the files that it parsed and walked to the end, relative to the tree.

    ``hidden`` counts the findings that a ``nosec`` comment hid, by file.
    """

    findings: tuple[Finding, ...] = ()
    checked: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()
    hidden: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Output) -> Output:
        """What two runs over different files reported together."""
        return Output(
            findings=(*self.findings, *other.findings),
            checked=self.checked | other.checked,
            doubts=(*self.doubts, *other.doubts),
            hidden={**self.hidden, **other.hidden},
        )


def batches(files: tuple[str, ...], most_bytes: int = _MOST_BYTES) -> Iterator[tuple[str, ...]]:
    """The files in groups whose names fit on a command line; Linux promises no more than 128 KiB for it (execve(2))."""
    group: list[str] = []
    size = 0
    for name in files:
        length = len(name.encode("utf-8", "surrogateescape")) + 1
        if group and size + length > most_bytes:
            yield tuple(group)
            group, size = [], 0
        group.append(name)
        size += length
    if group:
        yield tuple(group)


def command(python: str, output: Path, files: tuple[str, ...]) -> tuple[str, ...]:
    """The command line that scans exactly ``files`` and writes JSON to ``output``.

    ``-I`` keeps the scanned tree out of the import path, where a file named like a module of bandit's would stand in
    for it. An empty ``-x`` replaces the default excludes by none. No configuration file is named, so the project's own
    is not read: bandit looks for ``.bandit`` in folders only, for the others not at all.
    """
    return (
        python, "-I", "-X", "utf8", "-m", "bandit", "--quiet", "--format", "json", "--output", str(output),
        "--number", "1", "--exclude", "", "--", *files,
    )  # fmt: skip


def parse(outcome: Outcome, written: str, tree: Path) -> Output:
    """Read what bandit wrote in its output file.

    Exit codes: 0 clean, 1 findings, 2 usage or configuration (bandit's man page). A file with a syntax error is in
    ``metrics`` and in ``errors``; one that can't be opened only in ``errors``.

    Raises:
        ToolTrouble: bandit failed, or its output is not whole, or contradicts its exit code or itself.
    """
    if outcome.exit_code not in (0, 1):
        raise ToolTrouble(f"bandit failed with exit code {outcome.exit_code}.", why=f"It says: {outcome.tail()}")
    try:
        document: dict[str, Any] = json.loads(written)
        metrics: dict[str, dict[str, int]] = document["metrics"]
        results: list[dict[str, Any]] = document["results"]
        errors = {relative(e["filename"], tree): str(e["reason"]) for e in document["errors"]}
        passwords = _passwords(results)
        findings = tuple(_finding(record, tree, passwords) for record in results)
        counted = sum(number for name, number in metrics[TOTALS].items() if name.startswith("SEVERITY."))
        # "nosec" counts what a comment without the numbers of tests hid, "skipped_tests" what one with them did.
        hidden = {
            relative(name, tree): int(counts.get("nosec", 0)) + int(counts.get("skipped_tests", 0))
            for name, counts in metrics.items()
            if name != TOTALS
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ToolTrouble(
            "bandit's output is not whole, so it proves nothing.", why=f"{reason}. {outcome.tail(3)}"
        ) from error
    if bool(findings) != (outcome.exit_code == 1):
        raise ToolTrouble(f"bandit's exit code {outcome.exit_code} contradicts its {len(findings)} findings.")
    if counted != len(findings):
        raise ToolTrouble(f"bandit counts {counted} findings and lists {len(findings)}, so its output is not whole.")
    return Output(
        findings=findings, checked=frozenset(hidden.keys() - errors.keys()), doubts=_doubts(errors), hidden=hidden
    )


def masked(written: str) -> str:
    """bandit's JSON with every string that it takes for a password masked, in messages and in quoted code."""
    document: dict[str, Any] = json.loads(written)
    results: list[dict[str, Any]] = document["results"]
    passwords = _passwords(results)
    for record in results:
        record["issue_text"] = _without(record["issue_text"], passwords)
        record["code"] = _without(record["code"], passwords)
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _doubts(errors: dict[str, str]) -> tuple[str, ...]:
    if not errors:
        return ()
    return (f"bandit could not scan {listed(f'{path} ({reason})' for path, reason in sorted(errors.items()))}.",)


def _finding(record: dict[str, Any], tree: Path, passwords: set[str]) -> Finding:
    path = relative(record["filename"], tree)
    line = int(record["line_number"])
    text = source_line(tree, path, line)
    cwe = (record.get("issue_cwe") or {}).get("id")
    return Finding(
        rule=record["test_id"],
        tool="bandit",
        severity=_SEVERITIES[record["issue_severity"]],
        confidence=_CONFIDENCES[record["issue_confidence"]],
        message=f"{_without(record['issue_text'], passwords)} ({record['test_name']})",
        path=path,
        line=line,
        column=_column(text, int(record["col_offset"])),
        snippet=_without(text, passwords),
        cwe=(int(cwe),) if cwe else (),
        fix=f"See {record['more_info']}",
    )


def _column(text: str, offset: int) -> int:
    """The 1-based column for an offset of Python's syntax tree, which counts bytes of UTF-8 from 0."""
    return len(text.encode("utf-8", "surrogatepass")[: max(offset, 0)].decode("utf-8", "replace")) + 1


def _passwords(results: list[dict[str, Any]]) -> set[str]:
    """The strings that bandit takes for passwords; another finding may show the line that one stands on."""
    records = (record for record in results if record["test_id"] in PASSWORD_RULES)
    return {match["value"] for record in records if (match := _QUOTED.search(record["issue_text"]))}


def _without(text: str, passwords: set[str]) -> str:
    for password in passwords:
        # Only as a string of its own: many are ordinary words, and masking them everywhere would hide the code.
        for quote in "'\"":
            text = text.replace(f"{quote}{password}{quote}", f"{quote}{MASK}{quote}")
    return text


_SEVERITIES = {"HIGH": Severity.HIGH, "MEDIUM": Severity.MEDIUM, "LOW": Severity.LOW, "UNDEFINED": Severity.UNKNOWN}
_CONFIDENCES = {
    "HIGH": Confidence.HIGH, "MEDIUM": Confidence.MEDIUM, "LOW": Confidence.LOW, "UNDEFINED": Confidence.UNKNOWN,
}  # fmt: skip
