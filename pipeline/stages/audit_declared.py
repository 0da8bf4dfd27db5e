"""``audit`` as it declares itself: the lock, what it was made from, and the advisories while they are not too old."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.core.cache_inputs import Inputs, Lasting, exactly
from pipeline.core.lock_lines import REMEDY, included_files
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, Metric, StageResult
from pipeline.errors import ConfigurationError
from pipeline.settings import Audit, Settings
from pipeline.stages.context import Context
from pipeline.stages.declared import whole
from pipeline.stages.exploitation_named import check_there, still_those
from pipeline.stages.inputs import LOCALE, OF_FINDINGS, OWN_FILE, chosen, named, of_files

CLOCK_SKEW = timedelta(days=1)
"""So far may a clock be behind that of whoever dated the advisories."""


@dataclass(frozen=True, slots=True)
class DeclaredAudit:
    """What the ``audit`` stage declares."""

    name: str = "audit"
    summary: str = "Look for known vulnerabilities in the locked dependencies, and write their bill of materials."
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("security",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError for a lock, a named requirements file or an advisory snapshot that is not there."""
        audit = settings.audit
        if audit.lock not in snapshot.by_path:
            raise ConfigurationError(f"The lock file {audit.lock} does not exist.", advice=REMEDY)
        if (
            settings.sources.get("audit.requirements", "default") != "default"
            and audit.requirements not in snapshot.by_path
        ):
            raise ConfigurationError(
                f"audit.requirements names {audit.requirements!r}, and the checkout has no such file."
            )
        if audit.advisories and not Path(audit.advisories).is_file():
            raise ConfigurationError(
                f"audit.advisories names {audit.advisories!r}, and there is no such file.",
                advice="Give the path of an OSV export zip of PyPI, or none to ask the online service.",
            )
        check_there(audit)

    def inputs(self, context: Context) -> Inputs:
        """The lock, what it was made from, and the advisories; those of a service change by themselves."""
        audit = context.settings.audit
        taken_in = requirement_files(context, audit.requirements)
        outside = (("audit.advisories", audit.advisories), ("audit.kev", audit.kev), ("audit.epss", audit.epss))
        return Inputs(
            files=of_files(exactly((audit.lock, *taken_in, OWN_FILE)), OF_FINDINGS),
            follows_links=False,
            settings=("audit", "build.python"),
            locks=("audit",),
            variables=LOCALE,
            outside=named(outside),
            compared=True,
            facts=chosen(context, "audit.requirements"),
            lasting=Lasting.LONG if audit.advisories else Lasting.SHORT,
        )

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """Whether the advisories are still those of the result, and not too old by now; online ones for as long as
        results are reused.
        """
        advisories = context.settings.audit.advisories
        if not still_those(context.settings.audit, result.metrics):
            return False
        if outdated(context.settings.audit, result.metrics, context.ports.clock.now()):
            return False
        if not advisories:
            return "advisories_sha256" not in result.metrics
        try:
            with Path(advisories).open("rb") as file:
                return result.metrics.get("advisories_sha256") == hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            # What can't be read any more does not hold; the new run says what is wrong with it.
            return False

    def run(self, context: Context) -> Examination:
        """With the work of the stage, which is loaded now."""
        return whole(self, "pipeline.stages.audit:AuditStage").run(context)


def requirement_files(context: Context, name: str, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The file ``name`` and all that it takes in, be they there or not."""
    found = (*known, name)
    if name in known or name not in context.snapshot.by_path:
        return found
    beside = posixpath.dirname(name)
    text = (context.tree / name).read_text(encoding="utf-8", errors="replace")
    for other in included_files(text):
        part = posixpath.normpath(posixpath.join(beside, other))
        found = found if part in found else requirement_files(context, part, found)
    return found


def outdated(settings: Audit, metrics: Mapping[str, Metric], now: datetime) -> bool:
    """Whether the advisories of a result with these metrics are older by now than ``audit.max_age_days`` allows."""
    if "advisories_sha256" not in metrics:
        return False
    try:
        age = (now - datetime.fromisoformat(str(metrics.get("advisories_date")))) / timedelta(days=1)
    except (ValueError, TypeError):
        return True
    return not -(CLOCK_SKEW / timedelta(days=1)) <= age <= settings.max_age_days
