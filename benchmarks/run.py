"""What a run costs, against the same tools without the pipeline: ``python -m benchmarks.run``.

Each case is measured in pairs, one side after the other and again, and told as medians. The peers are plain.sh, and
plain.sh step by step under Nox with ``-R``. ``--write`` renews results/run.json and the table in docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.machine import about, median, paired, timed
from benchmarks.modules import modules, path_of
from benchmarks.project import ROOT, Project
from pipeline.execution.advisories import read_export
from pipeline.execution.osv_server import OsvServer
from pipeline.settings import STAGE_NAMES
from pipeline.stages.registry import pipeline_stages

RESULTS = ROOT / "benchmarks/results/run.json"
PAGE = ROOT / "docs/performance.md"
_TABLE = re.compile(r"(<!-- run -->\n).*?(<!-- /run -->)", re.S)
_SNAPSHOT = """
import os, time
from pathlib import Path
from pipeline.execution.checkout import Checkout
from pipeline.execution.processes import LocalProcesses
checkout = Checkout(Path.cwd(), LocalProcesses(os.environ))
started = time.perf_counter()
checkout.snapshot()
print(time.perf_counter() - started)
"""
Row = dict[str, Any]


def nothing_changed(project: Project, runs: int) -> Row:
    """Every stage's result is there already."""
    project.settle()
    found = paired(runs, {"ours": project.pipeline, "plain": project.plain, "nox": project.plain_nox})
    walls = {name: median([one.wall for one in those]) for name, those in found.items()}
    # Processor time, because it is our work: while the engine is asked, nobody works here.
    own = median([one.busy for one in found["ours"]]) / len(STAGE_NAMES)
    return {**walls, "own_s_a_stage": round(own, 4), "mib": median([one.mib for one in found["ours"]])}


def one_comment(project: Project, runs: int) -> Row:
    """A comment more in the service's own code."""
    project.settle()

    def ours() -> Any:
        project.edit()
        return project.pipeline()

    found = paired(runs, {"ours": ours, "plain": project.plain, "nox": project.plain_nox})
    return {name: median([one.wall for one in those]) for name, those in found.items()}


def everything_fresh(project: Project, runs: int) -> Row:
    """Nothing is reused, and every tool is installed."""
    paths: list[float] = []

    def ours() -> Any:
        ended = project.pipeline("--fresh")
        paths.append(critical_path({name: stage["duration_s"] for name, stage in project.stages().items()}))
        return ended

    found = paired(runs, {"ours": ours, "plain": project.plain, "nox": project.plain_nox})
    walls = {name: median([one.wall for one in those]) for name, those in found.items()}
    return {**walls, "critical_path": median(paths), "mib": median([one.mib for one in found["ours"]])}


def lint_alone(project: Project, runs: int) -> Row:
    """``nox -s lint``, nothing reused, against both tools by hand."""
    sides = {"ours": lambda: project.nox("-s", "lint"), "plain": lambda: project.plain("lint")}
    return {name: median([one.wall for one in those]) for name, those in paired(runs, sides).items()}


def fresh_machine(project: Project, runs: int) -> Row:
    """No environment and no result; packages are in the caches of uv and of the pipeline."""
    walls = []
    for _ in range(runs):
        for name in ("environments", "state", "snapshots", "tmp", "cache/results", "cache/files"):
            shutil.rmtree(project.folder / ".pipeline" / name, ignore_errors=True)
        walls.append(project.pipeline().wall)
    return {"ours": median(walls)}


def many_modules(folder: Path, environ: Mapping[str, str], runs: int, count: int) -> Row:
    """lint and scan of a repository of so many modules: all of them, and after a comment in one of them."""
    files = modules(count)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    settings = '[project]\nname = "modules"\nversion = "1"\n[tool.pipeline]\nservice = "app"\nsources = ["app"]\n'
    settings += '[tool.pipeline.test]\nrequirements = ["app/requirements.txt"]\n'
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    (folder / "app/requirements.txt").write_text("", encoding="utf-8")
    project = Project(folder, dict(environ)).committed()
    # The first run makes the environments, which is not what is measured, and leaves what the last ones rest on.
    project.pipeline("lint", "scan")
    whole = [project.pipeline("--fresh", "lint", "scan") for _ in range(max(1, runs // 3))]
    one = []
    for _ in range(runs):
        project.edit(path_of(count // 2))
        one.append(project.pipeline("lint", "scan"))
    hashing = [
        float(timed((sys.executable, "-c", _SNAPSHOT), cwd=folder, env=project.environ).said) for _ in range(runs)
    ]
    return {
        "whole": median([ended.wall for ended in whole]),
        "ours": median([ended.wall for ended in one]),
        "whole_busy": median([ended.busy for ended in whole]),
        "busy": median([ended.busy for ended in one]),
        "hashing": median(hashing),
        "mib": median([ended.mib for ended in one]),
        "modules": count,
    }


def imports(environ: Mapping[str, str], runs: int) -> Row:
    """What ``import pipeline`` adds to the start of Python."""
    codes = {"with": "import pipeline", "without": "pass", "cli": "import pipeline.cli"}
    sides = {name: partial(timed, (sys.executable, "-c", code), cwd=ROOT, env=environ) for name, code in codes.items()}
    found = {name: median([one.wall for one in those]) for name, those in paired(max(runs, 15), sides).items()}
    return {"ours": round(found["with"] - found["without"], 3), "cli": round(found["cli"] - found["without"], 3)}


def critical_path(seconds: Mapping[str, float]) -> float:
    """The longest way through the stages by their needs: what a run takes on as many cores as it likes."""
    ends: dict[str, float] = {}
    for stage in pipeline_stages(STAGE_NAMES):
        begun = max((ends[need] for need in stage.needs if need in ends), default=0.0)
        ends[stage.name] = begun + seconds.get(stage.name, 0.0)
    return max(ends.values())


def table(rows: Mapping[str, Row]) -> str:
    """The measured figures beside their goals."""
    lines = ["| case | goal | measured | plain script | Nox alone |", "|---|---|---:|---:|---:|"]
    for name, row in rows.items():
        goal, told = _GOALS[name]
        peers = (f"{row[peer]:.2f} s" if peer in row else "" for peer in ("plain", "nox"))
        lines.append(f"| {_TITLES[name]} | {goal} | {told(row)} | {' | '.join(peers)} |")
    return "\n".join(lines) + "\n"


def _against_plain(row: Row) -> str:
    more = f", critical path {row['critical_path']:.2f} s" if "critical_path" in row else ""
    return f"{row['ours']:.2f} s, {100 * row['ours'] / row['plain']:.1f} %{more}"


def _modules_told(row: Row) -> str:
    share = 100 * row["ours"] / row["whole"]
    return f"{row['ours']:.1f} of {row['whole']:.1f} s, {share:.1f} %; hashing {row['hashing']:.2f} s"


_TITLES = {
    "nothing": "nothing changed",
    "comment": "one comment changed in the service",
    "fresh": "everything fresh, tools installed",
    "lint": "`nox -s lint` against pylint and ruff by hand",
    "machine": "a fresh machine, engine there, packages cached",
    "modules": "2,000 modules, one changed",
    "import": "`import pipeline`",
}
_GOALS: dict[str, tuple[str, Callable[[Row], str]]] = {
    "nothing": (
        "≤ 0.5 s, ≤ 3 %; own work ≤ 20 ms a stage; ≤ 80 MB",
        lambda row: f"{_against_plain(row)}; {1000 * row['own_s_a_stage']:.0f} ms; {row['mib']:.0f} MiB",
    ),
    "comment": ("≤ 35 %", _against_plain),
    "fresh": ("≤ 60 %; within 10 % of the critical path", _against_plain),
    "lint": ("≤ 0.35 s more", lambda row: f"{row['ours']:.2f} s, {row['ours'] - row['plain']:+.2f} s"),
    "machine": ("≤ 60 s", lambda row: f"{row['ours']:.1f} s"),
    "modules": ("≤ 5 % of the full run; hashing ≤ 0.5 s", _modules_told),
    "import": ("≤ 60 ms", lambda row: f"{1000 * row['ours']:.0f} ms (the command line: {1000 * row['cli']:.0f} ms)"),
}


def measured(names: list[str], runs: int, count: int) -> dict[str, Row]:
    """The rows of the cases."""
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "COLUMNS": "120"}
    rows: dict[str, Row] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        if set(names) - {"modules", "import"}:
            export = environ.get("PIPELINE_AUDIT_ADVISORIES", "")
            if export:
                environ["OSV_URL"] = stack.enter_context(OsvServer(read_export(Path(export)))).url
            (folder / "adopter").mkdir()
            project = Project.adopter(folder / "adopter/project", environ)
            stack.callback(_clean, project)
            project.pipeline()
        for name in names:
            if name == "modules":
                (folder / "many").mkdir()
                (folder / "many/project").mkdir()
                rows[name] = many_modules(folder / "many/project", environ, runs, count)
            elif name == "import":
                rows[name] = imports({**environ, "PYTHONPATH": str(ROOT)}, runs)
            else:
                rows[name] = _CASES[name](project, runs)
            rows[name]["load"] = about()["load"]
            print(json.dumps({name: rows[name]}), flush=True)
    return rows


_CASES: dict[str, Callable[[Project, int], Row]] = {
    "nothing": nothing_changed,
    "comment": one_comment,
    "fresh": everything_fresh,
    "lint": lint_alone,
    "machine": fresh_machine,
}


def _clean(project: Project) -> None:
    """What plain.sh may have left in the engine, and nothing else."""
    left = ("docker", "ps", "--all", "--quiet", "--filter", "label=pipeline.run=plain-script")
    names = subprocess.run(left, capture_output=True, check=False, text=True).stdout.split()
    subprocess.run(("docker", "rm", "--force", f"{project.name}-pulled", *names), capture_output=True, check=False)
    subprocess.run(("docker", "rmi", f"{project.name}:latest"), capture_output=True, check=False)
    timed((sys.executable, "-m", "pipeline", "clean"), cwd=project.folder, env=project.environ)


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=_TITLES, default=list(_TITLES), help="default: all")
    parser.add_argument("--runs", type=int, default=5, help="measurements of each side (default 5)")
    parser.add_argument("--modules", type=int, default=2000, help="modules of the large repository (default 2000)")
    parser.add_argument("--write", action="store_true", help="renew the committed results and the table")
    options = parser.parse_args(arguments)
    machine = about()
    print(json.dumps(machine), flush=True)
    rows = measured(options.cases, options.runs, options.modules)
    if options.write:
        earlier = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"] if RESULTS.exists() else {}
        known = {**earlier, **rows}
        rows = {name: known[name] for name in _TITLES if name in known}
        document = {"machine": machine, "runs": options.runs, "rows": rows}
        RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(_TABLE.sub(lambda m: m.group(1) + table(rows) + m.group(2), text), encoding="utf-8")
    print("\n" + table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
