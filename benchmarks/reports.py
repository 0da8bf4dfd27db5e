"""How long all reports of a run take, and how much memory, by the number of findings: ``python -m benchmarks.reports``.

Each measurement is a process of its own, so that none profits from what another has loaded; what is told of several is
their median. A report is made up first, which is not measured; then every format is rendered and written to disk, as a
run does it.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.large_report import large_report
from pipeline.execution.store import ResultStore
from pipeline.reporters import FORMATS, json_reading, json_report

HERE = Path(__file__).parent
RESULTS = HERE / "results/reports.json"
README = HERE / "README.md"
SIZES = (1_000, 10_000, 30_000, 100_000)
MOST_SECONDS = 2.0
MOST_MIB = 300.0
"""The limits for 10,000 findings."""
MARKED = 10_000
LINEAR = 1.3
"""By how much a finding among the most may cost more than one among 10,000: no measurement is a straight line."""
_TABLE = re.compile(r"(<!-- reports -->\n).*?(<!-- /reports -->)", re.S)


def measured(findings: int) -> dict[str, Any]:
    """One measurement in this process: seconds by format, in all, and the peak of resident memory in MiB."""
    report = large_report(findings)
    before = _peak()
    seconds: dict[str, float] = {}
    size = 0
    busy = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        store = ResultStore(
            Path(folder), Path(folder), encode=json_report.render_stage, decode=json_reading.parse_stage
        )
        for name, form in FORMATS.items():
            started = time.perf_counter()
            files = form.files(report)
            store.put(files, form.globs)
            seconds[name] = time.perf_counter() - started
            size += sum(len(text.encode()) for text in files.values())
    return {
        "formats": seconds,
        "seconds": sum(seconds.values()),
        "busy": time.process_time() - busy,
        "mib": _peak(),
        "before": before,
        "bytes": size,
    }


def medians(findings: int, runs: int) -> dict[str, Any]:
    """The medians of several measurements, each in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.reports", "--child", str(findings)]
    found = [
        json.loads(subprocess.run(command, cwd=HERE.parent, check=True, capture_output=True, text=True).stdout)
        for _ in range(runs)
    ]
    middle = {
        name: statistics.median(one[name] for one in found) for name in ("seconds", "busy", "mib", "before", "bytes")
    }
    formats = {name: statistics.median(one["formats"][name] for one in found) for name in found[0]["formats"]}
    return {"findings": findings, "files": findings // 10, **middle, "formats": formats}


def faults(rows: list[dict[str, Any]]) -> list[str]:
    """What is slower or larger than it may be, each as a full sentence."""
    by_size = {row["findings"]: row for row in rows}
    told = []
    marked = by_size.get(MARKED)
    if marked and marked["seconds"] > MOST_SECONDS:
        told.append(f"{MARKED} findings take {marked['seconds']:.2f} s, and may take {MOST_SECONDS:.0f} s.")
    if marked and marked["mib"] > MOST_MIB:
        told.append(f"{MARKED} findings take {marked['mib']:.0f} MiB, and may take {MOST_MIB:.0f} MiB.")
    largest = by_size[max(by_size)]
    if marked and largest is not marked:
        factor = largest["seconds"] / marked["seconds"] / (largest["findings"] / MARKED)
        if factor > LINEAR:
            told.append(f"{largest['findings']} findings take {factor:.2f} times as long for each as {MARKED} do.")
    return told


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [
        "| findings | files | seconds | ms a finding | peak memory, MiB | written, MiB |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        each = 1000 * row["seconds"] / row["findings"]
        lines.append(
            f"| {row['findings']:,} | {row['files']:,} | {row['seconds']:.2f} | {each:.3f} | {row['mib']:.0f} |"
            f" {row['bytes'] / 2**20:.1f} |"
        )
    marked = next((row for row in rows if row["findings"] == MARKED), rows[-1])
    lines += ["", f"Of the {marked['findings']:,}, in milliseconds by format:", "", "| format | ms |", "|---|---:|"]
    lines += [f"| {name} | {1000 * seconds:.0f} |" for name, seconds in marked["formats"].items()]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """The command; returns 1 when a limit is not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reports", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="numbers of findings")
    parser.add_argument("--runs", type=int, default=3, help="measurements of each size (default 3)")
    parser.add_argument("--write", action="store_true", help="write the results and the table beside this file")
    parser.add_argument("--child", type=int, metavar="N", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        json.dump(measured(options.child), sys.stdout)
        return 0
    rows = []
    for size in options.sizes:
        rows.append(medians(size, options.runs))
        seconds, busy, mib = (rows[-1][name] for name in ("seconds", "busy", "mib"))
        print(f"{size:>7} findings: {seconds:6.2f} s ({busy:.2f} s busy), {mib:5.0f} MiB", flush=True)
    if options.write:
        RESULTS.parent.mkdir(exist_ok=True)
        about = {"python": platform.python_version(), "runs": options.runs, "rows": rows}
        RESULTS.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        text = README.read_text(encoding="utf-8")
        README.write_text(_TABLE.sub(lambda m: m.group(1) + table(rows) + m.group(2), text), encoding="utf-8")
    else:
        print("\n" + table(rows))
    told = faults(rows)
    for sentence in told:
        print(sentence)
    return 1 if told else 0


def _peak() -> float:
    """The most memory that this process has held so far, in MiB; Linux counts it in KiB (getrusage(2))."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
