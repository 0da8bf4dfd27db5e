"""``test``: the project's own tests in process, with a floor on how many ran and a gate on coverage."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.evidence import Control, Evidence, listed
from pipeline.core.expected_tests import functions_in, is_test_file
from pipeline.core.finding import Severity, weighed
from pipeline.core.gate import Gate, check_gate, count_gate, findings_gate, floor_gate
from pipeline.core.ports import Request, ToolEnvironment
from pipeline.core.snapshot import Snapshot, is_below
from pipeline.core.stage import Examination, Metric, NotChecked, StageResult
from pipeline.settings import Settings
from pipeline.settings import Test as TestSettings
from pipeline.stages.context import Context
from pipeline.stages.project_locks import project_environment
from pipeline.stages.source_files import apply_exclusions, require_paths
from pipeline.tools import coverage, pytest

CONTROL_SOURCE = '"""A planted failure."""\n\n\ndef test_planted() -> None:\n    """Fails."""\n    assert 1 == 2\n'


@dataclass(frozen=True, slots=True)
class TestStage:
    """Unit of work: test functions. Expected: those in the syntax trees. Checked: those that ran to an outcome."""

    __test__ = False  # for pytest, which would take this for tests

    name: str = "test"
    summary: str = "Run unit, integration, regression, acceptance and in-process smoke tests, with coverage."
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("quality",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError for a coverage path that is not there. Without tests it is ``inconclusive``."""
        require_paths(snapshot, settings.test.coverage, "test.coverage")

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """A result about files rests on the snapshot alone."""
        del context, result
        return True

    def run(self, context: Context) -> Examination:
        """Run the suite, and a planted failure in the same environment."""
        settings = context.settings.test
        tools = project_environment(context)
        expected = expected_tests(context.snapshot, context.tree, settings.paths)
        measured, not_checked = _measured_files(context.snapshot, settings)
        if not expected:
            return Examination(evidence=Evidence.of("test functions", expected=(), checked=()), not_checked=not_checked)
        report = context.scratch / "coverage.json"
        options = coverage.options(settings.coverage, report)
        ran = run_tests(context, tools, settings.paths, settings.markers, options=options, keep="junit.xml")
        caught = _control(context, tools)
        covered = None
        if report.exists():
            text = report.read_text(encoding="utf-8")
            context.keep("coverage.json", text)
            covered = coverage.parse(text, measured)
        left_out = (*not_checked, *_python(context, tools))
        examined = assess(settings, expected, ran, covered, caught=caught, not_checked=left_out)
        return context.with_tools(examined, tools, "pytest", "pytest-cov", "coverage")


def assess(
    settings: TestSettings,
    expected: frozenset[str],
    ran: pytest.Output,
    covered: coverage.Output | None,
    *,
    caught: bool,
    not_checked: tuple[NotChecked, ...] = (),
) -> Examination:
    """What the tests' outcomes and the coverage amount to; ``covered`` is nothing when none was written."""
    findings = weighed(ran.findings, fail_on=Severity.LOW)
    left_out = expected & (ran.deselected - ran.executed)
    wanted = expected - left_out
    metrics: dict[str, Metric] = {"tests": ran.count, "failed": len(findings), "skipped": len(ran.skipped)}
    gates = [
        findings_gate(findings, what="failing tests", fail_on=Severity.LOW),
        count_gate(ran.count, settings.minimum, what="tests that ran"),
    ]
    if covered is None:
        doubts: tuple[str, ...] = ("No coverage was written; pytest-cov must be among the locked test requirements.",)
        notes = (f"{ran.count} tests ran.",)
    else:
        metrics |= {"coverage": round(covered.percent, 2), "statements": covered.statements}
        gates.append(_coverage_gate(settings, covered))
        doubts = (f"Coverage says nothing about {listed(covered.missing)}.",) if covered.missing else ()
        notes = (f"{ran.count} tests ran, coverage {covered.percent:.2f} % of {covered.statements} statements.",)
    return Examination(
        evidence=Evidence.of(
            "test functions",
            expected=wanted,
            checked=ran.executed,
            controls=(Control(tool="pytest", planted="failing test", caught=caught),),
        ),
        gates=tuple(gates),
        findings=findings,
        metrics=metrics,
        doubts=ran.doubts + doubts,
        notes=notes,
        not_checked=(*not_checked, *_left_out(left_out, settings.markers)),
    )


def _left_out(names: frozenset[str], markers: str) -> tuple[NotChecked, ...]:
    if not names:
        return ()
    what = f"{len(names)} test functions: {listed(sorted(names))}"
    return (NotChecked(what=what, reason=f"test.markers ({markers!r}) leaves them out of the run in process."),)


def expected_tests(snapshot: Snapshot, tree: Path, paths: tuple[str, ...]) -> frozenset[str]:
    """The test functions in the snapshot's test files below ``paths``, by node id without parameters."""
    names: set[str] = set()
    for path in snapshot.files(paths, "*.py"):
        if is_test_file(path):
            names.update(functions_in(path, (tree / path).read_bytes()))
    return frozenset(names)


def run_tests(
    context: Context,
    tools: ToolEnvironment,
    paths: tuple[str, ...],
    markers: str,
    *,
    options: tuple[str, ...] = (),
    keep: str = "",
    cwd: Path | None = None,
) -> pytest.Output:
    """Run pytest with the witness; the JUnit file and the output are kept under the name ``keep``."""
    settings = context.settings.test
    name = keep.partition(".")[0] or "control"
    record = pytest.plant_witness(context.scratch / f"pytest-{name}")
    junit = record.parent / "junit.xml"
    folder = cwd or context.tree
    outcome = context.run(
        Request(
            argv=pytest.command(
                str(tools.python), paths, rootdir=folder, markers=markers, junit=junit, options=options
            ),
            cwd=folder,
            timeout_s=settings.timeout_s,
            env=_environment(settings, record),
            title="pytest",
        )
    )
    if keep:
        context.keep(f"{name}.log", outcome.stdout + outcome.stderr)
        if junit.exists():
            context.keep(keep, junit.read_text(encoding="utf-8", errors="backslashreplace"))
    text = record.read_text(encoding="utf-8", errors="replace") if record.exists() else ""
    if keep:
        context.keep(f"{name}-record.jsonl", text)
    return pytest.parse(outcome, text, context.tree)


def _environment(settings: TestSettings, record: Path) -> dict[str, str | None]:
    """The project's variables and the witness's; both may have something to put on Python's path."""
    witness = pytest.environment(record)
    paths = [path for path in (witness["PYTHONPATH"], settings.environment.get("PYTHONPATH")) if path]
    coverage_file = str(record.parent / "coverage")
    return {
        **settings.environment,
        **witness,
        "PYTHONPATH": os.pathsep.join(paths),
        "COVERAGE_FILE": coverage_file,
    }


def _control(context: Context, tools: ToolEnvironment) -> bool:
    folder = context.scratch / "planted"
    folder.mkdir()
    (folder / "test_planted.py").write_text(CONTROL_SOURCE, encoding="utf-8")
    # A rootdir of its own: the project's conftest files are no part of what is being proved here.
    ran = run_tests(context, tools, ("test_planted.py",), "", options=("-c", "/dev/null"), cwd=folder)
    return any(finding.rule == "test-failure" for finding in ran.findings)


def _measured_files(snapshot: Snapshot, settings: TestSettings) -> tuple[tuple[str, ...], tuple[NotChecked, ...]]:
    """The files whose coverage counts: those below the measured folders that are neither tests nor excluded."""
    files = [
        path
        for path in snapshot.files(settings.coverage, "*.py")
        if not any(is_below(path, tests) for tests in settings.paths)
    ]
    return apply_exclusions(files, settings.exclude)


def _coverage_gate(settings: TestSettings, covered: coverage.Output) -> Gate:
    if settings.coverage_floor is None:
        found = f"{covered.percent:.2f} %"
        return check_gate(True, what="line coverage", allowed="any (no coverage_floor is set)", found=found)
    return floor_gate(covered.percent, settings.coverage_floor, what="line coverage", unit=" %")


def _python(context: Context, tools: ToolEnvironment) -> tuple[NotChecked, ...]:
    """Said where the tests ran on another Python than the image's."""
    wanted = context.settings.project.python
    if f"{tools.version}.".startswith(f"{wanted}."):
        return ()
    return (
        NotChecked(
            what=f"the tests on Python {wanted}",
            reason=f"This machine has no Python {wanted}; the tests ran on {tools.version}.",
        ),
    )
