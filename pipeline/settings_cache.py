"""The keys of ``[tool.pipeline.cache]``: which results are used again, for how long, and who may add to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.settings_keys import key

FRESH = "--fresh"
FRESH_VARIABLE, FRESH_VALUE = "PIPELINE_CACHE_FRESH", "always"
"""What the option stands for."""


def fresh_taken(arguments: Sequence[str]) -> tuple[bool, tuple[str, ...]]:
    """Whether the arguments hold ``--fresh``, and the others."""
    return FRESH in arguments, tuple(word for word in arguments if word != FRESH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """Reuse of earlier results."""

    max_age_hours: float = key(
        24.0,
        "the age up to which a result is used again that time itself may change: a canary, an audit by an online "
        "service, and an earlier pass of a stage that does not declare its inputs",
        low=0,
    )
    max_age_days: float = key(
        30.0, "the age up to which any other result is used again as long as its inputs are the same", low=0
    )
    fresh: str = key(
        "auto",
        "'auto': a run that has a real registry to push to (push.registry) uses no kept result; 'always' or 'never'",
        one_of=("auto", "always", "never"),
    )
    write: str = key(
        "auto",
        "whether results are kept for later runs; 'auto': not in a pull or merge request of a CI system",
        one_of=("auto", "always", "never"),
    )
    dir: str = key("", "the folder of the kept results; default: .pipeline/cache/results")
    max_mb: int = key(500, "megabytes (10^6 bytes) of results that are kept; the least recently used go first", low=1)
