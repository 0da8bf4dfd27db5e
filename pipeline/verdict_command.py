"""``pipeline verdict``: the last report's verdict as an exit code, if the report is about what the checkout has now."""

from __future__ import annotations

import json
import sys

from pipeline.console_plain import tell
from pipeline.core.stage import Status
from pipeline.core.verdict import EXIT_CODES
from pipeline.errors import ConfigurationError
from pipeline.workplace import Workplace


def carry_out(place: Workplace) -> int:
    """Print the stages and the verdict of the last report, and return the exit code of it.

    Raises:
        ConfigurationError: there is no report, or it is none of ours.
    """
    path = place.store.reports / "pipeline.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        verdict, snapshot = Status(document["verdict"]), str(document["snapshot"])
        stages = [(stage["name"], stage["status"], stage["reasons"]) for stage in document["stages"]]
    except FileNotFoundError:
        raise ConfigurationError("There is no report yet.", advice="Run the pipeline first.") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(f"{path.name} is not a report of the pipeline, or is damaged.") from None
    for name, status, reasons in stages:
        tell(sys.stdout, f"{name:<8} {status}" + ("" if status == "pass" else f": {' '.join(reasons)}"))
    print(f"verdict: {verdict}")
    if snapshot != place.checkout.snapshot().digest:
        print("The report is about other content than this checkout has now, so it says nothing about it.")
        return EXIT_CODES[Status.INCONCLUSIVE]
    return EXIT_CODES[verdict]
