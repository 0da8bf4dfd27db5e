"""``scan``: bandit over the snapshot's Python files, with a gate on severity and confidence."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.emptied_gates import threshold_above_all, with_configuration
from pipeline.core.evidence import Control, Evidence
from pipeline.core.file_results import key_of
from pipeline.core.finding import Severity, weighed
from pipeline.core.gate import findings_gate, severity_gates
from pipeline.core.ports import Outcome, Request, ToolEnvironment
from pipeline.core.stage import Examination, NotChecked, Suppression
from pipeline.core.suppression_gate import Most, gated, surplus
from pipeline.core.suppressions import SuppressionKind
from pipeline.errors import ToolTrouble
from pipeline.settings import Scan
from pipeline.stages.context import Context, packaged_lock
from pipeline.stages.restraints import commented, nothing_to_check, own_text, with_expectation
from pipeline.stages.scan_declared import DeclaredScan
from pipeline.stages.source_files import python_files, unaltered
from pipeline.tools import bandit, bandit_files

UNIT = "Python files"
CONTROL = "call of a shell"
CONTROL_RULE = "B602"
CONTROL_SOURCE = '"""A planted fault."""\nimport subprocess\n\nsubprocess.call(input(), shell=True)\n'


@dataclass(frozen=True, slots=True)
class ScanStage(DeclaredScan):
    """Unit of work: Python files. Expected: those of the snapshot. Checked: those that bandit parsed and walked to the
    end.

    The project's own bandit configuration is not honoured, because its ``skips`` and ``exclude_dirs`` could empty the
    gate without a word in the report. ``scan.exclude``, with its reasons, and ``# nosec``, each listed, are the ways to
    say less.
    """

    def run(self, context: Context) -> Examination:
        """Run bandit over the snapshot's Python files, and over a planted fault."""
        settings = context.settings.scan
        files, not_checked = python_files(context.snapshot, settings.paths, settings.exclude, context.tree)
        if not files:
            excluded = bool(python_files(context.snapshot, settings.paths, (), context.tree)[0])
            return nothing_to_check(context, "scan", UNIT, left_out=not_checked, excluded=excluded)
        tools = context.environment("scan")
        output, reused, fresh = _scanned(context, tools, files)
        control = Control(tool="bandit", planted=CONTROL, caught=_control(context, tools))
        if fresh and control.caught:
            context.ports.file_results.write("bandit", fresh)
        examined = assess(
            settings,
            files,
            output,
            control=control,
            not_checked=not_checked,
            ignored=own_configuration(context.tree),
            reused=reused,
        )
        examined = restrained(context, examined, commented(context, files, (SuppressionKind.NOSEC,)), output.hidden)
        return context.with_tools(examined, tools, "bandit")


def assess(
    settings: Scan,
    files: tuple[str, ...],
    output: bandit.Output,
    *,
    control: Control,
    not_checked: tuple[NotChecked, ...] = (),
    ignored: tuple[str, ...] = (),
    reused: int = 0,
) -> Examination:
    """What bandit's output amounts to; ``ignored`` names the project's own configuration that was not applied.

    ``reused`` is of how many files bandit had said it in an earlier run.
    """
    findings = weighed(output.findings, fail_on=settings.fail_on, confidence=settings.confidence)
    what = f"bandit findings of {settings.confidence} confidence or more"
    return Examination(
        evidence=Evidence.of(UNIT, expected=files, checked=output.checked, controls=(control,)),
        gates=(
            findings_gate(findings, what=what, fail_on=settings.fail_on),
            *severity_gates(findings, what="bandit findings", most=settings.maxima),
        ),
        findings=findings,
        metrics={"files": len(files), "files_reused": reused},
        doubts=output.doubts,
        notes=tuple(
            f"bandit's configuration in {place} was not applied, since it could empty the gate; use scan.exclude."
            for place in ignored
        ),
        not_checked=not_checked,
    )


def restrained(
    context: Context, examined: Examination, silenced: tuple[Suppression, ...], hidden: Mapping[str, int]
) -> Examination:
    """The examination with the gates on ``nosec`` comments and on the stage's own thresholds.

    ``hidden`` counts for each file the findings that a comment hid. Where there are fewer than comments, some hide
    nothing; bandit does not say which.
    """
    settings = context.settings
    per_file = Counter(item.path for item in silenced if item.path in examined.evidence.checked)
    unused = [place for path, count in per_file.items() for place in surplus(path, count, hidden.get(path, 0))]
    limits = (
        Most(kind=SuppressionKind.NOSEC, what="nosec comments", key="scan.max_nosec", most=settings.scan.max_nosec),
    )
    needed = settings.project.suppressions_need_reasons
    examined = gated(examined, silenced, limits, reasons=needed, unused=unused)
    own = own_text(context)
    examined = with_configuration(
        examined, threshold_above_all("scan.fail_on", settings.scan.fail_on, Severity.HIGH, own)
    )
    return with_expectation(context, "scan", examined)


def own_configuration(tree: Path) -> tuple[str, ...]:
    """Where the project keeps a configuration for bandit that this stage does not apply."""
    places = [name for name in (".bandit", "bandit.yaml", "bandit.yml", "bandit.toml") if (tree / name).is_file()]
    project = tree / "pyproject.toml"
    if project.is_file() and "bandit" in tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}):
        places.append("pyproject.toml")
    return tuple(places)


def _scanned(
    context: Context, tools: ToolEnvironment, files: tuple[str, ...]
) -> tuple[bandit.Output, int, Mapping[str, str]]:
    """What bandit says of the files, of how many of them it had said so before, and what may be kept for later runs.

    Whatever was kept, what is reported rests on one output in bandit's own form for each batch of all files.
    """
    keys = _keys(context, tools, files)
    shelf = context.ports.file_results.read("bandit")
    said = {path: bandit_files.from_kept(shelf[key]) for path, key in keys.items() if key in shelf}
    stale = tuple(path for path in files if path not in said)
    for number, batch in enumerate(bandit.batches(stale), 1):
        outcome, written = _bandit(context, tools, batch, context.tree, f"bandit-{number}")
        context.keep(f"bandit-{number}.log", outcome.stderr)
        # Read here for its own sake: an output that contradicts itself must not be put together with others.
        bandit.parse(outcome, written, context.tree)
        said |= bandit_files.taken_apart(written, context.tree)
    output = bandit.Output()
    for number, batch in enumerate(bandit.batches(files), 1):
        outcome, together = bandit_files.put_together(said[path] for path in batch if path in said)
        output += bandit.parse(outcome, together, context.tree)
        context.keep(f"bandit-{number}.json", bandit.masked(together))
    certain = unaltered(context.snapshot, context.tree, (path for path in stale if path in said and said[path].keeps))
    return output, len(files) - len(stale), {keys[path]: bandit_files.kept_text(said[path]) for path in certain}


def _keys(context: Context, tools: ToolEnvironment, files: tuple[str, ...]) -> dict[str, str]:
    """For each file the key of all that decides what bandit says of it."""
    lock = packaged_lock("scan").read_text(encoding="utf-8")
    common = (lock, tools.version, *bandit.command("python", Path("output"), ()))
    known = context.snapshot.by_path
    return {
        path: key_of((*common, path, known[path].digest, *bandit_files.surroundings(path, known.keys())))
        for path in files
    }


def _bandit(
    context: Context, tools: ToolEnvironment, files: tuple[str, ...], folder: Path, name: str
) -> tuple[Outcome, str]:
    written = context.scratch / f"{name}.json"
    argv = bandit.command(str(tools.python), written, files)
    outcome = context.run(Request(argv=argv, cwd=folder, timeout_s=context.settings.scan.timeout_s, title="bandit"))
    if not written.exists():
        raise ToolTrouble("bandit wrote no output.", why=f"It says: {outcome.tail()}")
    return outcome, written.read_text(encoding="utf-8", errors="backslashreplace")


def _control(context: Context, tools: ToolEnvironment) -> bool:
    folder = context.scratch / "planted"
    folder.mkdir()
    (folder / "planted_fault.py").write_text(CONTROL_SOURCE, encoding="utf-8")
    outcome, written = _bandit(context, tools, ("planted_fault.py",), folder, "bandit-control")
    return any(finding.rule == CONTROL_RULE for finding in bandit.parse(outcome, written, folder).findings)
