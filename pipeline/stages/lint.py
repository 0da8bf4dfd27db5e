"""``lint``: ruff for what pycodestyle, pyflakes and mccabe cover, and pylint with a gate on its score."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.core import emptied_linters
from pipeline.core.emptied_gates import (
    MOST_COMPLEX,
    floor_of_nothing,
    limit_of_nothing,
    threshold_above_all,
    with_configuration,
)
from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Severity, weighed
from pipeline.core.gate import Gate, check_gate, findings_gate, floor_gate, severity_gates
from pipeline.core.ports import Outcome, Request, ToolEnvironment
from pipeline.core.stage import Examination, Metric, NotChecked, StageResult
from pipeline.core.suppression_gate import Most, gated
from pipeline.core.suppressions import SuppressionKind, exempts_itself
from pipeline.settings import Lint
from pipeline.stages.context import Context
from pipeline.stages.lint_declared import DeclaredLint
from pipeline.stages.lint_reuse import Reuse, reuse
from pipeline.stages.project_locks import project_environment
from pipeline.stages.restraints import commented, configuration, nothing_to_check, own_text, with_expectation
from pipeline.stages.so_far import SoFar
from pipeline.stages.source_files import python_files
from pipeline.tools import pylint, ruff
from pipeline.tools.pylint_witness import kept_document

UNIT = "Python files"
CONTROL = "name that does not exist"
CONTROL_SOURCE = '''"""A module with a planted fault."""


def control() -> str:
    """Use what is not there."""
    return absent_name
'''


@dataclass(frozen=True, slots=True)
class LintStage(DeclaredLint):
    """Unit of work: Python files. Expected: those of the snapshot. Checked: those that both tools worked on."""

    def run(self, context: Context) -> Examination:
        """Run both tools over the snapshot's Python files, and over a planted fault."""
        settings = context.settings.lint
        files, not_checked = python_files(context.snapshot, settings.paths, settings.exclude, context.tree)
        if not files:
            excluded = bool(python_files(context.snapshot, settings.paths, (), context.tree)[0])
            return nothing_to_check(context, "lint", UNIT, left_out=not_checked, excluded=excluded)
        tools = context.environment("lint")
        with ThreadPoolExecutor(1) as beside:
            # It works while it is found out what pylint need not look at; pylint itself is not begun before its end.
            by_ruff = beside.submit(_ruff, context, tools, files)
            project = project_environment(context)
            known = reuse(context, tools, project, files)
            from_ruff, ruff_caught = _read(context, *by_ruff.result())
        from_pylint, said, caught = linted(context, tools, project.site_packages, files, known)
        controls = (
            Control(tool="ruff", planted=CONTROL, caught=ruff_caught),
            Control(tool="pylint", planted=CONTROL, caught=caught),
        )
        if said and caught:
            known.keep(context, said)
        examined = assess(
            settings,
            files,
            from_ruff,
            from_pylint,
            controls=controls,
            not_checked=not_checked,
            previous=context.previous,
            reused=len(known.kept),
        )
        examined = restrained(context, examined, files, (*from_ruff.unused, *from_pylint.unused))
        return context.with_tools(examined, tools, "ruff", "pylint")


def assess(
    settings: Lint,
    files: tuple[str, ...],
    from_ruff: ruff.Output,
    from_pylint: pylint.Output,
    *,
    controls: tuple[Control, ...],
    not_checked: tuple[NotChecked, ...] = (),
    previous: StageResult | None = None,
    reused: int = 0,
) -> Examination:
    """What the two tools' outputs amount to; ``reused`` is of how many files pylint had said it in an earlier run."""
    findings = weighed((*from_ruff.findings, *from_pylint.findings), fail_on=settings.fail_on)
    before = previous.metrics.get("score") if previous is not None else None
    metrics: dict[str, Metric] = {
        "score": from_pylint.score, "score_previous": before, "files": len(files), "files_reused": reused,
    }  # fmt: skip
    return Examination(
        evidence=Evidence.of(UNIT, expected=files, checked=from_ruff.checked & from_pylint.checked, controls=controls),
        gates=(
            findings_gate(findings, what="lint findings", fail_on=settings.fail_on),
            *severity_gates(findings, what="lint findings", most=settings.maxima),
            _score_gate(settings, from_pylint.score),
        ),
        findings=findings,
        metrics=metrics,
        doubts=(*from_pylint.doubts, *(f"{path} tells ruff to skip it." for path in from_ruff.exempt)),
        notes=(score_sentence(from_pylint.score, before),),
        not_checked=not_checked,
    )


def restrained(context: Context, examined: Examination, files: tuple[str, ...], unused: tuple[str, ...]) -> Examination:
    """The examination with the gates on suppressions, and with what the project's settings of both tools leave."""
    settings = context.settings.lint
    limits = (
        Most(kind=SuppressionKind.NOQA, what="noqa comments", key="lint.max_noqa", most=settings.max_noqa),
        Most(kind=SuppressionKind.PYLINT, what="pylint: disable comments", key="lint.max_pylint_disables",
             most=settings.max_pylint_disables),
        Most(kind=SuppressionKind.TYPE_IGNORE, what="type: ignore comments", key="lint.max_type_ignores",
             most=settings.max_type_ignores),
    )  # fmt: skip
    silenced = commented(context, files, tuple(limit.kind for limit in limits))
    needed = context.settings.project.suppressions_need_reasons
    examined = gated(examined, silenced, limits, reasons=needed, unused=unused)
    texts = configuration(context)
    by_ruff, by_pylint = emptied_linters.ruff(texts, files), emptied_linters.pylint(texts, files)
    own = own_text(context)
    examined = replace(
        examined,
        evidence=replace(examined.evidence, checked=examined.evidence.checked - by_ruff.excused.keys()),
        doubts=(*examined.doubts, *by_ruff.doubts),
        not_checked=(*examined.not_checked, *by_ruff.not_checked, *by_pylint.not_checked),
    )
    findings = (
        *by_ruff.findings,
        *by_pylint.findings,
        *floor_of_nothing("lint.score_floor", settings.score_floor, own),
        *limit_of_nothing("lint.max_complexity", settings.max_complexity, MOST_COMPLEX, own),
        *threshold_above_all("lint.fail_on", settings.fail_on, Severity.HIGH, own),
    )
    return with_expectation(context, "lint", with_configuration(examined, findings))


def without_exempt(output: ruff.Output, tree: Path) -> ruff.Output:
    """The output with the files that tell ruff to keep quiet taken from ``checked``, where ruff itself counts them.

    Of a name that holds a line break ruff's log gives pieces; those are no files, and the file itself is not checked.
    """
    files = {path for path in output.checked if (tree / path).is_file()}
    exempt = {path for path in files if exempts_itself((tree / path).read_bytes())}
    return replace(output, checked=frozenset(files - exempt), exempt=tuple(sorted(exempt)))


def score_sentence(score: float, before: Metric) -> str:
    """The score, the previous run's and the change, as in ``10.00/10, previous run 6.76, +3.24``."""
    if not isinstance(before, int | float):
        return f"pylint score {score:.2f}/10, no previous run to compare with."
    return f"pylint score {score:.2f}/10, previous run {before:.2f}, {score - before:+.2f}."


def _score_gate(settings: Lint, score: float) -> Gate:
    if settings.score_floor is None:
        return check_gate(True, what="pylint score", allowed="any (no score_floor is set)", found=f"{score:.2f}")
    return floor_gate(score, settings.score_floor, what="pylint score")


def _ruff(context: Context, tools: ToolEnvironment, files: tuple[str, ...]) -> tuple[Outcome, bool]:
    """How ruff ended, and whether it caught the planted fault."""
    settings = context.settings.lint
    argv = ruff.command(tools.program("ruff"), settings.max_complexity, files)
    outcome = context.run(Request(argv=argv, cwd=context.tree, timeout_s=settings.timeout_s))
    return outcome, _ruff_control(context, tools, files[0])


def _read(context: Context, outcome: Outcome, caught: bool) -> tuple[ruff.Output, bool]:
    """What ruff says, kept first, and whether it caught the planted fault."""
    context.keep("ruff.json", outcome.stdout)
    context.keep("ruff.log", outcome.stderr)
    return without_exempt(ruff.parse(outcome, context.tree), context.tree), caught


def _ruff_control(context: Context, tools: ToolEnvironment, beside: str) -> bool:
    settings = context.settings.lint
    argv = ruff.control_command(tools.program("ruff"), settings.max_complexity, beside)
    request = Request(argv=argv, cwd=context.tree, timeout_s=settings.timeout_s, stdin=CONTROL_SOURCE)
    return any(finding.rule == "F821" for finding in ruff.parse(context.run(request), context.tree).findings)


def linted(
    context: Context, tools: ToolEnvironment, libraries: Path, files: tuple[str, ...], known: Reuse
) -> tuple[pylint.Output, str, bool]:
    """What pylint says of all files, what it said of those that it looked at now, for later runs, and whether the same
    process caught the planted fault.
    """
    folder = context.scratch / "pylint"
    given, fresh, planted = folder / "kept.json", folder / "fresh.json", context.scratch / "planted_fault.py"
    folder.mkdir()
    given.write_text(kept_document(files, known.kept), encoding="ascii")
    planted.write_text(CONTROL_SOURCE, encoding="utf-8")
    more = {
        pylint.KEPT_VARIABLE: str(given), pylint.FRESH_VARIABLE: str(fresh), pylint.CONTROL_VARIABLE: str(planted),
    }  # fmt: skip
    outcome, walked = _run_pylint(context, tools, libraries, folder, known.stale, more)
    context.keep("pylint.json", outcome.stdout)
    output = pylint.parse(outcome, walked + "".join(f"{name}\n" for name in known.kept), context.tree)
    context.keep("pylint-walked.txt", "".join(f"{name}\n" for name in files if name in output.checked))
    return output, _text(fresh), pylint.caught(_text(context.scratch / f"{planted.name}{pylint.SAID}"), "E0602")


def _run_pylint(
    context: Context,
    tools: ToolEnvironment,
    libraries: Path,
    folder: Path,
    files: tuple[str, ...],
    more: Mapping[str, str],
) -> tuple[Outcome, str]:
    """How pylint ended, and the witness's record."""
    (folder / "plugin").mkdir()
    (folder / "plugin" / f"{pylint.WITNESS}.py").write_text(pylint.WITNESS_SOURCE, encoding="utf-8")
    record = folder / "walked.txt"
    outcome = context.run(
        Request(
            argv=pylint.command(tools.program("pylint"), files, libraries, folder / "plugin"),
            cwd=context.tree,
            timeout_s=context.settings.lint.timeout_s,
            env={
                pylint.RECORD_VARIABLE: str(record), "PYLINTHOME": str(folder),
                # Which of the circles of imports pylint tells of depends on the order of its sets.
                "PYTHONHASHSEED": "0", **more,
            },
            title="pylint",
            so_far=SoFar(record, len(files), "files"),
        )
    )  # fmt: skip
    # None is no trouble in itself: where all files have syntax errors, there is nothing to walk.
    return outcome, _text(record)


def _text(path: Path) -> str:
    """What a process wrote, if it wrote it."""
    return path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
