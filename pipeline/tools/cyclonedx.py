"""cyclonedx-py: a software bill of materials of the locked packages, in CycloneDX 1.6.

It is made from the lock and not from an environment, because the lock is what ships, on any Python, and needs nothing
installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.core.evidence import listed
from pipeline.core.ports import Outcome
from pipeline.errors import ToolTrouble
from pipeline.tools.pip_audit import unit

SPECIFICATION = "1.6"


def command(program: str, lock: Path, output: Path) -> tuple[str, ...]:
    """The command line. The tool's own validation takes 3 of its 3.5 seconds; :func:`doubts` checks what matters."""
    return (
        program, "requirements", f"--spec-version={SPECIFICATION}", "--output-format=JSON", "--output-reproducible",
        "--no-validate", f"--output-file={output}", str(lock),
    )  # fmt: skip


def doubts(outcome: Outcome, text: str | None, expected: Iterable[str]) -> tuple[str, ...]:
    """What the document lacks, each a full sentence; ``expected`` are the locked packages as ``name==version``.

    Raises:
        ToolTrouble: cyclonedx-py failed, or its document is missing or not whole.
    """
    if outcome.exit_code != 0 or not text:
        said = outcome.tail(2)
        raise ToolTrouble(
            f"cyclonedx-py ended with exit code {outcome.exit_code}.", why=f"It says: {said}" if said else ""
        )
    try:
        document: dict[str, Any] = json.loads(text)
        kind = (document["bomFormat"], document["specVersion"])
        held = {unit(part["name"], part.get("version", "")) for part in document.get("components", [])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolTrouble("cyclonedx-py's document is not whole.", why=repr(error)) from error
    if kind != ("CycloneDX", SPECIFICATION):
        raise ToolTrouble(f"cyclonedx-py wrote {kind[0]} {kind[1]} and not CycloneDX {SPECIFICATION}.")
    missing = sorted(set(expected) - held)
    return (f"The bill of materials lacks {len(missing)} locked packages: {listed(missing)}.",) if missing else ()
