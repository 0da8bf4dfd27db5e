"""Whether a run may use what earlier runs have left, and leave something itself: of stages and of single files."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.settings import Settings
from pipeline.settings_loading import FILE

_CHANGE_REQUESTS = ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_IID")
_CHANGE_EVENTS = ("pull_request", "pull_request_target", "merge_request_event")


def why_fresh(settings: Settings) -> str:
    """Why a run uses no kept result, as a full sentence; empty when it may."""
    if settings.cache.fresh == "always":
        return f"cache.fresh is 'always' ({settings.sources.get('cache.fresh', 'default')})."
    if settings.cache.fresh == "auto" and settings.push.registry:
        return "push.registry names a real registry, and what is released is made fresh (cache.fresh)."
    return ""


def may_write(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether a run may keep results: in a change request not, unless somebody else than the change itself says so."""
    requested = any(environ.get(name) for name in _CHANGE_REQUESTS) or bool(
        {environ.get("GITHUB_EVENT_NAME", ""), environ.get("CI_PIPELINE_SOURCE", "")} & set(_CHANGE_EVENTS)
    )
    write = settings.cache.write
    if requested and settings.sources.get("cache.write") == FILE and write == "always":
        write = "auto"
    return write == "always" or (write == "auto" and not requested)
