"""Where the drawings of the page put what they show."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.canary_details import Arm, Latencies
from pipeline.core.stage import Status
from pipeline.reporters import page_charts
from tests import page_samples
from tests.page_parts import past
from tests.samples import RECORD, passed, report


def test_the_timeline_puts_every_stage_where_it_was() -> None:
    steps = {step.name: step for step in page_charts.timeline(page_samples.failing())}
    lint, scan, push = steps["lint"], steps["scan"], steps["push"]
    assert lint.span is not None and scan.span is not None
    assert lint.span.start == 0 and scan.span.start == pytest.approx(lint.span.width, abs=0.02)
    assert (lint.took, scan.after, scan.took) == ("36.7 s", "+36.7 s", "4.3 s")
    assert (push.span, push.after, push.took) == (None, "", "did not run")
    last = steps["canary"].span
    assert last is not None and last.start + last.width == pytest.approx(100, abs=0.02)


@pytest.mark.parametrize("started", ["", "no time", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00"])
def test_a_stage_that_did_not_begin_in_this_run_has_no_bar(started: str) -> None:
    steps = page_charts.timeline(report(replace(passed(), started=started)))
    assert [step.span for step in steps] == [None]
    kept = page_charts.timeline(report(replace(passed(), cached=True)))
    assert [(step.span, step.took) for step in kept] == [(None, "earlier result")]


@given(st.lists(st.integers(0, 2**50), max_size=20))
def test_bars_are_as_long_as_what_they_show(sizes: list[int]) -> None:
    shares = page_charts.shares(sizes)
    assert all(0 < share.width <= 100 and share.start == 0 for share in shares)
    for size, share in zip(sizes, shares, strict=True):
        assert size < max(sizes) or share.width == (100 if size else pytest.approx(0.4))


def arm(*counts: int, side: str = "candidate", beyond: int = 0, p50: float | None = None) -> Arm:
    """One side."""
    total = sum(counts) + beyond
    return Arm(side=side, requests=total, errors=0, counts=counts, beyond=beyond, p50_ms=p50, p95_ms=p50, p99_ms=p50)


def test_a_histogram_draws_both_sides_by_share_over_one_axis() -> None:
    chart = page_charts.histogram(
        Latencies(endpoint="GET /", edges_ms=(1.0, 2.0, 3.0), arms=(arm(3, 1, p50=1.5), arm(200, 0, side="release")))
    )
    assert chart.ticks == ("1.00 ms", "2.00 ms", "3.00 ms")
    first, second = chart.arms
    assert [(c.start, c.width, c.height) for c in first.columns] == [(0, 50, 75), (50, 50, 25)]
    assert [(c.start, c.height) for c in second.columns] == [(0, 100)]
    assert (first.p50, second.p50) == (25, None)
    assert chart.told == "Latencies of GET /. candidate: median 1.50 ms, 95 % within 1.50 ms."


def test_without_a_good_answer_there_is_nothing_to_draw() -> None:
    chart = page_charts.histogram(Latencies(endpoint="GET /", edges_ms=(), arms=(arm(),)))
    assert (chart.ticks, chart.arms[0].columns) == ((), ())
    assert chart.told == "Latencies of GET /. No good answer."


def test_a_plot_ends_with_this_run_and_says_its_ends_in_words() -> None:
    plots = {plot.title: plot for plot in page_charts.plots(page_samples.passing())}
    score = plots["pylint score"]
    assert len(score.points) == 13
    assert [(score.points[n].x, score.points[n].y) for n in (0, -1)] == [(0, 100), (100, 0)]
    assert (score.low, score.high) == ("9.40", "9.96") and score.path.startswith("M0.0 100.0 L8.33")
    assert score.told == "pylint score over 13 runs: first 9.40, now 9.96."
    assert plots["Coverage"].points[-1].value == "97.10 %"
    assert plots["Findings that are not waived"].points[-1].value == "0"
    assert plots["Duration of all stages"].points[0].verdict is Status.PASS


def test_what_was_measured_once_or_never_is_no_plot() -> None:
    assert not page_charts.plots(report(passed()))
    early = replace(past(1)[0], score=10.0, coverage=None)
    titles = [plot.title for plot in page_charts.plots(replace(report(passed()), history=(early,)))]
    assert titles == ["pylint score", "Findings that are not waived", "Duration of all stages"]


def test_a_value_that_does_not_change_is_a_line_in_the_middle() -> None:
    early = replace(past(1)[0], score=10.0)
    (plot, *_) = page_charts.plots(replace(report(passed()), history=(early,)))
    assert [point.y for point in plot.points] == [50, 50]
    assert plot.low == plot.high and plot.points[1].commit == RECORD.commit[:12]
