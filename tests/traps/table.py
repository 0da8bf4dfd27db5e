"""Writes ``docs/traps.md`` from the trap collection: ``python -m tests.traps.table``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from pipeline.against import POLICY
from pipeline.settings import STAGE_NAMES
from tests.traps.collection import Honest, Trap, honest_projects, traps

PLACE = Path(__file__).resolve().parents[2] / "docs" / "traps.md"
_HEAD = """# Ways to a false green

Made by `python -m tests.traps.table` from [tests/traps](../tests/traps); do not edit it here. Each row is a small
project there, in `trap.toml`, in which a naive command looks green although something is wrong.
`tests/integration/test_traps.py` runs the naive command with the real tool, and demands the exit code that stands here;
then it runs our stage on the same files, and demands our status, which is never `pass`. `refused` means that nothing is
run, with exit code 2 of `pipeline`; of the others `fail` exits 1, `inconclusive` and `not-run` exit 3.

In a command `{osv}` is an OSV endpoint that answers from the export that ours is given, `{advisories}` that export,
`{python}`, `{nox}` and `{runtime}` are a Python, Nox and an image, `{bin}` is the folder of hadolint, zizmor and act,
`{root}` this repository. "(seen)" means that the fact was observed by running the tool: bandit 1.9.4, pip-audit 2.10.1,
pylint 4.1, ruff 0.17, pytest 9, coverage 7, detect-secrets 1.5.0, Nox 2026.10, Docker 20.10, the docker SDK 7.2,
hadolint 2.15, zizmor 1.32, act 0.2.

The pipeline has no stage that reads a recipe or a workflow for faults of their own. Where a naive command is such a
linter, the row shows what ours says of the same change: `build` of the image that a recipe makes, `policy` (there with
`--against`) of what a workflow no longer asks for.
"""
_COLUMNS = "| trap | source | naive command | its exit code | ours |\n|---|---|---|---|---|\n"
_HONEST_HEAD = """
## Honest projects

The mirror: these have nothing wrong, and every stage named is green, so that strictness is not bought with false
alarms.

| project | what could alarm falsely | green stages |
|---|---|---|
"""


def render(every: Iterable[Trap], honest: Iterable[Honest]) -> str:
    """The page."""
    known = tuple(every)
    parts = [_HEAD]
    for stage in (*STAGE_NAMES, POLICY):
        rows = [trap for trap in known if trap.stage == stage]
        if rows:
            parts.append(f"\n## {stage}\n\n{_COLUMNS}")
            parts += [_row(trap) for trap in rows]
    parts.append(_HONEST_HEAD)
    parts += [f"| {_link(p.name, p.title)} | {_cell(p.why)} | {', '.join(p.stages)} |\n" for p in honest]
    return "".join(parts)


def _row(trap: Trap) -> str:
    naive = "<br>".join(f"<code>{_cell(_html(line))}</code>" for line in trap.naive.strip().splitlines())
    green = f" ({_cell(trap.why_green)})" if trap.why_green else ""
    cells = (_link(trap.name, trap.title), _cell(trap.source), naive, f"{trap.naive_exit}{green}", f"`{trap.status}`")
    return f"| {' | '.join(cells)} |\n"


def _link(name: str, title: str) -> str:
    return f"[{_cell(title)}](../tests/traps/{name}/trap.toml)"


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    PLACE.parent.mkdir(exist_ok=True)
    PLACE.write_text(render(traps(), honest_projects()), encoding="utf-8")
    sys.stdout.write(f"{PLACE}\n")
