"""``pipeline merge``: stages that ran on several machines as one report, and the exit code of its verdict."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pipeline.console_plain import complain, tell
from pipeline.core.merging import Merged
from pipeline.core.verdict import EXIT_CODES
from pipeline.merging import merged
from pipeline.workplace import Workplace


def carry_out(folders: Sequence[Path], target: Workplace | Path, allowed: frozenset[str]) -> int:
    """Merge the reports in ``folders`` into the folder ``target``, or into the reports of a checkout.

    A checkout remembers the results, so that what is run there next may use them. Returns the exit code of the verdict.

    Raises:
        ConfigurationError: they can't be merged, or a run is at work in the checkout (exit 2).
        StorageTrouble: a file is damaged, or can't be written (exit 3).
    """
    note = partial(complain, sys.stderr)
    if isinstance(target, Path):
        whole = merged(folders, target, allowed, note)
    else:
        target.lock.acquire()
        try:
            whole = merged(folders, target.store.reports, allowed, note)
            for result in whole.report.results:
                target.store.remember(result)
        finally:
            target.lock.release()
    _show(whole, folders)
    return EXIT_CODES[whole.report.verdict]


def _show(whole: Merged, folders: Sequence[Path]) -> None:
    for result in whole.report.results:
        place = whole.sources.get(result.name)
        origin = f"from {folders[place]}" if place is not None else "from none of them"
        tell(sys.stdout, f"{result.name:<8} {result.status!s:<12} {origin}")
    tell(sys.stdout, f"verdict: {whole.report.verdict}")
