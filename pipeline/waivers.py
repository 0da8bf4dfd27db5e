"""Reading the waivers of a checkout: exactly those of the snapshot that a run is about, before anything runs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path

from pipeline.core.finding_tools import FINDING_TOOLS
from pipeline.core.snapshot import Kind, Snapshot
from pipeline.core.waiver import FILE, Waiver
from pipeline.core.waiver_file import Rules, parse_waivers
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings


def read_waivers(root: Path, snapshot: Snapshot, settings: Settings, today: date) -> tuple[Waiver, ...]:
    """The waivers of the snapshot, none when it has no ``waivers.toml``; ``today`` is in UTC.

    Raises:
        ConfigurationError: the file is no ordinary file of the snapshot, has changed since, or holds anything but
            whole and correct waivers.
    """
    entry = snapshot.by_path.get(FILE)
    if entry is None:
        if (root / FILE).exists():
            raise ConfigurationError(
                f"git ignores {FILE}, so it is no part of what is checked.", advice="Take it out of .gitignore."
            )
        return ()
    if entry.kind not in (Kind.FILE, Kind.EXECUTABLE):
        raise ConfigurationError(f"{FILE} must be an ordinary file, and is a {entry.kind}.")
    content = (root / FILE).read_bytes()
    if hashlib.sha256(content).hexdigest() != entry.digest:
        raise ConfigurationError(f"{FILE} changed while the run began.", advice="Run again when nothing edits it.")
    return parsed(decoded(content), settings, today)


def decoded(content: bytes) -> str:
    """The file's text.

    Raises:
        ConfigurationError: it is not UTF-8.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{FILE}:{line}: this is not UTF-8.") from error


def parsed(text: str, settings: Settings, today: date) -> tuple[Waiver, ...]:
    """The waivers in a text, by the project's rules, each with the stages that report its tool's findings.

    Raises:
        ConfigurationError: it holds anything but whole and correct waivers.
    """
    found = parse_waivers(text, rules_of(settings, today))
    return tuple(replace(waiver, stages=_stages(waiver.tool)) for waiver in found)


def rules_of(settings: Settings, today: date) -> Rules:
    """What the project demands of a waiver."""
    known = {tool for tools in FINDING_TOOLS.values() for tool in tools}
    # Which tools a project's own stage has, only a run of it tells.
    return Rules(today=today, max_days=settings.project.waiver_max_days, tools=None if settings.extra else known)


def _stages(tool: str) -> tuple[str, ...]:
    return tuple(stage for stage, tools in FINDING_TOOLS.items() if tool in tools)
