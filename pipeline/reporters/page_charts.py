"""The geometry of the page's plots: numbers in, places in percent of a drawing's width and height out.

In percent, so that a drawing takes whatever width there is and its texts keep their size; the templates draw.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.core.canary_details import Arm, Latencies
from pipeline.core.change import entry_of
from pipeline.core.history import HistoryEntry
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status
from pipeline.reporters.page_text import moment, number, seconds, short

_FULL = 100.0
_LEAST = 0.4
"""The least width of a bar, in percent: what took part is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A bar: where it begins and how long it is, in percent."""

    start: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage in the timeline; without a ``span`` it has not run in this run."""

    name: str
    status: Status
    span: Share | None
    after: str
    took: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a histogram: place and width, and how high it is, all in percent."""

    start: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmChart:
    """One side of a histogram with its columns, the places of its median and its 95th percentile, and its numbers."""

    arm: Arm
    columns: tuple[Column, ...]
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """The latencies of both sides at one endpoint over one axis, whose ends and middle are ``ticks``."""

    endpoint: str
    arms: tuple[ArmChart, ...]
    ticks: tuple[str, ...]

    @property
    def told(self) -> str:
        """The drawing in words."""
        sides = (
            f"{chart.arm.side}: median {chart.arm.p50_ms:.2f} ms, 95 % within {chart.arm.p95_ms:.2f} ms"
            for chart in self.arms
            if chart.arm.p50_ms is not None and chart.arm.p95_ms is not None
        )
        return f"Latencies of {self.endpoint}. {'; '.join(sides) or 'No good answer'}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A run in a plot: its place, its value in words, and what run it is."""

    x: float
    y: float
    value: str
    verdict: Status
    time: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A value over the runs, oldest first; ``low`` and ``high`` are the ends of its axis, ``path`` its line in SVG."""

    title: str
    points: tuple[Point, ...]
    path: str
    low: str
    high: str

    @property
    def told(self) -> str:
        """The drawing in words."""
        first, last = self.points[0], self.points[-1]
        return f"{self.title} over {len(self.points)} runs: first {first.value}, now {last.value}."


def timeline(report: Report) -> tuple[Step, ...]:
    """When each stage began after the run did, and how long it took."""
    begun = {result.name: _begun(result, report) for result in report.results}
    ends = [at + result.duration_s for result in report.results if (at := begun[result.name]) is not None]
    whole = max((*ends, 0.001))
    steps = []
    for result in report.results:
        at = begun[result.name]
        span = None if at is None else _bar(at / whole, result.duration_s / whole)
        after = "" if at is None else f"+{seconds(at)}"
        took = seconds(result.duration_s) if at is not None else ("earlier result" if result.cached else "did not run")
        steps.append(Step(name=result.name, status=result.status, span=span, after=after, took=took))
    return tuple(steps)


def shares(sizes: Sequence[int]) -> tuple[Share, ...]:
    """Bars of these lengths, the longest of which fills the drawing."""
    longest = max((*sizes, 1))
    return tuple(_bar(0, size / longest) for size in sizes)


def histogram(latencies: Latencies) -> Histogram:
    """The chart of one endpoint. Sides of unequal numbers of answers are drawn by share, so that they compare."""
    edges = latencies.edges_ms
    if len(edges) < 2:
        return Histogram(
            endpoint=latencies.endpoint,
            arms=tuple(ArmChart(arm=arm, columns=(), p50=None, p95=None) for arm in latencies.arms),
            ticks=(),
        )
    tallest = max((max(_portions(arm), default=0.0) for arm in latencies.arms), default=0.0) or 1.0
    return Histogram(
        endpoint=latencies.endpoint,
        arms=tuple(_arm_chart(arm, edges, tallest) for arm in latencies.arms),
        ticks=tuple(f"{value:.2f} ms" for value in (edges[0], edges[len(edges) // 2], edges[-1])),
    )


def plots(report: Report) -> tuple[Plot, ...]:
    """Score, coverage and findings over the runs before this one and this one; none of what was measured only once."""
    runs = (*report.history, entry_of(report))
    series = (
        ("pylint score", [(run, run.score, "") for run in runs]),
        ("Coverage", [(run, run.coverage, " %") for run in runs]),
        ("Findings that are not waived", [(run, run.findings if _examined(run) else None, "") for run in runs]),
        ("Duration of all stages", [(run, _duration(run), " s") for run in runs]),
    )
    made = (
        _plot(title, [(run, value, unit) for run, value, unit in values if value is not None])
        for title, values in series
    )
    return tuple(plot for plot in made if plot is not None)


def _plot(title: str, values: Sequence[tuple[HistoryEntry, float, str]]) -> Plot | None:
    if len(values) < 2:
        return None
    low, high = min(value for _, value, _ in values), max(value for _, value, _ in values)
    unit = values[0][2]
    points = []
    for index, (run, value, _) in enumerate(values):
        height = (value - low) / (high - low) if high > low else 0.5
        points.append(
            Point(
                x=round(_FULL * index / (len(values) - 1), 2),
                y=round(_FULL * (1 - height), 2),
                value=f"{number(value)}{unit}",
                verdict=run.verdict,
                time=moment(run.started),
                commit=short(run.commit),
            )
        )
    path = " ".join(f"{'L' if index else 'M'}{point.x} {point.y}" for index, point in enumerate(points))
    return Plot(title=title, points=tuple(points), path=path, low=f"{number(low)}{unit}", high=f"{number(high)}{unit}")


def _examined(run: HistoryEntry) -> bool:
    """Whether the run looked for findings at all: of one that did not, "none" would look like an improvement."""
    return any(stage.status is not Status.NOT_RUN for stage in run.stages)


def _duration(run: HistoryEntry) -> float | None:
    """The seconds that its stages took, of a run that ran all that it had."""
    ran = [stage for stage in run.stages if stage.status is not Status.NOT_RUN and not stage.cached]
    return round(sum(stage.duration_s for stage in ran), 2) if ran and len(ran) == len(run.stages) else None


def _begun(result: StageResult, report: Report) -> float | None:
    """Seconds from the run's beginning to the stage's, none of a stage that has not run in this run."""
    if result.cached or result.status is Status.NOT_RUN:
        return None
    try:
        after = datetime.fromisoformat(result.started) - datetime.fromisoformat(report.record.started)
    except (ValueError, TypeError):
        return None
    return after.total_seconds() if after.total_seconds() >= 0 else None


def _bar(start: float, width: float) -> Share:
    wide = max(_FULL * width, _LEAST)
    return Share(start=round(min(_FULL * start, _FULL - wide), 2), width=round(wide, 2))


def _arm_chart(arm: Arm, edges: tuple[float, ...], tallest: float) -> ArmChart:
    wide = _FULL / (len(edges) - 1)
    columns = (
        Column(start=round(index * wide, 3), width=round(wide, 3), height=round(_FULL * portion / tallest, 2))
        for index, portion in enumerate(_portions(arm)[: len(edges) - 1])
        if portion
    )
    return ArmChart(arm=arm, columns=tuple(columns), p50=_place(arm.p50_ms, edges), p95=_place(arm.p95_ms, edges))


def _portions(arm: Arm) -> tuple[float, ...]:
    total = sum(arm.counts) + arm.beyond
    return tuple(count / total for count in arm.counts) if total > 0 else ()


def _place(value: float | None, edges: tuple[float, ...]) -> float | None:
    """Where a latency lies, all bins being drawn equally wide."""
    if value is None or not edges[0] <= value <= edges[-1]:
        return None
    index = min(bisect_right(edges, value), len(edges) - 1) - 1
    share = (value - edges[index]) / (edges[index + 1] - edges[index])
    return round(_FULL * (index + share) / (len(edges) - 1), 2)
