"""The waivers of a report against a day that is later than the run's: what they hide may count again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from pipeline.core.finding import State
from pipeline.core.run_record import Report
from pipeline.core.verification import Statement, confirmed, contradicted, outdated


def waivers_today(report: Report, today: date) -> tuple[Statement, ...]:
    """What each waiver that hides something is worth ``today`` (UTC), and whether each waived finding has one."""
    return (*_without_waiver(report), *_by_today(report, today))


def _without_waiver(report: Report) -> Iterable[Statement]:
    for result in report.results:
        for finding in result.findings:
            if finding.state is State.WAIVED and report.waived_by(finding) is None:
                text = f"{finding.rule} at {finding.place} is said to be waived, and no waiver of the report hides it."
                yield contradicted(result.name, text)


def _by_today(report: Report, today: date) -> Iterable[Statement]:
    hiding = [standing for standing in report.waivers if standing.hides]
    valid = {finding for standing in hiding if standing.waiver.days_left(today) >= 0 for finding in standing.hides}
    for standing in hiding:
        waiver, left = standing.waiver, standing.waiver.days_left(today)
        again = [finding for finding in standing.hides if finding not in valid]
        if left < 0 and again:
            what = "a finding counts" if len(again) == 1 else f"{len(again)} findings count"
            yield outdated("waivers", f"The waiver of {waiver.title} expired on {waiver.expires}, so {what} again.")
        elif left >= 0:
            yield confirmed("waivers", f"The waiver of {waiver.title} still holds today, and for {left} days more.")
