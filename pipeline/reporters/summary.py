"""``summary.md``: the run in a table, for a job summary or a comment on a merge request."""

from __future__ import annotations

import re

from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status

MOST_FINDINGS = 20
MOST_REASON = 300
_SYMBOLS = {Status.PASS: "✅", Status.FAIL: "❌", Status.INCONCLUSIVE: "⚠️", Status.NOT_RUN: "⏸️"}
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
        "| stage | status | checked | seconds | why |",
        "|---|---|---|---|---|",
        *(_row(result, required=result.name in record.required) for result in report.results),
        "",
    ]
    counted = [(result.name, f) for result in report.results for f in result.findings if f.counted]
    if counted:
        lines += ["### Findings", ""]
        for stage, finding in counted[:MOST_FINDINGS]:
            what = f"{text(finding.rule)} {text(finding.place)}: {text(finding.message)}"
            lines.append(f"- **{finding.severity}** {text(stage)} {what}")
        if len(counted) > MOST_FINDINGS:
            lines.append(f"- and {len(counted) - MOST_FINDINGS} more in pipeline\\.json")
        lines.append("")
    left_out = [(result.name, item) for result in report.results for item in result.not_checked]
    if left_out:
        lines += ["### Not checked", ""]
        shown = left_out[:MOST_FINDINGS]
        lines += [f"- {text(stage)}, {text(item.what)}: {text(item.reason)}" for stage, item in shown]
        if len(left_out) > MOST_FINDINGS:
            lines.append(f"- and {len(left_out) - MOST_FINDINGS} more")
        lines.append("")
    return "\n".join(lines)


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
