"""``pipeline audit``: known vulnerabilities in what any hashed lock pins, from an OSV export zip alone.

The ``audit`` stage asks pip-audit, and holds its answer against the snapshot; here the snapshot itself is asked, so
that it needs no network, no environment of tools and no project. No waiver and no finding baseline is applied: the
answer is about the lock, not about what somebody has decided on it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.console_plain import tell
from pipeline.core.advisories import AdvisoryIndex
from pipeline.core.code_owners import CodeOwners
from pipeline.core.evidence import Control
from pipeline.core.finding import Finding, with_fingerprints
from pipeline.core.gate import check_gate
from pipeline.core.lock import Pin, parse_lock
from pipeline.core.lock_lines import REMEDY
from pipeline.core.masking import masked_result
from pipeline.core.stage import Examination, StageResult, Tool
from pipeline.core.surroundings import with_surroundings
from pipeline.core.verdict import EXIT_CODES, conclude
from pipeline.errors import ConfigurationError, StorageTrouble
from pipeline.execution.advisories import read_export
from pipeline.execution.clock import SystemClock
from pipeline.execution.files import write_atomically
from pipeline.execution.redaction import SecretRedactor
from pipeline.release import release
from pipeline.reporters.json_report import render_stage
from pipeline.settings import Audit
from pipeline.stages.audit_assessment import Observed, assess, units
from pipeline.stages.components import locked
from pipeline.stages.exploitation_files import read_files
from pipeline.stages.exploitation_named import check_there
from pipeline.tools.pip_audit import Output, Reported, lock_text, unit

SCHEMA = "pipeline.audit/v1"
TOOL = "osv"
"""What the findings are reported by: the snapshot itself, and none of the tools that ask it."""
STANDARD_OUTPUT = "-"
_PLANTED_HASH = f"sha256:{'0' * 64}"
_ADVICE = "Set PIPELINE_AUDIT_ADVISORIES (or audit.advisories) to an OSV export zip of PyPI."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for: the ``lock``, and where the JSON shall be ``written`` (empty: nowhere).

    Findings name the lock relative to the folder ``root``.
    """

    lock: Path
    written: str
    root: Path


def carry_out(wanted: Wanted, settings: Audit, environ: Mapping[str, str]) -> int:
    """Look up the lock, tell what was found, write it as JSON; 0 for none that counts, 1 for some, 3 for no answer.

    Raises:
        ConfigurationError: the lock, or a named file, is not there or can't be used (exit 2).
        StorageTrouble: the snapshot is not there or can't be believed, or the JSON can't be written (exit 3).
    """
    _make_room(wanted, settings)
    text, name = _read(wanted.lock), _named(wanted)
    pins = parse_lock(text, name)
    check_there(settings)
    if not settings.advisories:
        raise StorageTrouble("There is no advisory snapshot to look the lock up in.", advice=_ADVICE)
    settings = replace(settings, lock=name)
    examined = examined_lock(pins, read_export(Path(settings.advisories)), settings, SystemClock().now())
    result = masked_result(_result(examined, {name: text}), SecretRedactor(environ))
    if wanted.written:
        document = json.dumps(_document(result, name, text), indent=2, ensure_ascii=True, allow_nan=False) + "\n"
        if wanted.written == STANDARD_OUTPUT:
            sys.stdout.write(document)
        else:
            write_atomically(Path(wanted.written), document)
    if wanted.written != STANDARD_OUTPUT:
        _tell(result)
    return EXIT_CODES[result.status]


def examined_lock(pins: tuple[Pin, ...], index: AdvisoryIndex, settings: Audit, now: datetime) -> Examination:
    """What the snapshot has to say of the pins, judged like the ``audit`` stage's findings.

    Raises:
        StorageTrouble: a file that tells of exploited vulnerabilities can't be believed.
    """
    observed = Observed(
        output=_looked_up(pins, index), controls=(_control(index),), index=index, exploitation=read_files(settings)
    )
    hashed = check_gate(True, what="pins with a SHA-256 hash", allowed="all", found=f"{len(pins)} of {len(pins)}")
    examined = assess(settings, pins, observed, hashed, now)
    findings = with_fingerprints(replace(finding, tool=TOOL) for finding in examined.findings)
    tools = (Tool(name=TOOL, version=release()),)
    return replace(examined, findings=findings, tools=tools, components=locked(pins, settings.lock))


def _looked_up(pins: Iterable[Pin], index: AdvisoryIndex) -> Output:
    """Every pin, whatever its marker: it is locked, so somebody installs it."""
    different = {unit(pin.name, pin.version): pin for pin in pins}
    found = (
        Reported(package=pin.name, version=pin.version, vulnerability=vulnerability)
        for pin in different.values()
        for vulnerability in index.vulnerabilities(pin.name, pin.version)
    )
    return Output(audited=units(different.values()), found=tuple(found))


def _control(index: AdvisoryIndex) -> Control:
    """A lock with a package that this very snapshot knows to be vulnerable, read and looked up like any other."""
    sample = index.sample()
    if sample is None:
        return Control(tool=TOOL, planted="package: the advisory snapshot names none", caught=False)
    name, version = sample
    planted = lock_text([Pin(name=name, version=version, hashes=(_PLANTED_HASH,), line=1)])
    found = {report.unit for report in _looked_up(parse_lock(planted, "planted"), index).found}
    what = f"package {name} {version}, which is known to be vulnerable"
    return Control(tool=TOOL, planted=what, caught=unit(name, version) in found)


def _result(examined: Examination, texts: Mapping[str, str]) -> StageResult:
    status, reasons = conclude(examined)
    return StageResult(
        name="audit",
        status=status,
        reasons=reasons,
        evidence=examined.evidence,
        gates=examined.gates,
        findings=with_surroundings(examined.findings, texts, CodeOwners()),
        tools=examined.tools,
        metrics=examined.metrics,
        components=examined.components,
    )


def _document(result: StageResult, name: str, text: str) -> dict[str, Any]:
    """As a stage's own file has it, with the lock named and each finding's advisory under that name too."""
    shown: dict[str, Any] = json.loads(render_stage(result))
    parts = {key: shown[key] for key in ("reasons", "gates", "tools", "evidence", "metrics", "components")}
    findings = [{"advisory": finding["rule"], **finding} for finding in shown["details"]["findings"]]
    lock = {"path": name, "sha256": hashlib.sha256(text.encode("utf-8")).hexdigest()}
    return {"schema": SCHEMA, "verdict": shown["status"], "lock": lock, **parts, "findings": findings}


def _tell(result: StageResult) -> None:
    for finding in result.findings:
        tell(sys.stdout, _line(finding))
    for reason in result.reasons:
        tell(sys.stdout, reason)
    packages = result.metrics.get("packages")
    tell(sys.stdout, f"verdict: {result.status} ({len(result.findings)} vulnerabilities in {packages} locked packages)")


def _line(finding: Finding) -> str:
    names = ", ".join(finding.aliases)
    known = [
        str(finding.severity),
        *([names] if names else []),
        *([f"exploited since {finding.exploited}"] if finding.exploited else []),
    ]
    mended = f"fixed in {finding.fix}" if finding.fix else "no fixed version is known"
    return f"{finding.package} {finding.version}: {finding.rule} ({'; '.join(known)}), {mended}."


def _make_room(wanted: Wanted, settings: Audit) -> None:
    """Take away an earlier answer: whatever happens next, nobody shall take it for today's."""
    if wanted.written in ("", STANDARD_OUTPUT):
        return
    place = Path(wanted.written)
    sources = [wanted.lock, *(Path(path) for path in (settings.advisories, settings.kev, settings.epss) if path)]
    if any(place.resolve() == source.resolve() for source in sources):
        raise ConfigurationError(f"The answer would be written over what it is made from: {place.name}.")
    if place.exists() and not place.is_file():
        raise ConfigurationError(f"The answer can't be written to {place.name}, which is no file.")
    place.unlink(missing_ok=True)


def _read(lock: Path) -> str:
    try:
        return lock.read_bytes().decode("utf-8")
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigurationError(f"The lock {lock.name} can't be read: {why}.", advice=REMEDY) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{lock.name} is not UTF-8 text.", why=str(error)) from error


def _named(wanted: Wanted) -> str:
    """The lock's path in the project; of a lock elsewhere the name alone, so that no answer holds a machine's paths."""
    path, root = wanted.lock.resolve(), wanted.root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
