"""pylint: errors, warnings and conventions, and a score.

pylint's own counts can't carry a proof: ``modulesLinted`` is not the number of files, and an empty folder scores 10.0.
So a small plugin of ours, the witness, writes down each file that pylint really walks.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.finding import Confidence, Finding, Severity
from pipeline.core.ports import Outcome
from pipeline.errors import ToolTrouble
from pipeline.tools.places import relative, source_line
from pipeline.tools.pylint_control import CONTROL_VARIABLE, SAID
from pipeline.tools.pylint_witness import FRESH_VARIABLE, KEPT_VARIABLE, RECORD_VARIABLE, WITNESS, WITNESS_SOURCE

__all__ = [
    "CONTROL_VARIABLE",
    "FRESH_VARIABLE",
    "KEPT_VARIABLE",
    "RECORD_VARIABLE",
    "SAID",
    "WITNESS",
    "WITNESS_SOURCE",
    "Output",
    "caught",
    "command",
    "parse",
]

# Exit code bits (pylint's documentation): 1 fatal, 2 error, 4 warning, 8 refactor, 16 convention, 32 usage.
_USAGE = 32
_LETTERS = {
    "fatal": Severity.CRITICAL, "error": Severity.HIGH, "warning": Severity.MEDIUM,
    "refactor": Severity.LOW, "convention": Severity.LOW, "info": Severity.INFO,
}  # fmt: skip
# Messages that say that pylint ignored a plugin, an option or a section of its configuration. Some exist for comments
# in the source too; there they are findings about that file.
_CONFIGURATION = {"E0011", "E0012", "E0013", "E0014", "E0015", "W0012", "R0022"}
_SKIPPED, _USELESS = "I0013", "I0021"
# What pylint says of these depends on what is installed, on the platform, on the other files and their order (it infers
# as far as it comes), so that it can't tell whether a comment about them is of no use.
_DEPENDS = re.compile(
    r"'(?:import-error|no-name-in-module|(?:c-extension-)?no-member|cyclic-import|duplicate-code|deprecated-[a-z-]+"
    r"|assignment-from-[a-z-]+|not-[a-z-]+|un(?:subscriptable|supported|balanced|packing|expected|hashable)-[a-z-]+"
    r"|no-value-for-parameter|too-many-function-args|redundant-keyword-arg|invalid-[a-z]+-index)'"
)
_LONGEST_LINE, _SNIPPET = 10_000, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What pylint reported; ``score`` is out of 10; ``checked`` are the files whose walk the witness saw end.

    ``unused`` are the places of comments that suppress nothing.
    """

    findings: tuple[Finding, ...]
    checked: frozenset[str]
    score: float
    doubts: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def command(program: str, files: tuple[str, ...], libraries: Path, witness: Path) -> tuple[str, ...]:
    """The command line. ``libraries`` are the project's own packages, put last, so that they don't shadow pylint's.

    pylint takes a name that begins with a dash for an option, even behind ``--``; so such a name gets a ``./``.

    pylint keeps every syntax tree until its end, among which Python's collector looks for garbage again and again, in
    vain: that was a third of the time of 590 files (71 s with it and 44 s without, for a third more memory).

    It works in one process, whatever the project's settings say (``jobs``): in each of several it has seen other
    modules than in the others, so that what it infers would depend on which of them a file comes to, and each would add
    what is kept of other files to the statistics.
    """
    hook = "; ".join(
        (
            "import gc, sys", "gc.disable()", f"sys.path.append({str(libraries)!r})",
            f"sys.path.append({str(witness)!r})",
        )
    )  # fmt: skip
    return (
        program, "--output-format=json2", "--init-hook", hook, f"--load-plugins={WITNESS}",
        "--enable=file-ignored,useless-suppression",
        "--fail-under=0", "--persistent=n", "--score=y", "--jobs=1", "--",
        *(f"./{name}" if name.startswith("-") else name for name in files),
    )  # fmt: skip


def parse(outcome: Outcome, record: str, tree: Path) -> Output:
    """Read pylint's json2 output and the witness's record.

    Raises:
        ToolTrouble: pylint failed, or its output is not whole, or contradicts its exit code.
    """
    if outcome.exit_code < 0 or outcome.exit_code & _USAGE:
        raise ToolTrouble(f"pylint failed with exit code {outcome.exit_code}.", why=f"It says: {outcome.tail()}")
    try:
        document: dict[str, Any] = json.loads(outcome.stdout)
        messages: list[dict[str, Any]] = document["messages"]
        score = float(document["statistics"]["score"])
        reported = (m for m in messages if m["messageId"] != _SKIPPED and not _sick(m) and not _open(m))
        findings = tuple(_finding(m, tree) for m in reported)
    except (ValueError, KeyError, TypeError) as error:
        raise ToolTrouble(
            "pylint's output is not whole, so it proves nothing.", why=f"{error} {outcome.tail(3)}"
        ) from error
    if not messages and outcome.exit_code:
        raise ToolTrouble(f"pylint's exit code {outcome.exit_code} contradicts its clean output.")
    sick = [f"pylint did not do all of its work: {_message(m, tree)} ({m['messageId']})." for m in messages if _sick(m)]
    skipped = [f"{relative(m['path'], tree)} tells pylint to skip it." for m in messages if m["messageId"] == _SKIPPED]
    walked = {relative(line, tree) for line in record.splitlines() if line}
    syntax = {finding.path for finding in findings if finding.rule.startswith("E0001")}
    return Output(
        findings=findings,
        checked=frozenset(walked | syntax),
        score=score,
        doubts=(*sick, *skipped),
        unused=tuple(f"{f.path}:{f.line}" for f in findings if f.rule == _USELESS),
    )


def caught(said: str, rule: str) -> bool:
    """Whether ``said``, pylint's json2 output about a planted fault, holds the rule; not where it is no such output."""
    try:
        return any(message["messageId"] == rule for message in json.loads(said)["messages"])
    except (ValueError, KeyError, TypeError):
        return False


def _sick(message: dict[str, Any]) -> bool:
    """Whether it speaks of pylint's own trouble, a fatal error or an ignored configuration, and not of the code."""
    in_source = message["path"].endswith((".py", ".pyi"))
    return message["type"] == "fatal" or (message["messageId"] in _CONFIGURATION and not in_source)


def _open(message: dict[str, Any]) -> bool:
    """Whether it calls a suppression useless of which pylint can't know that."""
    return message["messageId"] == _USELESS and _DEPENDS.search(message["message"]) is not None


def _message(message: dict[str, Any], tree: Path) -> str:
    """On one line, and without the folder in which pylint ran."""
    text: str = message["message"].replace(f"{tree}/", "").replace(f"{tree.resolve()}/", "")
    return " ".join(text.split()).rstrip(".")


def _finding(message: dict[str, Any], tree: Path) -> Finding:
    path = relative(message["absolutePath"] or message["path"], tree)
    line = int(message["line"])
    text = source_line(tree, path, line, longest=_LONGEST_LINE)
    known = message["confidence"].lower() in ("high", "control_flow")
    return Finding(
        rule=f"{message['messageId']}",
        tool="pylint",
        severity=_LETTERS[message["type"]],
        confidence=Confidence.HIGH if known else Confidence.MEDIUM,
        message=f"{_message(message, tree)} ({message['symbol']})",
        path=path,
        line=line,
        # pylint's columns count bytes of UTF-8 from 0, as Python's syntax tree does; ours count characters from 1.
        column=len(text.encode("utf-8", "surrogatepass")[: int(message["column"])].decode("utf-8", "replace")) + 1,
        snippet=text[:_SNIPPET],
    )
