"""What the positive controls cost: seconds in each stage, and their share of a whole run in this checkout.

    .pipeline/venv/bin/python -m benchmarks.controls [STAGE ...]

Every stage runs for real, none is reused. The functions that carry a control out are wrapped with a clock, from
outside, so that what is measured is what a run does. pylint's is not among them: it is a part of the process that lints
the files.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline import run_command
from pipeline.project_stages import project_stages
from pipeline.stages import audit, build, canary_comparison, hardening, lint, push, scan, secrets, smoke, test
from pipeline.workplace import Workplace

CONTROLS: tuple[tuple[str, Any, str], ...] = (
    ("lint", lint, "_ruff_control"),
    ("scan", scan, "_control"),
    ("secrets", secrets, "_controls"),
    ("audit", audit, "_control"),
    ("test", test, "_control"),
    ("build", build, "controls"),
    ("smoke", hardening, "control"),
    ("smoke", smoke, "_log_control"),
    ("smoke", smoke, "_unknown_path"),
    ("smoke", smoke, "notices_silence"),
    ("canary", canary_comparison, "comparison_controls"),
    ("push", push, "_corrupted"),
)
"""Stage, module and function of each control; a name that is no longer there ends the measurement with an error."""


def timed(call: Callable[..., Any], stage: str, spent: dict[str, float]) -> Callable[..., Any]:
    """The same function, whose seconds are added to the stage's."""

    @functools.wraps(call)
    def measured(*arguments: Any, **named: Any) -> Any:
        began = time.monotonic()
        try:
            return call(*arguments, **named)
        finally:
            spent[stage] += time.monotonic() - began

    return measured


def main(selected: Sequence[str]) -> int:
    """Run the stages (none: all), print a table, and exit by the verdict."""
    spent: dict[str, float] = dict.fromkeys((stage for stage, _, _ in CONTROLS), 0.0)
    for stage, module, name in CONTROLS:
        setattr(module, name, timed(getattr(module, name), stage, spent))
    root = Path.cwd()
    extra, run_id = project_stages(root), f"controls-{os.getpid()}"
    place = Workplace(root, os.environ, run_id, extra_stages=tuple(stage.name for stage in extra))
    code = run_command.carry_out(place, run_id, extra, selected, ())
    report = json.loads((root / "reports" / "pipeline.json").read_text(encoding="utf-8"))
    whole = 0.0
    print("| stage | whole, s | controls, s |\n|---|---|---|")
    for stage in report["stages"]:
        if stage["started"] and not stage["cached"]:
            whole += stage["duration_s"]
            print(f"| {stage['name']} | {stage['duration_s']:.2f} | {spent.get(stage['name'], 0.0):.2f} |")
    total = sum(spent.values())
    print(f"| all | {whole:.2f} | {total:.2f}, {total / whole:.1%} |")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
