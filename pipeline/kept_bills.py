"""The bills of materials of earlier runs, used again for the same content, since their library takes long to load.

What is kept is a bill's text as if it were made at no time; the time of the run and the serial number are put into it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
import packaging

from pipeline.cache_rules import may_write, why_fresh
from pipeline.core.file_results import key_of
from pipeline.core.run_record import Report
from pipeline.execution.file_results import ShelvedResults
from pipeline.execution.identities import distributions, package_digest
from pipeline.reporters import sbom
from pipeline.reporters.bill import Bill, dated, is_undated
from pipeline.workplace import Workplace

SHELF = "bills-of-materials"


class KeptBills:
    """Writes the bills of a run in ``place``, as :func:`pipeline.reporters.sbom.render` does."""

    def __init__(self, place: Workplace) -> None:
        self._shelves = ShelvedResults(
            place.root / ".pipeline" / "cache" / "files",
            place.console,
            # What a real push signs is made anew, whoever may have written into the cache.
            reads=not why_fresh(place.settings) and not place.settings.push.registry,
            writes=may_write(place.settings, place.environ),
        )
        self._kept: Mapping[str, str] | None = None

    def render(self, report: Report) -> dict[str, str]:
        """The bills as texts, by path."""
        bills = sbom.bills(report)
        if not bills:
            return {}
        if self._kept is None:
            self._kept = self._shelves.read(SHELF)
        keys = {place: f"{place} {_key(bill)}" for place, bill in bills.items()}
        texts = {place: self._earlier(keys[place]) or sbom.undated(bill) for place, bill in bills.items()}
        kept = {key: text for key, text in self._kept.items() if key.partition(" ")[0] not in bills}
        kept |= {keys[place]: text for place, text in texts.items()}
        if kept != self._kept:
            self._shelves.replace(SHELF, kept)
            self._kept = kept
        return {place: dated(text, bills[place].made) for place, text in texts.items()}

    def _earlier(self, key: str) -> str:
        text = self._kept.get(key, "") if self._kept is not None else ""
        return text if is_undated(text) else ""


def _key(bill: Bill) -> str:
    """All that decides the text of an undated bill: what it says, and the code that writes it."""
    content = json.dumps(msgspec.to_builtins(bill.undated), sort_keys=True)
    return key_of((content, package_digest(Path(__file__).parent), distributions(Path(packaging.__file__))))
