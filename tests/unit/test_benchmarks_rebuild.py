"""The table of the rebuild benchmark, and the clock that it puts around an engine."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rebuild import Watched, table
from pipeline.testing import FakeEngine


def test_the_table_has_the_median_of_each_step() -> None:
    runs = [{"recipe": n, "export": 0.2, "load": 0.1, "rest": 0.3, "all": n + 0.5} for n in (0.9, 0.4, 0.5)]
    assert table({"service only": runs}).splitlines() == [
        "| build | recipe | export | load | rest | all |",
        "|---|---:|---:|---:|---:|---:|",
        "| service only | 0.50 | 0.20 | 0.10 | 0.30 | 1.00 |",
    ]


def test_a_watched_engine_does_what_it_is_asked_and_is_clocked(tmp_path: Path) -> None:
    engine = FakeEngine(archive=b"archive")
    watched = Watched(engine)
    watched.export("sample", tmp_path / "out.tar")
    watched.load(tmp_path / "out.tar")
    watched.load(tmp_path / "out.tar")
    assert (tmp_path / "out.tar").read_bytes() == b"archive"
    assert engine.asked == [tmp_path / "out.tar"] * 2
    assert watched.seconds.keys() == {"export", "load"}
    assert watched.image("sample") is None
