"""``summary.md``: the run in a table, for a job summary or a comment on a merge request."""

from __future__ import annotations

import re
from collections import Counter

from pipeline.core.finding import State
from pipeline.core.policy_difference import Effect
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status
from pipeline.core.waiver_standing import WaiverState

MOST_FINDINGS = 20
MOST_REASON = 300
_SYMBOLS = {Status.PASS: "✅", Status.FAIL: "❌", Status.INCONCLUSIVE: "⚠️", Status.NOT_RUN: "⏸️"}
_EFFECTS = {Effect.LOOSENS: "⚠️", Effect.TIGHTENS: "✅", Effect.NEUTRAL: "•"}
# Everything that Markdown or HTML gives a meaning to; the text comes from the code under review.
_SPECIAL = re.compile(r"[\\`*_{}\[\]()<>#+\-.!|~&$@:]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def render(report: Report) -> str:
    """The report as Markdown; bounded, whatever the number of findings."""
    record = report.record
    lines = [
        f"## {_SYMBOLS[report.verdict]} Pipeline: {report.verdict}",
        "",
        f"Commit {text(record.commit[:12])}{' with uncommitted changes' if record.dirty else ''}, "
        f"snapshot {text(record.snapshot[:12])}, {text(record.started)}.",
        "",
        *_changes(report),
        "| stage | status | checked | seconds | why |",
        "|---|---|---|---|---|",
        *(_row(result, required=result.name in record.required) for result in report.results),
        "",
    ]
    everything = [(result.name, finding) for result in report.results for finding in result.findings]
    counted = [
        (stage, finding) for stage, finding in everything if finding.counted and finding.state is not State.WAIVED
    ]
    if counted:
        counted.sort(key=lambda pair: pair[1].state is State.EXISTING)
        lines += ["### Findings", ""]
        for stage, finding in counted[:MOST_FINDINGS]:
            what = f"{text(finding.rule)} {text(finding.place)}: {text(finding.message)}"
            known = " (existing)" if finding.state is State.EXISTING else ""
            lines.append(f"- **{finding.severity}**{known} {text(stage)} {what}")
        if len(counted) > MOST_FINDINGS:
            lines.append(f"- and {len(counted) - MOST_FINDINGS} more in pipeline\\.json")
        lines.append("")
    lines += _waived(report)
    lines += _suppressed(report)
    left_out = [(result.name, item) for result in report.results for item in result.not_checked]
    if left_out:
        lines += ["### Not checked", ""]
        shown = left_out[:MOST_FINDINGS]
        lines += [f"- {text(stage)}, {text(item.what)}: {text(item.reason)}" for stage, item in shown]
        if len(left_out) > MOST_FINDINGS:
            lines.append(f"- and {len(left_out) - MOST_FINDINGS} more")
        lines.append("")
    return "\n".join(lines)


def _suppressed(report: Report) -> list[str]:
    """How many suppressions of each kind the sources hold; where each is stands in pipeline.json."""
    counts = Counter((result.name, item.kind) for result in report.results for item in result.suppressions)
    lines = [f"- {text(stage)}, {text(kind)}: {number}" for (stage, kind), number in counts.items()]
    return ["### Suppressed in the sources", "", *lines, ""] if lines else []


def _changes(report: Report) -> list[str]:
    """What the change does to its own gates, before anything else."""
    against = report.record.against
    if against is None:
        return []
    changes = report.record.changes
    lines = [
        f"- {_EFFECTS[change.effect]} {change.effect}{', approved' if change.approved else ''}: {text(change.sentence)}"
        for change in changes[:MOST_FINDINGS]
    ]
    if len(changes) > MOST_FINDINGS:
        lines.append(f"- and {len(changes) - MOST_FINDINGS} more in pipeline\\.json")
    where = f"{text(against.revision)} {text(against.commit[:12])}".strip()
    return [f"### Policy against {where}", "", *(lines or ["No changes."]), ""]


def _waived(report: Report) -> list[str]:
    """Every waived finding with its waiver's reason, owner and days left; then the waivers that need attention."""
    everything = (finding for result in report.results for finding in result.findings)
    findings = [(finding, by) for finding in everything if (by := report.waived_by(finding)) is not None]
    lines = [
        f"- **{finding.severity}** {text(finding.tool)} {text(finding.rule)} {text(finding.place)}: "
        f"{text(standing.waiver.reason)} ({text(standing.waiver.owner)}, {standing.days_left} days left)"
        for finding, standing in findings[:MOST_FINDINGS]
    ]
    if len(findings) > MOST_FINDINGS:
        lines.append(f"- and {len(findings) - MOST_FINDINGS} more in pipeline\\.json")
    due = [s for s in report.waivers if s.state is not WaiverState.USED or s.ends_soon]
    lines += [f"- {_SYMBOLS[Status.INCONCLUSIVE]} {text(standing.sentence)}" for standing in due[:MOST_FINDINGS]]
    if len(due) > MOST_FINDINGS:
        lines.append(f"- and {len(due) - MOST_FINDINGS} more waivers to look after in pipeline\\.json")
    return ["### Waived", "", *lines, ""] if lines else []


def _row(result: StageResult, *, required: bool) -> str:
    checked = ""
    if result.evidence is not None:
        done = len(result.evidence.expected & result.evidence.checked)
        checked = f"{done} of {len(result.evidence.expected)} {text(result.evidence.unit)}"
    name = text(result.name) + ("" if required else " (optional)")
    status = f"{_SYMBOLS[result.status]} {result.status}{' (earlier result)' if result.cached else ''}"
    why = text(" ".join(result.reasons))
    return f"| {name} | {status} | {checked} | {result.duration_s:.1f} | {why} |"


def text(untrusted: str, longest: int = MOST_REASON) -> str:
    """Text that Markdown shows as it is, on one line, cut to ``longest`` characters."""
    one_line = _CONTROL.sub(" ", untrusted)
    cut = one_line if len(one_line) <= longest else one_line[: longest - 1] + "…"
    return _SPECIAL.sub(lambda match: "\\" + match.group(), cut).encode("utf-8", "replace").decode("utf-8")
