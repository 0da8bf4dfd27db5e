"""The benchmarks still work, and tell when a limit is not kept; how fast it is, they say themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import reports
from benchmarks.large_report import large_report
from pipeline.core.stage import Examination
from pipeline.core.verdict import conclude
from pipeline.reporters import FORMATS


def row(findings: int, seconds: float, mib: float = 100.0) -> dict[str, Any]:
    """A measurement."""
    shown = {
        "findings": findings,
        "files": findings // 10,
        "seconds": seconds,
        "busy": seconds,
        "mib": mib,
        "bytes": 2**20,
    }
    return {**shown, "formats": {"json": seconds}}


def test_a_size_is_measured_in_a_process_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert reports.main(["--sizes", "100", "--runs", "1"]) == 0
    said = capsys.readouterr().out
    assert "100 findings:" in said
    assert all(f"| {name} |" in said for name in FORMATS)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row(10_000, 2.1)], ["take 2.10 s, and may take 2 s"]),
        ([row(10_000, 1.0, 301.0)], ["take 301 MiB"]),
        ([row(10_000, 1.0), row(100_000, 14.0)], ["take 1.40 times as long for each"]),
        ([row(10_000, 2.0), row(100_000, 20.0)], []),
        ([row(100, 50.0)], []),
    ],
)
def test_a_limit_that_is_not_kept_is_told(rows: list[dict[str, Any]], words: list[str]) -> None:
    told = reports.faults(rows)
    assert len(told) == len(words)
    assert all(word in sentence for word, sentence in zip(words, told, strict=True))


def test_results_and_table_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- reports -->\nold\n<!-- /reports -->\nafter\n", encoding="utf-8")
    monkeypatch.setattr(reports, "README", readme)
    monkeypatch.setattr(reports, "RESULTS", tmp_path / "results/reports.json")
    monkeypatch.setattr(reports, "medians", lambda findings, runs: row(findings, 1.5))
    assert reports.main(["--sizes", "10000", "--write"]) == 0
    text = readme.read_text(encoding="utf-8")
    assert "| 10,000 | 1,000 | 1.50 | 0.150 | 100 | 1.0 |" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert json.loads((tmp_path / "results/reports.json").read_text(encoding="utf-8"))["rows"][0]["seconds"] == 1.5


def test_the_report_is_as_a_run_would_make_it() -> None:
    report = large_report(1000)
    findings = [finding for result in report.results for finding in result.findings]
    assert (len(findings), len({finding.path for finding in findings})) == (1000, 100)
    assert len({finding.id for finding in findings}) == 1000
    for result in report.results:
        assert result.evidence is not None
        examination = Examination(evidence=result.evidence, gates=result.gates)
        assert conclude(examination) == (result.status, result.reasons)
