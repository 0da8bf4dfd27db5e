"""``pipeline verify``: what a verification found, in full sentences or as JSON, and the exit code that follows."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.console_plain import tell
from pipeline.core.run_record import RunRecord
from pipeline.core.safe_text import json_document
from pipeline.core.stage import Status
from pipeline.core.verdict import EXIT_CODES
from pipeline.core.verification import UNSIGNED, Answer, Statement, conclusion, confirmed, left_open, standing
from pipeline.errors import PipelineError
from pipeline.execution.report_folder import read_folder
from pipeline.verification import BESIDE, verify
from pipeline.workplace import Workplace


def carry_out(reports: str, place: Workplace | None, *, as_json: bool) -> int:
    """Verify the report in the folder ``reports``, which needs no checkout; or that of ``place``, and against it.

    Returns 0 for a pass that was confirmed, 1 for a fail or a contradiction, 3 for what is neither.

    Raises:
        ConfigurationError: there is no report (exit 2).
    """
    folder = place.store.reports if place is not None else Path(reports)
    found = verify(read_folder(folder, BESIDE), datetime.now(UTC).date())
    statements = found.statements
    if place is not None and found.record is not None:
        statements += _against_checkout(found.record, place)
    # What can't even be read is no green, whatever it may have been.
    verdict = found.verdict or Status.FAIL
    code = EXIT_CODES[standing(statements, verdict)]
    (_print_json if as_json else _print_lines)(statements, verdict, code)
    return code


def _against_checkout(record: RunRecord, place: Workplace) -> tuple[Statement, ...]:
    """Whether the checkout is what the report is about. An edit since then is no fault of the report."""
    try:
        snapshot = place.checkout.snapshot()
        here = place.record("verify", snapshot, record.stages)
    except PipelineError as error:
        return (left_open("checkout", f"The report could not be held against this checkout. {error}"),)
    return (
        confirmed("checkout", "This checkout has the content that the report is about.")
        if here.snapshot == record.snapshot
        else left_open("checkout", "This checkout has other content than the report is about."),
        confirmed("checkout", "The policy here is the one that the report is about.")
        if _demanded(here) == _demanded(record)
        else left_open("checkout", "The policy here is not the one that the report is about."),
    )


def _demanded(record: RunRecord) -> dict[str, Any]:
    """The policy but for what it is compared with, which is each run's own."""
    return {name: value for name, value in record.policy.items() if name != "against"}


def _print_lines(statements: tuple[Statement, ...], verdict: Status, code: int) -> None:
    """What speaks against the report last, where a reader of a terminal looks first; the texts are the report's."""
    del code
    order = list(Answer)
    width = max(len(answer) for answer in Answer)
    for statement in sorted(statements, key=lambda s: order.index(s.answer)):
        tell(sys.stdout, f"{statement.answer:<{width}}  {statement.about}: {statement.text}")
    tell(sys.stdout, UNSIGNED)
    tell(sys.stdout, conclusion(statements, verdict))


def _print_json(statements: tuple[Statement, ...], verdict: Status, code: int) -> None:
    document = {
        "verdict": verdict,
        "exit_code": code,
        "conclusion": conclusion(statements, verdict),
        "limits": UNSIGNED,
        "statements": [asdict(statement) for statement in statements],
    }
    sys.stdout.write(json_document(json.dumps(document, indent=2)) + "\n")
