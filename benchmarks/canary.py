"""How often the canary is right, with real containers: equal candidates, and four faults that it promises to see.

``python -m benchmarks.canary`` measures 300 equal candidates and 100 of each fault, each with three fresh containers,
and goes on where it was stopped: a line of the results is one run. ``--report`` prints the table of what is there.
Nothing else should run on the machine meanwhile; what does is noise that the canary must, and will, call inconclusive.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.canary_faults import Fault, build_faulty
from benchmarks.intervals import shown
from benchmarks.tables import CANARY, renew
from pipeline import interrupts
from pipeline.core.canary_judge import CANDIDATE, RELEASE, SIDES, TWIN
from pipeline.core.canary_observed import EVERYWHERE, observe
from pipeline.core.canary_resources import WHERE
from pipeline.core.containers import Container, ContainerRequest
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination
from pipeline.core.statistics import quantile
from pipeline.core.traffic import Sample, TrafficPlan, TrafficSource
from pipeline.core.verdict import conclude
from pipeline.stages.canary_comparison import compared
from pipeline.stages.canary_containers import role_of, serving_all
from pipeline.stages.canary_measurement import measure
from pipeline.stages.context import Context
from pipeline.stages.service_container import container_request
from pipeline.workplace import Workplace

RESULTS = Path(__file__).parent / "results" / "canary.jsonl"
ENDPOINTS = ("GET /", "POST /echo/hello?lang=en", "GET /healthz", "GET /readyz", "GET /openapi.json")
EQUAL, FAULTS = "equal", ("slower", "errors", "endpoint", "variance")
TITLES = {
    EQUAL: "equal (the same image)",
    "slower": "20 % slower everywhere",
    "errors": "1 % errors",
    "endpoint": "one endpoint of five 20 % slower",
    "variance": "twice the variance, the same median",
}
_SLOWER, _ERRORS = 0.2, 0.01
_JITTER_MS = 2.0
"""Well above the service's own 0.5 to 1.2 ms: these change from hour to hour, and beside a jitter of 1 ms what was
planted as twice the variance could be 1.5 times by the time of the run."""

_CONSISTENT = 1.4826  # from the median absolute deviation to a standard deviation


class Watched:
    """The generator, and what it costs: seconds of processor time of this process, and of the clock."""

    def __init__(self, traffic: TrafficSource) -> None:
        self._traffic = traffic
        self.cpu_s = self.seconds = 0.0
        self.requests = 0

    def send(self, plan: TrafficPlan, targets: Mapping[str, str], *, each_s: float, all_s: float) -> tuple[Sample, ...]:
        """As the generator does."""
        cpu, clock = time.process_time(), time.monotonic()
        samples = self._traffic.send(plan, targets, each_s=each_s, all_s=all_s)
        self.cpu_s += time.process_time() - cpu
        self.seconds += time.monotonic() - clock
        self.requests += len(samples)
        return samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The images, and what stages are given in this checkout."""

    context: Context
    image: str
    faulty: str

    def request(self, side: str, fault: Fault | None) -> ContainerRequest:
        """For a fresh container; with a fault, of the image that has one."""
        request = container_request(self.context, self.faulty if fault else self.image, role_of(side))
        return request if fault is None else replace(request, environment={**request.environment, **fault.environment})

    def running(self, faults: Mapping[str, Fault | None]) -> contextlib.AbstractContextManager[dict[str, Container]]:
        """A fresh container of each side, started and removed as the stage does it."""
        return serving_all(self.context, {side: self.request(side, fault) for side, fault in faults.items()})

    def calibrated(self) -> tuple[dict[str, float], float]:
        """The release's median latency by endpoint, and the standard deviation of its body, in ms."""
        settings = replace(self.context.settings.canary, requests=300, rate=200.0)
        context = replace(self.context, settings=replace(self.context.settings, canary=settings))
        with self.running({RELEASE: None}) as containers:
            targets = {RELEASE: containers[RELEASE].base_url}
            samples = measure(context, targets, lambda done: True, rounds=1).samples
        seen = observe(samples, RELEASE, {})
        medians = {name: quantile(one.latencies_ms, 0.5) for name, one in seen.items()}
        away = [abs(ms - medians[name]) for name, one in seen.items() for ms in one.latencies_ms]
        return medians, _CONSISTENT * quantile(away, 0.5)


def faults_of(case: str, medians: Mapping[str, float], body_ms: float, number: int) -> dict[str, Fault | None]:
    """What each side has, by case: delays in proportion to what the release takes on this machine at this time."""
    sides: dict[str, Fault | None] = dict.fromkeys(SIDES)
    # The application knows a path without its query.
    delays = {name.partition("?")[0]: _SLOWER * ms for name, ms in medians.items()}
    if case == "slower":
        sides[CANDIDATE] = Fault(delay_ms=delays)
    elif case == "errors":
        sides[CANDIDATE] = Fault(errors=_ERRORS)
    elif case == "endpoint":
        slow = sorted(delays)[number % len(delays)]
        sides[CANDIDATE] = Fault(delay_ms={slow: delays[slow]})
    elif case == "variance":
        # Both sides wait around the same time; all the variance of the candidate, its body's included, is doubled.
        wide = (2 * _JITTER_MS**2 + body_ms**2) ** 0.5
        sides[RELEASE] = sides[TWIN] = Fault(jitter_ms=_JITTER_MS, widest_ms=wide)
        sides[CANDIDATE] = Fault(jitter_ms=wide, widest_ms=wide)
    return sides


def one_run(bench: Bench, case: str, number: int, calibration: tuple[dict[str, float], float]) -> dict[str, Any]:
    """Start, measure, judge, remove; what came of it."""
    began, load = time.monotonic(), os.getloadavg()[0]
    traffic = Watched(bench.context.ports.traffic)
    ports = replace(bench.context.ports, traffic=traffic)
    seeded = _seeded(bench.context.snapshot, case, number)
    with bench.running(faults_of(case, *calibration, number)) as containers:
        examination = compared(replace(bench.context, snapshot=seeded, ports=ports), containers)
    status, reasons = conclude(examination)
    metrics = examination.metrics
    return {
        "case": case,
        "number": number,
        "status": str(status),
        "noisy": any("too noisy" in reason or "too busy" in reason for reason in reasons),
        "reasons": [reason[:300] for reason in reasons[:3]],
        "looks": metrics["rounds"],
        "score": metrics["score"],
        "late_share": metrics["late_share"],
        "service": _used(examination),
        "variance_found": _variance_found(examination),
        "generator_cpu_ms": round(1000 * traffic.cpu_s / max(traffic.requests, 1), 3),
        "traffic_s": round(traffic.seconds, 1),
        "p50_ms": [metrics.get(f"{side.replace(' ', '_')}_p50_ms") for side in SIDES],
        "seconds": round(time.monotonic() - began, 1),
        "load_before": round(load, 2),
    }


def table(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What was measured, as a table in Markdown."""
    yield "| case | runs | fail, % | pass, % | inconclusive, % | of these noisy | ended at look 1 / 2 / 3, % |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for case in (EQUAL, *FAULTS):
        mine = [line for line in lines if line["case"] == case]
        if mine:
            statuses = Counter(line["status"] for line in mine)
            looks = Counter(line["looks"] for line in mine)
            rates = " | ".join(
                shown(statuses[s], len(mine)).replace(" %", "") for s in ("fail", "pass", "inconclusive")
            )
            ended = " / ".join(f"{100 * looks[number] / len(mine):.0f}" for number in (1, 2, 3))
            noisy = sum(line["noisy"] for line in mine)
            yield f"| {TITLES[case]} | {len(mine)} | {rates} | {noisy} | {ended} |"


def main(arguments: Sequence[str]) -> int:
    """Measure what is missing in the results, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canary", description=__doc__)
    parser.add_argument("--equal", type=int, default=300, help="runs of an equal candidate")
    parser.add_argument("--runs", type=int, default=100, help="runs of each fault")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no run after so many")
    parser.add_argument("--image", default="", help="the echo service's image; default: that of the last build")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--write", action="store_true", help="renew the table in docs/canary.md")
    options = parser.parse_args(arguments)
    lines = _read(options.results)
    done = {(line["case"], line["number"]) for line in lines}
    wanted = {EQUAL: options.equal, **dict.fromkeys(FAULTS, options.runs)}
    jobs = [(case, number) for case, count in wanted.items() for number in range(count)]
    # In an order of chance, so that the machine's moods meet all cases alike, and a part of it says something of all.
    random.Random(7).shuffle(jobs)
    missing = [job for job in jobs if job not in done]
    if missing and not options.report:
        _measure(missing, options, lines)
    print(*table(lines), sep="\n")
    if options.write:
        renew(CANARY, "containers", table(lines))
    return 0


def _measure(missing: Sequence[tuple[str, int]], options: argparse.Namespace, lines: list[dict[str, Any]]) -> None:
    # A benchmark that is stopped removes its containers.
    interrupts.as_keyboard_interrupt()
    until = time.monotonic() + 60 * options.minutes
    with _bench(options.image) as bench, options.results.open("a", encoding="utf-8") as file:
        calibration = bench.calibrated()
        for index, (case, number) in enumerate(missing, start=1):
            if time.monotonic() > until:
                break
            if index % 25 == 0:
                calibration = bench.calibrated()
            line = one_run(bench, case, number, calibration)
            file.write(json.dumps(line) + "\n")
            file.flush()
            lines.append(line)
            print(
                f"{index}/{len(missing)} {case}: {line['status']} in {line['seconds']} s", file=sys.stderr, flush=True
            )


@contextlib.contextmanager
def _bench(image: str) -> Iterator[Bench]:
    root = Path.cwd()
    place = Workplace(root, os.environ, f"benchmark-{os.getpid()}")
    place.scratch.mkdir(parents=True, exist_ok=True)
    settings = replace(place.settings, canary=replace(place.settings.canary, paths=ENDPOINTS))
    try:
        with tempfile.TemporaryDirectory(dir=place.scratch) as scratch:
            context = place.context(
                "canary", place.checkout.snapshot(), root, scratch=Path(scratch), results={}, arguments=()
            )
            quiet = replace(context, settings=settings, keeper=lambda name, text: Path(scratch) / name)
            built = image or _last_build(root)
            yield Bench(context=quiet, image=built, faulty=build_faulty(built))
    finally:
        place.close()


def _used(examination: Examination) -> dict[str, Mapping[str, float]]:
    """Processor time a request in ms and memory in MB, of each side."""
    checks = examination.details["canary"]["checks"]
    return {check["metric"]: check["numbers"] for check in checks if check["endpoint"] == WHERE}


def _variance_found(examination: Examination) -> float | None:
    """How many times the release's variance the candidate's was over all endpoints, by the judge."""
    for check in examination.details["canary"]["checks"]:
        if check["metric"] == "latency variance" and check["endpoint"] == EVERYWHERE:
            return round(1 + float(check["numbers"]["effect"]), 3)
    return None


def _seeded(snapshot: Snapshot, case: str, number: int) -> Snapshot:
    """A snapshot with another digest, since that is the seed of the plan."""
    first = snapshot.entries[0]
    mark = hashlib.sha256(f"{case}/{number}".encode()).hexdigest()
    return replace(snapshot, entries=(replace(first, digest=mark), *snapshot.entries[1:]))


def _last_build(root: Path) -> str:
    report = json.loads((root / "reports" / "stages" / "build" / "result.json").read_text(encoding="utf-8"))
    return str(report["metrics"]["image_id"])


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    # A run that was killed may have left half a line at the end.
    texts = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(text) for text in texts if text.endswith("\n")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
