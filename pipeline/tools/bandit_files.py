"""bandit's JSON taken apart by file, and put together again in bandit's own form.

bandit judges each file alone, so what it said of a file stands as long as the file, its place and bandit are the same
(:func:`surroundings` names what it looks at beside the file itself). What it says of a file in which it takes a string
for a password is never kept: what lasts from run to run holds no credentials.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.configuration_texts import ancestors
from pipeline.core.ports import Outcome
from pipeline.tools.bandit import PASSWORD_RULES, TOTALS
from pipeline.tools.places import relative

_COUNTED = ("loc", "nosec", "skipped_tests")
_RANKS = ("UNDEFINED", "LOW", "MEDIUM", "HIGH")
_ZEROS = {
    **dict.fromkeys(_COUNTED, 0),
    **{f"{what}.{rank}": 0 for what in ("SEVERITY", "CONFIDENCE") for rank in _RANKS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What bandit said of one file, as it stands in its JSON; ``when`` is when (its ``generated_at``).

    ``metrics`` are by bandit's own name for the file, ``./a.py`` for ``a.py``, and none where it could not be opened.
    """

    when: str = ""
    metrics: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    results: tuple[Mapping[str, Any], ...] = ()
    errors: tuple[Mapping[str, str], ...] = ()

    @property
    def keeps(self) -> bool:
        """Whether it may be kept: bandit walked the file to its end, and repeats no password."""
        passwords = any(record["test_id"] in PASSWORD_RULES for record in self.results)
        return bool(self.metrics) and not self.errors and not passwords


def taken_apart(written: str, tree: Path) -> dict[str, Said]:
    """What the JSON, which has been found whole (:func:`pipeline.tools.bandit.parse`), says of each file it names."""
    document: dict[str, Any] = json.loads(written)
    when = str(document.get("generated_at", ""))
    metrics: dict[str, dict[str, Mapping[str, int]]] = {}
    results: dict[str, list[Mapping[str, Any]]] = {}
    errors: dict[str, list[Mapping[str, str]]] = {}
    for name, counts in document["metrics"].items():
        if name != TOTALS:
            metrics.setdefault(relative(name, tree), {})[name] = counts
    for record in document["results"]:
        results.setdefault(relative(record["filename"], tree), []).append(record)
    for record in document["errors"]:
        errors.setdefault(relative(record["filename"], tree), []).append(record)
    return {
        path: Said(
            when=when,
            metrics=metrics.get(path, {}),
            results=tuple(results.get(path, ())),
            errors=tuple(errors.get(path, ())),
        )
        for path in {**metrics, **results, **errors}
    }


def put_together(parts: Iterable[Said]) -> tuple[Outcome, str]:
    """How bandit would have ended, and the JSON that it would have written, had it looked at these files at once."""
    every = tuple(parts)
    totals = Counter(_ZEROS)
    metrics: dict[str, Mapping[str, int]] = {}
    for part in every:
        metrics.update(part.metrics)
        for counts in part.metrics.values():
            totals.update(counts)
    document = {
        "errors": [record for part in every for record in part.errors],
        "generated_at": max((part.when for part in every), default=""),
        "metrics": {**metrics, TOTALS: dict(totals)},
        "results": sorted((record for part in every for record in part.results), key=lambda record: record["filename"]),
    }
    outcome = Outcome(exit_code=1 if document["results"] else 0, stdout="", stderr="", duration_s=0.0)
    return outcome, json.dumps(document, indent=2, sort_keys=True)


def kept_text(said: Said) -> str:
    """What bandit said of a file, to be kept."""
    return json.dumps(
        {"when": said.when, "metrics": said.metrics, "results": said.results, "errors": said.errors}, sort_keys=True
    )


def from_kept(text: str) -> Said:
    """What :func:`kept_text` made a text of."""
    record = json.loads(text)
    results, errors = tuple(record["results"]), tuple(record["errors"])
    return Said(when=record["when"], metrics=record["metrics"], results=results, errors=errors)


def surroundings(path: str, paths: Collection[str]) -> tuple[str, ...]:
    """What of the other files' names bandit looks at for one file: which of its folders are packages."""
    return tuple(folder for folder in ancestors(path) if folder and f"{folder}/__init__.py" in paths)
