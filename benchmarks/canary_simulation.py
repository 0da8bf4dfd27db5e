"""How often the canary judge is right, on made-up traffic: the very judge, 10,000 draws of each case, heavy tails.

``python -m benchmarks.canary_simulation`` goes on where it was stopped: each line of the results holds a hundred draws,
which their seeds repeat exactly. ``--report`` prints the table of what is there.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.intervals import shown
from benchmarks.tables import CANARY, renew
from pipeline.core.canary_judge import CANDIDATE, SIDES, Comparison, Observed, Outcome, Side, judge

RESULTS = Path(__file__).parent / "results" / "canary_simulation.jsonl"
CHUNK = 100
DRAWS = 10_000
RULES = Comparison(answers="off")
REQUESTS = 640
"""To each side in a look, the pipeline's own default."""

MEDIANS = (1.2, 1.4, 1.5, 2.0, 3.0)
"""Of the five endpoints, in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is wrong with the candidate: a factor on the latency, at one endpoint alone or at all; the share of errors;
    a factor on the variance.
    """

    title: str
    factor: float = 1.0
    only: bool = False
    errors: float = 0.0
    variance: float = 1.0


CASES: Mapping[str, Case] = {
    "equal": Case(title="equal"),
    "slower": Case(title="20 % slower", factor=1.2),
    "errors": Case(title="1 % errors", errors=0.01),
    "endpoint": Case(title="one endpoint of five 20 % slower", factor=1.2, only=True),
    "variance": Case(title="twice the variance, the same median", variance=2.0),
}


def look(chance: random.Random, case: Case, effects: Mapping[str, float], slow: int) -> dict[str, Side]:
    """The samples of one look: what a block of three requests meets on the machine, all three meet.

    The body of the latencies is lognormal; one in twenty is stretched by a Pareto distribution whose variance is
    barely finite. The machine's state is an autoregressive process, with bursts over it.
    """
    good: dict[str, list[list[float]]] = {side: [[] for _ in MEDIANS] for side in SIDES}
    errors = {side: [0] * len(MEDIANS) for side in SIDES}
    turns = [index % len(MEDIANS) for index in range(REQUESTS)]
    chance.shuffle(turns)
    state, burst = 0.0, 0
    for endpoint in turns:
        state = 0.95 * state + chance.gauss(0, 0.03)
        burst = burst - 1 if burst else (chance.randrange(20) if chance.random() < 0.004 else 0)
        machine = MEDIANS[endpoint] * math.exp(state) * (1.8 if burst else 1.0)
        for side in SIDES:
            shape = chance.lognormvariate(0, 0.3)
            if chance.random() < 0.05:
                shape *= chance.paretovariate(2.1)
            if side == CANDIDATE:
                if case.errors and chance.random() < case.errors:
                    errors[side][endpoint] += 1
                    continue
                if not case.only or endpoint == slow:
                    shape = case.factor * max(0.05, 1 + math.sqrt(case.variance) * (shape - 1))
            good[side][endpoint].append(machine * effects[side] * shape)
    return {
        side: {
            f"GET /{endpoint}": Observed(latencies_ms=tuple(good[side][endpoint]), errors=errors[side][endpoint])
            for endpoint in range(len(MEDIANS))
        }
        for side in SIDES
    }


def draw(name: str, number: int) -> tuple[Outcome, int, bool]:
    """One canary: its outcome, after how many looks, and whether the machine was called noisy in the last."""
    case, chance = CASES[name], random.Random(f"{name}/{number}")
    # No two containers of one image are quite alike.
    effects = {side: math.exp(chance.gauss(0, 0.015)) for side in SIDES}
    slow = chance.randrange(len(MEDIANS))
    seen: dict[str, Side] = {}
    for number_of_look in range(1, RULES.looks + 1):
        new = look(chance, case, effects, slow)
        seen = {side: _joined(seen.get(side, {}), new[side]) for side in SIDES}
        judgement = judge(seen, RULES, number_of_look)
        if judgement.outcome is not Outcome.UNSURE:
            break
    return judgement.outcome, number_of_look, bool(judgement.noisy)


def chunk(job: tuple[str, int]) -> dict[str, Any]:
    """A hundred draws, counted."""
    name, number = job
    outcomes: Counter[str] = Counter()
    looks: Counter[str] = Counter()
    for index in range(number * CHUNK, (number + 1) * CHUNK):
        outcome, taken, noisy = draw(name, index)
        outcomes[str(outcome)] += 1
        outcomes["noisy"] += noisy
        looks[str(taken)] += 1
    return {"case": name, "chunk": number, "outcomes": dict(outcomes), "looks": dict(looks)}


def table(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What was measured, as a table in Markdown."""
    yield "| case | draws | fail, % | pass, % | could not tell, % | ended at look 1 / 2 / 3, % |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, case in CASES.items():
        outcomes: Counter[str] = Counter()
        looks: Counter[str] = Counter()
        for line in lines:
            if line["case"] == name:
                outcomes.update(line["outcomes"])
                looks.update(line["looks"])
        draws = sum(looks.values())
        if draws:
            rates = " | ".join(shown(outcomes[kind], draws).replace(" %", "") for kind in map(str, _ORDER))
            ended = " / ".join(f"{100 * looks[str(number)] / draws:.0f}" for number in (1, 2, 3))
            yield f"| {case.title} | {draws:,} | {rates} | {ended} |"


def main(arguments: Sequence[str]) -> int:
    """Draw what is missing in the results, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canary_simulation", description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS, help="of each case")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--report", action="store_true", help="draw nothing")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--write", action="store_true", help="renew the table in docs/canary.md")
    options = parser.parse_args(arguments)
    lines = _read(options.results)
    done = {(line["case"], line["chunk"]) for line in lines}
    # Case by case within each chunk, so that a run that is stopped has seen them all alike.
    jobs = [(name, number) for number in range(-(-options.draws // CHUNK)) for name in CASES]
    missing = [job for job in jobs if job not in done]
    if missing and not options.report:
        with multiprocessing.Pool(options.workers) as pool, options.results.open("a", encoding="utf-8") as file:
            for line in pool.imap_unordered(chunk, missing):
                file.write(json.dumps(line) + "\n")
                file.flush()
                lines.append(line)
    print(*table(lines), sep="\n")
    if options.write:
        renew(CANARY, "simulation", table(lines))
    return 0


_ORDER = (Outcome.FAIL, Outcome.PASS, Outcome.UNSURE)


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    # A run that was killed may have left half a line at the end.
    texts = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(text) for text in texts if text.endswith("\n")]


def _joined(before: Side, new: Side) -> Side:
    return {
        name: Observed(
            latencies_ms=(*before[name].latencies_ms, *seen.latencies_ms) if name in before else seen.latencies_ms,
            errors=seen.errors + (before[name].errors if name in before else 0),
        )
        for name, seen in new.items()
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
