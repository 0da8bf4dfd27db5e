"""The benchmarks of the canary still work, go on where they were stopped, and count right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import canary, canary_simulation
from benchmarks.canary_faults import MODULE, VARIABLE, Fault
from benchmarks.intervals import clopper_pearson, shown
from benchmarks.tables import renewed
from pipeline.core.canary_judge import CANDIDATE, RELEASE, TWIN
from pipeline.core.canary_observed import Outcome


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    # SciPy 1.17.1, scipy.stats.binomtest(...).proportion_ci(method="exact").
    [
        (0, 300, 0.0, 0.0122209747),
        (3, 300, 0.0020670072, 0.0289445113),
        (95, 100, 0.8871650889, 0.9835681208),
        (100, 100, 0.9637833074, 1.0),
    ],
)
def test_intervals_are_the_published_ones(hits: int, total: int, low: float, high: float) -> None:
    assert clopper_pearson(hits, total) == pytest.approx((low, high), abs=1e-9)


def test_an_interval_of_nothing_is_refused() -> None:
    assert shown(1, 10) == "10.00 % (0.25 to 44.50)"
    with pytest.raises(ValueError, match="no tries"):
        clopper_pearson(0, 0)


def test_a_table_is_renewed_between_its_marks_and_nowhere_else() -> None:
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    assert renewed(text, "x", ["new", "er"]) == "a\n<!-- x -->\nnew\ner\n<!-- /x -->\nb\n"
    with pytest.raises(ValueError, match="no marks"):
        renewed(text, "y", [])


@pytest.mark.parametrize(
    ("case", "expected"),
    [("equal", Outcome.PASS), ("slower", Outcome.FAIL), ("errors", Outcome.FAIL), ("variance", Outcome.FAIL)],
)
def test_a_draw_is_repeated_by_its_number_and_comes_out_as_it_should(case: str, expected: Outcome) -> None:
    assert canary_simulation.draw(case, 1) == canary_simulation.draw(case, 1)
    assert canary_simulation.draw(case, 1)[0] is expected


def test_results_are_counted_and_half_a_line_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "simulation.jsonl"
    line = {"case": "equal", "chunk": 0, "outcomes": {"pass": 99, "fail": 1}, "looks": {"1": 90, "2": 10}}
    results.write_text(f'{json.dumps(line)}\n{{"case": "eq', encoding="utf-8")
    assert canary_simulation.main(["--report", "--results", str(results)]) == 0
    assert "| equal | 100 | 1.00 (0.03 to 5.45) | 99.00 (94.55 to 99.97) |" in capsys.readouterr().out


def test_runs_with_containers_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "canary.jsonl"
    lines = [
        {"case": "slower", "number": n, "status": status, "looks": looks, "noisy": status == "inconclusive"}
        for n, (status, looks) in enumerate([("fail", 1), ("fail", 1), ("inconclusive", 3), ("fail", 2)])
    ]
    results.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    assert canary.main(["--report", "--results", str(results)]) == 0
    said = capsys.readouterr().out
    assert "| 20 % slower everywhere | 4 | 75.00 (19.41 to 99.37) |" in said and "| 1 | 50 / 25 / 25 |" in said


def test_each_fault_is_the_candidates_alone_but_for_the_wait_that_all_have_in_common() -> None:
    medians = {"GET /": 2.0, "POST /echo/hello?lang=en": 3.0}
    assert canary.faults_of("equal", medians, 0.5, 0) == {CANDIDATE: None, RELEASE: None, TWIN: None}
    slower = canary.faults_of("slower", medians, 0.5, 0)
    assert slower[CANDIDATE] == Fault(delay_ms={"GET /": 0.2 * 2.0, "POST /echo/hello": 0.2 * 3.0})
    assert slower[RELEASE] is None
    one = canary.faults_of("endpoint", medians, 0.5, 1)[CANDIDATE]
    assert one is not None and set(one.delay_ms) == {"POST /echo/hello"}
    sides = canary.faults_of("variance", medians, 0.5, 0)
    wide, usual = sides[CANDIDATE], sides[TWIN]
    assert wide is not None and usual is not None and wide.widest_ms == usual.widest_ms
    # The variance of the wait and of the service's own body: 2 x (1 + 0.25).
    assert wide.jitter_ms**2 + 0.25 == pytest.approx(2 * (usual.jitter_ms**2 + 0.25))
    assert json.loads(wide.environment[VARIABLE])["errors"] == 0.0 and VARIABLE in MODULE
