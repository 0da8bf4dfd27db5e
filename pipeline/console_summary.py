"""The last lines of a run: every stage in a table, the slowest of them, the verdict and where to read on."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rich.table import Table
from rich.text import Text

from pipeline.console_layout import Layout
from pipeline.console_stage import STATUS_STYLES, duration
from pipeline.core.finding import State
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status

MOST_SLOW = 3


def summary_lines(report: Report, planned: Collection[str], places: Iterable[str], layout: Layout) -> list[str]:
    """The lines; ``planned`` are the stages that this run was to carry out, ``places`` the files to read on in.

    Stages that were not selected and have no earlier result for the same content are only named.
    """
    shown = [r for r in report.results if r.name in planned or r.status is not Status.NOT_RUN]
    left_out = [r.name for r in report.results if r not in shown]
    lines = []
    if len(shown) > 1:
        lines += ["", *layout.table(_table(shown, layout)), ""]
    lines += _slowest(shown, layout)
    if left_out:
        lines += layout.paragraph(Text("not selected: ").append(layout.text(", ".join(left_out))), 0, 4)
    lines += _verdict(report, left_out, layout)
    return lines + [layout.whole(Text("report: ").append(layout.text(place))) for place in places]


def _table(results: list[StageResult], layout: Layout) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    # What does not wrap keeps its width when there is little; the others are cut.
    table.add_column(Text("stage"))
    table.add_column(Text("status"), no_wrap=True)
    table.add_column(Text("time"), justify="right", no_wrap=True)
    table.add_column(Text("checked"))
    table.add_column(Text("findings"))
    for result in results:
        status = Text(str(result.status), STATUS_STYLES[result.status])
        cells = [layout.text(text) for text in (result.name, _checked(result), _found(result))]
        for cell in cells:
            cell.no_wrap, cell.overflow = True, "ellipsis"
        table.add_row(cells[0], status, _time(result), *cells[1:])
    return table


def _time(result: StageResult) -> Text:
    if result.status is Status.NOT_RUN:
        return Text("")
    return Text("earlier", "dim") if result.cached else Text(f"{result.duration_s:.1f} s")


def _checked(result: StageResult) -> str:
    evidence = result.evidence
    if evidence is None:
        return ""
    return f"{len(evidence.expected & evidence.checked)}/{len(evidence.expected)} {evidence.unit}"


def _found(result: StageResult) -> str:
    """How many findings there are in each state, and how many of the new ones the gate counts where those are fewer."""
    counts = {state: f"{number} {state}" for state, number in result.counts().items() if number}
    counted = sum(finding.counted and finding.state is State.NEW for finding in result.findings)
    if State.NEW in counts and counted < result.counts()[State.NEW]:
        counts[State.NEW] += f" ({counted} counted)"
    return ", ".join(counts.values())


def _slowest(results: list[StageResult], layout: Layout) -> list[str]:
    """Where the time went; what an earlier run did took none of this one's."""
    timed = [result for result in results if result.duration_s and not result.cached]
    total = sum(result.duration_s for result in timed)
    if len(timed) < 2 or total < 1:
        return []
    slow = sorted(timed, key=lambda result: -result.duration_s)[:MOST_SLOW]
    named = ", ".join(f"{r.name} {duration(r.duration_s)} ({r.duration_s / total:.0%})" for r in slow)
    return layout.paragraph(Text("slowest: ").append(layout.text(f"{named}; all stages {duration(total)}")), 0, 4)


def _verdict(report: Report, left_out: Collection[str], layout: Layout) -> list[str]:
    """The verdict and the required stages that hold it back."""
    lacking = [r for r in report.results if r.name in report.record.required and r.status is not Status.PASS]
    because = [f"{result.name} {result.status}" for result in lacking if result.name not in left_out]
    unselected = len(lacking) - len(because)
    if unselected:
        because.append(f"{unselected} required but not selected")
    text = Text("verdict: ").append(str(report.verdict), STATUS_STYLES[report.verdict])
    if because:
        text.append(layout.text(f" ({', '.join(because)})"))
    return layout.paragraph(text, 0, 4)
