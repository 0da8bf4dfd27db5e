"""The stories of the smoke stage by name, and which of them a run tells; the stories themselves take long to load."""

from __future__ import annotations

from pipeline.errors import ConfigurationError
from pipeline.settings import Smoke

RESTART = "restart"
ENDPOINTS = "endpoints"
MALFORMED = "malformed"
STEADINESS = "steadiness"
STOP = "stop"
CHAOS = "chaos"
STORIES = (RESTART, ENDPOINTS, MALFORMED, STEADINESS, STOP, CHAOS)
"""In the order in which they are told; ``smoke.exclude`` leaves them out by these."""


def wanted(settings: Smoke) -> tuple[str, ...]:
    """The stories of this dose that are not excluded; that of the operations only with a document."""
    left_out = {item.path for item in settings.exclude}
    if settings.dose != "full":
        left_out.add(CHAOS)
    if not settings.openapi:
        left_out.add(ENDPOINTS)
    return tuple(story for story in STORIES if story not in left_out)


def check_exclusions(settings: Smoke) -> None:
    """Raises ConfigurationError for an exclusion that names no story."""
    for item in settings.exclude:
        if item.path not in STORIES:
            raise ConfigurationError(
                f"smoke.exclude names {item.path!r}, and there is no such check.",
                advice=f"The checks are {', '.join(STORIES)}.",
            )
