"""What is said of a stage that has ended: one line when it passed; else why, what was found and how to see it again."""

from __future__ import annotations

from rich.text import Text

from pipeline.console_layout import Layout
from pipeline.console_source import source_lines
from pipeline.core.finding import Finding, Severity, State
from pipeline.core.stage import StageResult, Status

STATUS_STYLES = {
    Status.PASS: "bold green", Status.FAIL: "bold red", Status.INCONCLUSIVE: "bold yellow", Status.NOT_RUN: "yellow",
}  # fmt: skip
_SEVERITY_STYLES = {
    Severity.CRITICAL: "bold red", Severity.HIGH: "bold red", Severity.UNKNOWN: "bold magenta",
    Severity.MEDIUM: "bold yellow", Severity.LOW: "bold cyan", Severity.INFO: "bold cyan",
}  # fmt: skip
MOST_FINDINGS = 5
MOST_REASONS = 12
MOST_DETAILS = 50
LONGEST_TEXT = 1_000
"""Characters of one line of a reason, or of a message; the reports have the rest."""


def stage_lines(result: StageResult, layout: Layout) -> list[str]:
    """The lines about a finished stage."""
    if result.status is Status.PASS:
        return [layout.line(_headline(result, layout).append("  ").append(_notes(result, layout)))]
    lines = [layout.line(_headline(result, layout))]
    reasons = [line for reason in result.reasons for line in _reason(reason, layout)]
    lines += _bounded(reasons, MOST_REASONS, "lines of reasons", layout)
    counted = _counted(result)
    for finding in counted[:MOST_FINDINGS]:
        lines += finding_lines(finding, layout)
    if len(counted) > MOST_FINDINGS:
        lines += layout.paragraph(Text(f"and {len(counted) - MOST_FINDINGS} more in the report"), 4, 4)
    if result.command:
        lines.append(layout.whole(Text("    again: ").append(layout.text(result.command, "bold"))))
    return lines


def finding_lines(finding: Finding, layout: Layout) -> list[str]:
    """A finding: severity and message, its place, the source there with a caret, and what mends it."""
    heading = Text().append(str(finding.severity), _SEVERITY_STYLES[finding.severity]).append(": ")
    heading.append(layout.text(finding.message, longest=LONGEST_TEXT))
    heading.append(layout.text(f" [{finding.tool} {finding.rule}]", "dim"))
    lines = layout.paragraph(heading, 4, 6)
    if finding.place:
        lines += layout.paragraph(layout.text(finding.place, "bold"), 6, 6)
    lines += source_lines(finding, layout, 6)
    if finding.fix:
        lines += layout.paragraph(Text("fix: ").append(layout.text(finding.fix, longest=LONGEST_TEXT)), 6, 8)
    return lines


def stage_details(result: StageResult, layout: Layout) -> list[str]:
    """For the folded part of a CI system's log: tools, every gate, notes, and what was found beyond the first few."""
    lines = [f"{tool.name} {tool.version}" for tool in result.tools]
    lines += [f"{'met' if gate.passed else 'not met'}: {gate.sentence}" for gate in result.gates]
    lines += result.notes
    lines += [
        f"{finding.severity}: {finding.place}: {finding.message} [{finding.tool} {finding.rule}]"
        for finding in _counted(result)[MOST_FINDINGS:]
    ]
    return _bounded([line for text in lines for line in _reason(text, layout)], MOST_DETAILS, "lines", layout)


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60:02} s"


def _counted(result: StageResult) -> list[Finding]:
    """What the stage's gate counts, worst first."""
    return [finding for finding in result.findings if finding.counted and finding.state is State.NEW]


def _headline(result: StageResult, layout: Layout) -> Text:
    headline = Text().append(layout.text(f"{result.name:<8} ", "bold"))
    headline.append(f"{result.status!s:<12}", STATUS_STYLES[result.status])
    if result.status is not Status.NOT_RUN:
        headline.append(f" {result.duration_s:6.1f} s")
    if result.cached:
        headline.append("  earlier result", "dim")
    if result.evidence is not None:
        done = len(result.evidence.expected & result.evidence.checked)
        headline.append(layout.text(f"  {done}/{len(result.evidence.expected)} {result.evidence.unit}"))
    return headline


def _notes(result: StageResult, layout: Layout) -> Text:
    return layout.text(" ".join(" ".join(result.reasons).split()), "dim", longest=LONGEST_TEXT)


def _reason(text: str, layout: Layout) -> list[str]:
    """A reason may quote several lines of a tool, which stay lines."""
    first, *more = [layout.text(line, longest=LONGEST_TEXT) for line in text.splitlines() if line.strip()] or [Text()]
    return layout.paragraph(first, 4, 6) + [line for quoted in more for line in layout.paragraph(quoted, 6, 8)]


def _bounded(lines: list[str], most: int, what: str, layout: Layout) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[:most], *layout.paragraph(Text(f"and {len(lines) - most} more {what} in the report"), 4, 6)]
