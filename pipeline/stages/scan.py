"""``scan``: bandit over the snapshot's Python files, with a gate on severity and confidence."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.emptied_gates import threshold_above_all, with_configuration
from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Severity, weighed
from pipeline.core.gate import findings_gate, severity_gates
from pipeline.core.ports import Request, ToolEnvironment
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, NotChecked, StageResult, Suppression
from pipeline.core.suppression_gate import Most, gated, surplus
from pipeline.core.suppressions import SuppressionKind
from pipeline.errors import ToolTrouble
from pipeline.settings import Scan, Settings
from pipeline.stages.context import Context
from pipeline.stages.restraints import commented, nothing_to_check, own_text, with_expectation
from pipeline.stages.source_files import python_files, require_paths
from pipeline.tools import bandit

UNIT = "Python files"
CONTROL = "call of a shell"
CONTROL_RULE = "B602"
CONTROL_SOURCE = '"""A planted fault."""\nimport subprocess\n\nsubprocess.call(input(), shell=True)\n'


@dataclass(frozen=True, slots=True)
class ScanStage:
    """Unit of work: Python files. Expected: those of the snapshot. Checked: those that bandit parsed and walked to the
    end.

    The project's own bandit configuration is not honoured, because its ``skips`` and ``exclude_dirs`` could empty the
    gate without a word in the report. ``scan.exclude``, with its reasons, and ``# nosec``, each listed, are the ways to
    say less.
    """

    name: str = "scan"
    summary: str = "Look for insecure code with bandit."
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("security",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError for a path that is not in the snapshot."""
        require_paths(snapshot, settings.scan.paths, "scan.paths")

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """A result about files rests on the snapshot alone."""
        del context, result
        return True

    def run(self, context: Context) -> Examination:
        """Run bandit over the snapshot's Python files, and over a planted fault."""
        settings = context.settings.scan
        files, not_checked = python_files(context.snapshot, settings.paths, settings.exclude, context.tree)
        if not files:
            excluded = bool(python_files(context.snapshot, settings.paths, (), context.tree)[0])
            return nothing_to_check(context, "scan", UNIT, left_out=not_checked, excluded=excluded)
        tools = context.environment("scan")
        output = bandit.Output()
        for number, batch in enumerate(bandit.batches(files), 1):
            output += _bandit(context, tools, batch, context.tree, f"bandit-{number}")
        control = Control(tool="bandit", planted=CONTROL, caught=_control(context, tools))
        examined = assess(
            settings,
            files,
            output,
            control=control,
            not_checked=not_checked,
            ignored=own_configuration(context.tree),
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
) -> Examination:
    """What bandit's output amounts to; ``ignored`` names the project's own configuration that was not applied."""
    findings = weighed(output.findings, fail_on=settings.fail_on, confidence=settings.confidence)
    what = f"bandit findings of {settings.confidence} confidence or more"
    return Examination(
        evidence=Evidence.of(UNIT, expected=files, checked=output.checked, controls=(control,)),
        gates=(
            findings_gate(findings, what=what, fail_on=settings.fail_on),
            *severity_gates(findings, what="bandit findings", most=settings.maxima),
        ),
        findings=findings,
        metrics={"files": len(files)},
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


def _bandit(
    context: Context, tools: ToolEnvironment, files: tuple[str, ...], folder: Path, name: str, *, keep: bool = True
) -> bandit.Output:
    written = context.scratch / f"{name}.json"
    argv = bandit.command(str(tools.python), written, files)
    outcome = context.run(Request(argv=argv, cwd=folder, timeout_s=context.settings.scan.timeout_s, title="bandit"))
    if keep:
        context.keep(f"{name}.log", outcome.stderr)
    if not written.exists():
        raise ToolTrouble("bandit wrote no output.", why=f"It says: {outcome.tail()}")
    text = written.read_text(encoding="utf-8", errors="backslashreplace")
    output = bandit.parse(outcome, text, folder)
    if keep:
        context.keep(written.name, bandit.masked(text))
    return output


def _control(context: Context, tools: ToolEnvironment) -> bool:
    folder = context.scratch / "planted"
    folder.mkdir()
    (folder / "planted_fault.py").write_text(CONTROL_SOURCE, encoding="utf-8")
    output = _bandit(context, tools, ("planted_fault.py",), folder, "bandit-control", keep=False)
    return any(finding.rule == CONTROL_RULE for finding in output.findings)
