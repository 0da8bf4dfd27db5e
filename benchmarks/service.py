"""What the service's hooks cost, which worker serves best, how long a start takes: ``python -m benchmarks.service``.

In one container after the other, of the same image and under the same limits, the echo endpoint and a bare Flask
application that says hello, with the same server settings, are asked by wrk (Debian's package) from this machine. What
is told are medians of paired runs. ``--image`` names the service's image, as ``pipeline run build`` leaves it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import about, median
from benchmarks.service_container import LIMITS, asked, container, processor_seconds
from benchmarks.tables import renew

RESULTS = Path(__file__).parent / "results/service.json"
PAGE = Path(__file__).parents[1] / "docs/performance.md"
GOAL = 0.9
HELLO = """from flask import Flask

APP = Flask(__name__)


@APP.post("/echo/<string:item>")
@APP.get("/healthz")
def hello(item: str = "") -> dict[str, str]:
    return {"msg": "hello"}
"""
SCRIPT = 'wrk.method = "POST"\nwrk.body = ""\n'
SERVICE, BARE = "service.app:APP", "hello:APP"
# Workers and threads of the configured kind, which is gthread with a limit on slow clients, and the sync worker.
SHAPES = ((1, 1), (1, 2), (1, 4), (1, 8), (2, 1), (2, 2), (2, 4), (2, 8), (4, 1), (4, 2), (4, 4))
KINDS: dict[str, tuple[str, ...]] = {
    **{f"gthread {n} x {t}": ("--workers", str(n), "--threads", str(t)) for n, t in SHAPES},
    **{f"sync {n}": ("--worker-class", "sync", "--workers", str(n), "--threads", "1") for n in (1, 2, 4)},
}

Side = tuple[str, str, Sequence[str]]
Rows = dict[str, dict[str, float]]


class Bench:
    """Where the sides of a comparison are measured in turn: ``folder`` holds what containers and wrk are given."""

    def __init__(self, folder: Path, network: str | None) -> None:
        self._folder = folder
        self._extra = ("--network", network) if network else ()
        # The container's user is another one.
        folder.chmod(0o755)
        (folder / "hello.py").write_text(HELLO, encoding="utf-8")
        (folder / "post.lua").write_text(SCRIPT, encoding="utf-8")

    def loads(self, sides: Mapping[str, Side], runs: int, seconds: int) -> dict[str, list[dict[str, float]]]:
        """So many runs of each side in turn, after a second that does not count."""
        found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        for _ in range(runs):
            for name, (image, application, options) in sides.items():
                with container(image, application, options, self._folder, self._extra) as (address, _):
                    asked(address, self._folder / "post.lua", 1)
                    found[name].append(asked(address, self._folder / "post.lua", seconds))
        return found

    def starts(self, sides: Mapping[str, Side], runs: int) -> Rows:
        """The seconds from ``docker run`` to each step of a start, medians."""
        found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        for _ in range(runs):
            for name, (image, application, options) in sides.items():
                with container(image, application, options, self._folder, self._extra) as (_, steps):
                    found[name].append({**steps, "processor time used until then": processor_seconds()})
        return {name: medians(those) for name, those in found.items()}


def medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each figure its median."""
    return {key: median([row[key] for row in rows]) for key in rows[0]}


def compared(found: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Each side's figures, and its share of the bare application's throughput: the median of the shares of each run.

    Raises ValueError when a request failed: throughput of errors says nothing.
    """
    rows: dict[str, Any] = {name: medians(those) for name, those in found.items()}
    for name, those in found.items():
        if any(one["errors"] for one in those):
            raise ValueError(f"requests of {name} failed: {those}")
        pairs = zip(those, found["bare hello"], strict=True)
        rows[name]["share"] = median([one["rate"] / other["rate"] for one, other in pairs])
    return rows


def table(document: Mapping[str, Any]) -> list[str]:
    """The lines of the documentation."""
    machine = document["machine"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, kernel {machine['kernel']}, load {machine['load']} at the "
        f"start; `{document['limits']}`; medians of {document['runs']} paired runs.",
        "",
        "| side | requests/s | share | p99, ms | processor time a request, µs |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, row in document["compared"].items():
        lines.append(
            f"| {name} | {row['rate']:,.0f} | {row['share']:.1%} | {row['p99_ms']:.1f} | {row['cpu_us']:.0f} |"
        )
    lines += ["", "| seconds from `docker run` to | " + " | ".join(document["starts"]) + " |"]
    lines.append("|---|" + "---:|" * len(document["starts"]))
    for step in next(iter(document["starts"].values())):
        lines.append(f"| {step} | " + " | ".join(f"{row[step]:.2f}" for row in document["starts"].values()) + " |")
    if "workers" in document:
        lines += ["", "| workers x threads | requests/s | p99, ms | processor time a request, µs | failed |"]
        lines.append("|---|---:|---:|---:|---:|")
        for name, row in document["workers"].items():
            lines.append(
                f"| {name} | {row['rate']:,.0f} | {row['p99_ms']:.1f} | {row['cpu_us']:.0f} | {row['errors']:.0f} |"
            )
    return lines


def main(arguments: list[str]) -> int:
    """The command; returns 1 when the hooks cost more than a tenth."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("--image", required=True, help="the service's image, by name or id")
    parser.add_argument("--against", metavar="IMAGE", help="an earlier image of the service, measured beside it")
    parser.add_argument("--runs", type=int, default=5, help="paired runs (default 5)")
    parser.add_argument("--seconds", type=int, default=5, help="how long wrk asks each time (default 5)")
    parser.add_argument("--starts", type=int, default=10, help="starts of each image (default 10)")
    parser.add_argument("--workers", action="store_true", help="compare kinds and numbers of workers too")
    parser.add_argument("--network", help="the containers' network, where the engine has no usable bridge")
    parser.add_argument("--write", action="store_true", help="renew the committed results and the table of the page")
    options = parser.parse_args(arguments)
    images: dict[str, Side] = {"echo, all hooks": (options.image, SERVICE, ())}
    if options.against:
        images["echo, before"] = (options.against, SERVICE, ())
    document: dict[str, Any] = {"machine": about(), "limits": " ".join(LIMITS), "runs": options.runs}
    with tempfile.TemporaryDirectory() as text:
        bench = Bench(Path(text), options.network)
        sides: dict[str, Side] = {"bare hello": (options.image, BARE, ()), **images}
        document["compared"] = compared(bench.loads(sides, options.runs, options.seconds))
        document["starts"] = bench.starts(images, options.starts)
        if options.workers:
            kinds = {name: (options.image, SERVICE, kind) for name, kind in KINDS.items()}
            found = bench.loads(kinds, 2, min(2, options.seconds))
            document["workers"] = {name: medians(those) for name, those in found.items()}
    print(*table(document), sep="\n")
    if options.write:
        RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        renew(PAGE, "service", table(document))
    return 0 if document["compared"]["echo, all hooks"]["share"] >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
