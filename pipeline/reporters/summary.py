"""``summary.md``: the run in a table and short lists, for a job summary or a comment on a merge request.

Bounded whatever the number of findings, stages or waivers: each list says how many more there are, and the whole stays
below the 1 MiB at which GitHub drops a summary without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from pipeline.core.change import change_since_last_green
from pipeline.core.finding import Finding, State
from pipeline.core.links import link_of
from pipeline.core.policy_difference import Difference, Effect
from pipeline.core.run_record import Report
from pipeline.core.safe_text import for_markdown as text
from pipeline.core.safe_text import markdown_link
from pipeline.core.stage import StageResult, Status
from pipeline.core.waiver_standing import Standing, WaiverState

_Item = TypeVar("_Item")
MOST_LISTED = 20
MOST_STAGES = 50
MOST_BYTES = 1_000_000
"""A little below GitHub's MiB for a step, and exactly GitLab's limit for a comment."""
_SYMBOLS = {Status.PASS: "✅", Status.FAIL: "❌", Status.INCONCLUSIVE: "⚠️", Status.NOT_RUN: "⏸️"}
_EFFECTS = {Effect.LOOSENS: "⚠️", Effect.TIGHTENS: "✅", Effect.NEUTRAL: "•"}
_ELSEWHERE = "in pipeline\\.json"
_CUT = f"\n\nThis is not all: the rest is {_ELSEWHERE}\\.\n"


def render(report: Report) -> str:
    """The report as Markdown."""
    record = report.record
    lines = [
        f"## {_SYMBOLS[report.verdict]} Pipeline: {report.verdict}",
        "",
        f"Commit {text(record.commit[:12])}{' with uncommitted changes' if record.dirty else ''}, "
        f"snapshot {text(record.snapshot[:12])}, {text(record.started)}.",
        "",
        *_changes(report),
        *_since(report),
        *_stages(report),
        *_findings(report),
        *_waived(report),
        *_suppressed(report),
        *_not_checked(report),
    ]
    return _bounded("\n".join(lines))


def _bounded(whole: str) -> str:
    """Whole lines of it, as many as fit."""
    if len(whole.encode()) <= MOST_BYTES:
        return whole
    kept = whole.encode()[: MOST_BYTES - len(_CUT.encode())].decode("utf-8", "ignore")
    return kept.rpartition("\n")[0] + _CUT


def _listed(items: Sequence[_Item], line: Callable[[_Item], str], what: str = "") -> list[str]:
    """A line for each of the first items, and how many more there are."""
    left = len(items) - MOST_LISTED
    more = [f"- and {left} more{what} {_ELSEWHERE}"] if left > 0 else []
    return [*(f"- {line(item)}" for item in items[:MOST_LISTED]), *more]


def _changes(report: Report) -> list[str]:
    """What the change does to its own gates, before anything else."""
    against = report.record.against
    if against is None:
        return []
    lines = _listed(report.record.changes, _policy_change)
    where = f"{text(against.revision)} {text(against.commit[:12])}".strip()
    return [f"### Policy against {where}", "", *(lines or ["No changes."]), ""]


def _policy_change(change: Difference) -> str:
    approved = ", approved" if change.approved else ""
    return f"{_EFFECTS[change.effect]} {change.effect}{approved}: {text(change.sentence)}"


def _since(report: Report) -> list[str]:
    change = change_since_last_green(report)
    if change is None:
        return []
    when = f"{text(change.since.started)}, commit {text(change.since.commit[:12])}"
    return [f"### Since the last green run ({when})", "", *_listed(change.sentences, text), ""]


def _stages(report: Report) -> list[str]:
    shown = report.results[:MOST_STAGES]
    rows = [_row(result, required=result.name in report.record.required) for result in shown]
    head = ["| stage | status | checked | seconds | why |", "|---|---|---|---|---|"]
    left = len(report.results) - len(shown)
    return [*head, *rows, "", *([f"and {left} more {_ELSEWHERE}", ""] if left else [])]


def _row(result: StageResult, *, required: bool) -> str:
    checked = ""
    if result.evidence is not None:
        done = len(result.evidence.expected & result.evidence.checked)
        checked = f"{done} of {len(result.evidence.expected)} {text(result.evidence.unit)}"
    name = text(result.name) + ("" if required else " (optional)")
    status = f"{_SYMBOLS[result.status]} {result.status}{' (earlier result)' if result.cached else ''}"
    why = text(" ".join(result.reasons))
    return f"| {name} | {status} | {checked} | {result.duration_s:.1f} | {why} |"


def _findings(report: Report) -> list[str]:
    """Those that count, new ones first and the worst of them first, and the numbers of the others."""
    everything = [(result.name, finding) for result in report.results for finding in result.findings]
    shown = [(stage, f) for stage, f in everything if f.counted and f.state is not State.WAIVED]
    shown.sort(key=lambda pair: (pair[1].state is State.EXISTING, -pair[1].severity.rank))
    below = sum(not finding.counted and finding.state is not State.WAIVED for _, finding in everything)
    lines = _listed(shown, _finding)
    if below:
        lines.append(f"- {below} below the gate {_ELSEWHERE}")
    return ["### Findings", "", *lines, ""] if lines else []


def _finding(pair: tuple[str, Finding]) -> str:
    stage, finding = pair
    known = " (existing)" if finding.state is State.EXISTING else ""
    told = f"{markdown_link(finding.rule, link_of(finding))} {text(finding.place)}: {text(finding.message)}"
    fix = f" Fixed in {text(finding.fix)}\\." if finding.package and finding.fix else ""
    exploited = f" **Exploited since {text(finding.exploited)}\\.**" if finding.exploited else ""
    owner = f" Owner: {text(finding.owner)}\\." if finding.owner else ""
    return f"**{finding.severity}**{known} {text(stage)} {told}{exploited}{fix}{owner}"


def _waived(report: Report) -> list[str]:
    """Every waived finding with its waiver's reason, owner and days left; then the waivers that need attention."""
    everything = (finding for result in report.results for finding in result.findings)
    findings = [(finding, by) for finding in everything if (by := report.waived_by(finding)) is not None]
    due = [s for s in report.waivers if s.state is not WaiverState.USED or s.ends_soon]
    lines = [*_listed(findings, _waived_finding), *_listed(due, _due, " waivers to look after")]
    return ["### Waived", "", *lines, ""] if lines else []


def _waived_finding(pair: tuple[Finding, Standing]) -> str:
    finding, standing = pair
    what = f"**{finding.severity}** {text(finding.tool)} {text(finding.rule)} {text(finding.place)}"
    return f"{what}: {text(standing.waiver.reason)} ({text(standing.waiver.owner)}, {standing.days_left} days left)"


def _due(standing: Standing) -> str:
    return f"{_SYMBOLS[Status.INCONCLUSIVE]} {text(standing.sentence)}"


def _suppressed(report: Report) -> list[str]:
    """How many suppressions of each kind the sources hold; where each is stands in pipeline.json."""
    counts = Counter((result.name, item.kind) for result in report.results for item in result.suppressions)
    lines = _listed(tuple(counts), lambda pair: f"{text(pair[0])}, {text(pair[1])}: {counts[pair]}")
    return ["### Suppressed in the sources", "", *lines, ""] if lines else []


def _not_checked(report: Report) -> list[str]:
    left_out = [(result.name, item) for result in report.results for item in result.not_checked]
    lines = _listed(left_out, lambda pair: f"{text(pair[0])}, {text(pair[1].what)}: {text(pair[1].reason)}")
    return ["### Not checked", "", *lines, ""] if lines else []
