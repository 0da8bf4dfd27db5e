"""What a change to the service costs in the build: against the whole image, in pairs, step by step.

Measured is from the engine's first step of the recipe to the image in the engine and its blobs on the disk: the recipe,
the export, putting together, compressing, loading. The inputs are fetched before, and the checks are not part of it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.machine import about
from pipeline.core.containers import BuildRequest, ContainerEngine
from pipeline.stages.build_context import write_context
from pipeline.stages.build_plan import Prepared, prepared
from pipeline.stages.context import Context
from pipeline.stages.image_assembly import Plan, assemble
from pipeline.workplace import Workplace

ROOT = Path(__file__).parents[1]
TAG = "pipeline-benchmark/rebuild:measured"
STEPS = ("recipe", "export", "load")
_SIDES = ("service only", "whole")

T = TypeVar("T")


@dataclass(slots=True)
class Watched:
    """An engine, and the seconds that each of the three long calls took; it is handed over in the engine's place."""

    engine: ContainerEngine
    seconds: dict[str, float] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def build(self, request: BuildRequest) -> tuple[str, str]:
        """The recipe."""
        return self._timed("recipe", lambda: self.engine.build(request))

    def export(self, reference: str, target: Path) -> None:
        """The image out of the engine."""
        self._timed("export", lambda: self.engine.export(reference, target))

    def load(self, archive: Path) -> None:
        """The image into the engine; a second archive, if the first is refused, counts too."""
        self._timed("load", lambda: self.engine.load(archive))

    def _timed(self, step: str, call: Callable[[], T]) -> T:
        started = time.perf_counter()
        try:
            return call()
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - started


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebuild", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="builds of each kind (default 5)")
    parser.add_argument("--service-only", action="store_true", help="leave the whole builds out")
    options = parser.parse_args(arguments)
    print(json.dumps(about()), flush=True)
    with _ready() as (context, ready), tempfile.TemporaryDirectory() as folder:
        sides: dict[str, list[dict[str, float]]] = {name: [] for name in _SIDES[: 1 if options.service_only else None]}
        # The first fills the caches that both kinds may use, and is not counted.
        _rebuilt(context, ready, Path(folder), whole=False)
        for _ in range(options.runs):
            for name, found in sides.items():
                found.append(_rebuilt(context, ready, Path(folder), whole=name == "whole"))
                print(json.dumps({"build": name, **found[-1]}), flush=True)
    print("\n" + table(sides))
    return 0


def table(sides: Mapping[str, list[dict[str, float]]]) -> str:
    """The medians in seconds; ``rest`` is putting together and compressing, beside which the engine loads."""
    columns = (*STEPS, "rest", "all")
    lines = [f"| build | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    for name, found in sides.items():
        figures = (statistics.median(run[column] for run in found) for column in columns)
        lines.append(f"| {name} | {' | '.join(f'{figure:.2f}' for figure in figures)} |")
    return "\n".join(lines)


@contextmanager
def _ready() -> Iterator[tuple[Context, Prepared]]:
    """This checkout, with the inputs of its image fetched."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Workplace(ROOT, os.environ, f"{os.getpid()}-rebuild")
        place.lock.acquire()
        try:
            snapshot = place.checkout.snapshot()
            tree = place.lay_out(snapshot, alone=True)
            context = place.context("build", snapshot, tree, scratch=Path(scratch), results={}, arguments=())
            yield context, prepared(context, context.ports.engine())
        finally:
            place.close()


def _rebuilt(context: Context, ready: Prepared, folder: Path, *, whole: bool) -> dict[str, float]:
    """Build the image once with a line added to the service that no build had before."""
    tree, blobs = folder / "tree", folder / ("blobs-of-none" if whole else "blobs")
    for entry in ready.context:
        (tree / entry.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(context.tree / entry.path, tree / entry.path, follow_symlinks=False)
    changed = next(entry.path for entry in ready.sources if entry.path.endswith(".py"))
    with (tree / changed).open("a", encoding="utf-8") as file:
        file.write(f"# {time.time_ns()}\n")
    context_tar = folder / "context.tar"
    write_context(context_tar, tree, ready.context, ready.wheels)
    request = replace(ready.plan.request, context=context_tar, tag=TAG, use_cache=not whole)
    engine = Watched(context.ports.engine())
    return _clocked(replace(ready.plan, request=request), engine, folder, blobs)


def _clocked(plan: Plan, engine: Watched, folder: Path, blobs: Path) -> dict[str, float]:
    started = time.perf_counter()
    try:
        assemble(plan, engine, scratch=folder, blobs=blobs, say=lambda _: None)
        spent = time.perf_counter() - started
    finally:
        engine.engine.untag(TAG)
    if blobs.name != "blobs":
        shutil.rmtree(blobs)
    seconds = {step: round(engine.seconds.get(step, 0.0), 3) for step in STEPS}
    rest = max(0.0, spent - seconds["recipe"] - seconds["export"])
    return {**seconds, "rest": round(rest, 3), "all": round(spent, 3)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
