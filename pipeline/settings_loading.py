"""From ``pyproject.toml`` and ``PIPELINE_<SECTION>_<KEY>`` to checked settings, with the source of each value.

Everything that is wrong is found before anything runs, and all of it is said at once: the file, the key, the allowed
values and the nearest spelling. Written here and not taken from a library because the ones that validate (msgspec,
pydantic) stop at the first fault or know neither the nearest spelling nor where a value came from.
"""

from __future__ import annotations

import hashlib
import json
import math
import reprlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, get_type_hints

from pipeline.core.expectations import Expectations
from pipeline.core.waiver import Waiver
from pipeline.errors import ConfigurationError
from pipeline.settings import POLICY_FREE, SECTIONS, STAGE_NAMES, Exclusion, Project, Settings
from pipeline.settings_values import Given, Refused, checked, nearest

FILE = "pyproject.toml"
PREFIX = "PIPELINE_"
AGAINST_VARIABLE = "PIPELINE_AGAINST"
SIGNING_KEY = "PIPELINE_PUSH_SIGNING_KEY"
CREDENTIALS = frozenset(
    {"PIPELINE_PUSH_USERNAME", "PIPELINE_PUSH_PASSWORD", SIGNING_KEY, "PIPELINE_PUSH_SIGNING_PASSPHRASE"}
)
"""Variables that are no settings: what they hold is read where it is used, and shown nowhere."""


def load(root: Path | None, environ: Mapping[str, str], extra_stages: tuple[str, ...] = ()) -> Settings:
    """The effective settings of the project at ``root``; without one those of the environment alone.

    ``extra_stages`` are stages that a noxfile adds; each may have a sub-table of its own, which is handed over as it
    is.

    Raises:
        ConfigurationError: something is unknown, of the wrong type or impossible; the error lists every fault.
    """
    document = _read(root / FILE) if root is not None else {}
    table = _table(_table(document, "tool", "tool"), "pipeline", "tool.pipeline")
    metadata = _table(document, "project", "project")
    faults: list[str] = []
    sources: dict[str, str] = {}
    given = _from_file(table, extra_stages, faults)
    _overlay_environment(given, environ, faults)

    stages = (*STAGE_NAMES, *extra_stages)
    sections: dict[str, Any] = {}
    for section in ("project", *SECTIONS):
        kind = type(getattr(Settings(), section))
        sections[section] = _section(kind, section, given.get(section, {}), sources, faults)
    required = sections["project"].required
    faults.extend(
        f"{FILE}: required: there is no stage {name!r}{nearest(name, stages)}."
        for name in required
        if name not in stages
    )
    if not required:
        faults.append(f"{FILE}: required must name at least one stage, or nothing could ever be green.")
    if faults:
        raise ConfigurationError(
            "The settings can't be used: " + " ".join(faults),
            advice="'pipeline config' shows every key and its effective value.",
        )
    if environ.get(SIGNING_KEY):
        # No setting, since it is a secret; that there is one is asked before a push that must be signed begins.
        sources["push.signing_key"] = SIGNING_KEY
    extra = {name: _table(table, name, f"tool.pipeline.{name}") for name in extra_stages}
    settings = Settings(**sections, extra=extra, sources=sources)
    return _with_project_defaults(settings, metadata)


def policy(
    settings: Settings, waivers: Iterable[Waiver] = (), today: date = date.min, against: str = ""
) -> dict[str, Any]:
    """The effective values that decide what a run demands, by dotted key, and its waivers, ready for JSON.

    ``against`` is the commit that the run is compared with: the same name may mean another one tomorrow.
    Of a waiver it holds also whether it has expired ``today``: what was found before is no result any more afterwards.
    """
    values: dict[str, Any] = {}
    for section in ("project", *SECTIONS):
        if section not in POLICY_FREE:
            table = getattr(settings, section)
            for item in fields(table):
                values[dotted(section, item.name)] = plain(getattr(table, item.name))
    for name, extra in settings.extra.items():
        values.update({f"{name}.{item}": plain(value) for item, value in extra.items()})
    values["against"] = against
    values["waivers"] = [{**waiver.demand(), "expired": waiver.days_left(today) < 0} for waiver in waivers]
    return values


def effective(settings: Settings) -> list[tuple[str, Any, str]]:
    """Every key with its effective value and the value's source (a file, a variable, or ``default``)."""
    return [
        (
            dotted(section, item.name),
            plain(getattr(getattr(settings, section), item.name)),
            settings.sources.get(dotted(section, item.name), "default"),
        )
        for section in ("project", *SECTIONS)
        for item in fields(getattr(settings, section))
    ]


def policy_digest(settings: Settings, waivers: Iterable[Waiver] = (), today: date = date.min, against: str = "") -> str:
    """SHA-256 of the policy's canonical JSON."""
    text = json.dumps(policy(settings, waivers, today, against), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """A settings value as JSON knows it."""
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, Exclusion):
        return {"path": value.path, "reason": value.reason}
    if isinstance(value, Expectations):
        return plain(value.told)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    # TOML has dates, times, infinities and "not a number", of which JSON has none.
    ordinary = isinstance(value, str | int) or value is None or (isinstance(value, float) and math.isfinite(value))
    return value if ordinary else str(value)


def dotted(section: str, name: str) -> str:
    """The key as a user writes it."""
    return name if section == "project" else f"{section}.{name}"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no {FILE} in {path.parent}.", advice="Run this in the root of a project that has one."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{FILE} can't be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{FILE} can't be read as TOML: {error}.") from error


def _table(parent: Mapping[str, Any], name: str, shown: str) -> dict[str, Any]:
    value = parent.get(name, {})
    if not isinstance(value, dict):
        raise ConfigurationError(f"{FILE}: {shown} must be a table.")
    return value


def _from_file(
    table: Mapping[str, Any], extra_stages: tuple[str, ...], faults: list[str]
) -> dict[str, dict[str, Given]]:
    project_keys = [item.name for item in fields(Project)]
    given: dict[str, dict[str, Given]] = {"project": {}}
    for name, value in table.items():
        if name in extra_stages:
            continue
        if name in SECTIONS:
            if not isinstance(value, dict):
                faults.append(f"{FILE}: {name} must be a table.")
                continue
            given[name] = {item: Given(text, FILE) for item, text in value.items()}
        elif name in project_keys:
            given["project"][name] = Given(value, FILE)
        else:
            known = (*project_keys, *SECTIONS, *extra_stages)
            faults.append(f"{FILE}: there is no key or table {name!r} in [tool.pipeline]{nearest(name, known)}.")
    return given


def _overlay_environment(given: dict[str, dict[str, Given]], environ: Mapping[str, str], faults: list[str]) -> None:
    """Others own ``PIPELINE_…`` names too, so a name is judged only when it begins with one of our sections."""
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX):
            continue
        if variable == AGAINST_VARIABLE:
            given["project"]["against"] = Given(text, variable, is_text=True)
        section, _, rest = variable.removeprefix(PREFIX).lower().partition("_")
        if section in SECTIONS and rest:
            keys = [item.name for item in fields(getattr(Settings(), section))]
            if rest in keys:
                given.setdefault(section, {})[rest] = Given(text, variable, is_text=True)
            elif variable not in CREDENTIALS:
                spelt = [f"{PREFIX}{section}_{item}".upper() for item in keys]
                faults.append(f"{variable}: {section} has no key {rest!r}{nearest(variable, spelt)}.")


def _section(kind: type, section: str, given: Mapping[str, Given], sources: dict[str, str], faults: list[str]) -> Any:
    hints = get_type_hints(kind)
    known = {item.name: item for item in fields(kind)}
    values: dict[str, Any] = {}
    for name, item in given.items():
        if name not in known:
            faults.append(f"{item.source}: there is no key {dotted(section, name)!r}{nearest(name, tuple(known))}.")
            continue
        try:
            values[name] = checked(item, hints[name], known[name])
            sources[dotted(section, name)] = item.source
        except Refused as refusal:
            faults.append(f"{item.source}: {dotted(section, name)} must be {refusal}, not {reprlib.repr(item.value)}.")
    for name in known:
        sources.setdefault(dotted(section, name), "default")
    return kind(**values)


def _with_project_defaults(settings: Settings, metadata: Mapping[str, Any]) -> Settings:
    """Defaults that come from ``[project]`` or from another key."""
    project = settings.project
    service = project.service
    project = replace(
        project,
        name=project.name or str(metadata.get("name", "service")),
        version=project.version or str(metadata.get("version", "0")),
        sources=project.sources or (service,),
        python=project.python or settings.build.python,
    )
    below = "" if service == "." else f"{service}/"
    lock = settings.audit.lock or f"{below}requirements.txt"
    beside = lock.rpartition("/")[0]
    beside = f"{beside}/" if beside else ""
    tests = settings.test.paths or (f"{below}tests",)
    return replace(
        settings,
        project=project,
        lint=replace(settings.lint, paths=settings.lint.paths or project.sources),
        scan=replace(settings.scan, paths=settings.scan.paths or project.sources),
        audit=replace(
            settings.audit, lock=lock, requirements=settings.audit.requirements or f"{beside}requirements.in"
        ),
        test=replace(
            settings.test,
            paths=tests,
            requirements=settings.test.requirements or (lock, f"{beside}requirements-test.txt"),
            coverage=settings.test.coverage or (service,),
        ),
        smoke=replace(settings.smoke, paths=settings.smoke.paths or tests),
        build=replace(settings.build, image=settings.build.image or project.name),
        push=replace(settings.push, repository=settings.push.repository or settings.build.image or project.name),
    )
