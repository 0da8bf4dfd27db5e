"""``pipeline waive``: show what a new waiver would hide, by the last report, and write it into the file."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import TextIO

import msgspec

from pipeline.core.evidence import listed
from pipeline.core.finding import Finding
from pipeline.core.waiver import FILE, Waiver
from pipeline.core.waiver_file import appended, faults_in
from pipeline.errors import ConfigurationError
from pipeline.execution.files import write_atomically
from pipeline.waivers import decoded, parsed, rules_of
from pipeline.workplace import Workplace

USUAL_DAYS = 90
MOST_FINDINGS = 5
DECLINED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for, as in :class:`pipeline.core.waiver.Waiver`; ``days`` is how long it shall last."""

    id: str
    tool: str
    scope: str
    reason: str
    owner: str
    days: int | None = None
    until_fixed: bool = False
    justification: str = ""


def carry_out(place: Workplace, wanted: Wanted, *, yes: bool, answers: TextIO) -> int:
    """Show, ask on a terminal unless ``yes``, and write; returns the exit code: 0 when it is written, 1 when declined.

    Raises:
        ConfigurationError: the waiver would not be a correct one or would hide nothing, the file is not correct as it
            is, there is no report to look into, or nobody is there to ask. Nothing has been written then.
    """
    today = place.ports.clock.now().date()
    waiver = _correct(place, wanted, today)
    text, written = _text_with(place, waiver, today)
    findings = _reported(place)
    hidden = [finding for finding in findings if waiver.hides(finding, today)]
    if not hidden:
        raise _hides_nothing(waiver, findings)
    _show(place, waiver, hidden)
    if not yes and not _agreed(place, answers):
        place.console.line("Nothing was written.")
        return DECLINED
    write_atomically(place.root / FILE, text)
    place.console.line(f"Written: {written.place}. It takes effect with the next run; commit it.")
    return 0


def _correct(place: Workplace, wanted: Wanted, today: date) -> Waiver:
    rules = rules_of(place.settings, today)
    days = min(USUAL_DAYS, rules.max_days) if wanted.days is None else wanted.days
    try:
        expires = today + timedelta(days=days)
    except OverflowError:
        expires = date.max
    waiver = Waiver(
        id=wanted.id,
        tool=wanted.tool,
        scope=wanted.scope,
        reason=" ".join(wanted.reason.split()),
        owner=wanted.owner,
        created=today,
        expires=expires,
        until_fixed=wanted.until_fixed,
        justification=wanted.justification,
    )
    values = {item.name: getattr(waiver, item.name) for item in fields(Waiver) if item.name in _GIVEN}
    given = {name: value for name, value in values.items() if name != "justification" or value}
    faults = [told for _, told in faults_in(given, rules)]
    if faults:
        raise ConfigurationError(f"This would not be a correct waiver: {' '.join(faults)}")
    return waiver


_GIVEN = frozenset((*(item.name for item in fields(Wanted)), "created", "expires")) - {"days"}


def _text_with(place: Workplace, waiver: Waiver, today: date) -> tuple[str, Waiver]:
    """The file's text with the waiver in it, and the waiver as the file then holds it."""
    path = place.root / FILE
    if path.is_symlink():
        raise ConfigurationError(f"{FILE} must be an ordinary file, and is a link.")
    before = decoded(path.read_bytes()) if path.exists() else ""
    # First as it is: its own faults are not the new waiver's.
    parsed(before, place.settings, today)
    text = appended(before, waiver)
    return text, parsed(text, place.settings, today)[-1]


def _reported(place: Workplace) -> list[Finding]:
    path = place.store.reports / "pipeline.json"
    advice = "Run the stage that reports it first: what a waiver hides is shown before it is written."
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        findings = msgspec.convert(document["findings"], list[Finding])
        snapshot = document["snapshot"]
    except FileNotFoundError:
        raise ConfigurationError("There is no report yet.", advice=advice) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ConfigurationError(
            f"{path.name} is not a report of the pipeline, or is damaged.", advice=advice
        ) from None
    if snapshot != place.checkout.snapshot().digest:
        place.console.line("The last report is about other content than this checkout has now.")
    return findings


def _hides_nothing(waiver: Waiver, findings: list[Finding]) -> ConfigurationError:
    fixed = [finding for finding in findings if waiver.covers(finding)]
    if fixed:
        return ConfigurationError(
            f"There is a fix already ({fixed[0].fix}), so a waiver until there is one would hide nothing.",
            advice="Take the fix, or leave --until-fixed out.",
        )
    of_id = [finding for finding in findings if waiver.id in (finding.rule, finding.id, *finding.aliases)]
    near = of_id or [finding for finding in findings if finding.tool == waiver.tool]
    known = listed(f"{f.rule} of {f.tool} in {f.package or f.path or 'no place'}" for f in near)
    return ConfigurationError(
        "It would hide nothing in the last report, and a waiver that hides nothing fails.",
        why=f"What the report has is {known}." if known else "The report has no such finding, nor any of this tool.",
    )


def _show(place: Workplace, waiver: Waiver, hidden: list[Finding]) -> None:
    place.console.line(
        f"The waiver of {waiver.title} until {waiver.expires} would hide {len(hidden)} of the last findings:"
    )
    for finding in hidden[:MOST_FINDINGS]:
        place.console.line(
            f"    {finding.severity}: {finding.place}: {finding.message} [{finding.tool} {finding.rule}]"
        )
    if len(hidden) > MOST_FINDINGS:
        place.console.line(f"    and {len(hidden) - MOST_FINDINGS} more")


def _agreed(place: Workplace, answers: TextIO) -> bool:
    if not answers.isatty():
        raise ConfigurationError(
            "Nothing was written, because there is nobody to ask.", advice="Say --yes to write it."
        )
    place.console.line(f"Write it into {FILE}? [y/N]")
    return answers.readline().strip().lower() in ("y", "yes")
