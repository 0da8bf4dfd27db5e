"""``test``: the project's own tests in process, with a floor on how many ran and a gate on coverage."""

from __future__ import annotations

import json
import os
import posixpath
from dataclasses import dataclass
from pathlib import Path

from pipeline.core import emptied_tests
from pipeline.core.emptied_gates import excludes_everything, floor_of_nothing, with_configuration
from pipeline.core.evidence import Control, Evidence, listed
from pipeline.core.expected_tests import functions_in, is_test_file
from pipeline.core.finding import Severity, weighed
from pipeline.core.gate import Gate, check_gate, count_gate, findings_gate, floor_gate, steadiness_gates
from pipeline.core.ports import Request, ToolEnvironment
from pipeline.core.snapshot import Snapshot, is_below
from pipeline.core.stage import Examination, Metric, NotChecked
from pipeline.core.suppression_gate import Most, gated
from pipeline.core.suppressions import SuppressionKind
from pipeline.settings import Test as TestSettings
from pipeline.stages.context import Context
from pipeline.stages.project_locks import project_environment
from pipeline.stages.restraints import (
    commented,
    configuration,
    nothing_to_check,
    own_text,
    skipping,
    with_expectation,
)
from pipeline.stages.so_far import SoFar
from pipeline.stages.source_files import apply_exclusions
from pipeline.stages.test_declared import DeclaredTest
from pipeline.tools import coverage, pytest

UNIT = "test functions"


@dataclass(frozen=True, slots=True)
class TestStage(DeclaredTest):
    """Unit of work: test functions. Expected: those in the syntax trees. Checked: those that ran to an outcome."""

    __test__ = False  # for pytest, which would take this for tests

    def run(self, context: Context) -> Examination:
        """Run the suite, and a planted failure in the same environment."""
        settings = context.settings.test
        expected = expected_tests(context.snapshot, context.tree, settings.paths)
        measured, not_checked = _measured_files(context.snapshot, settings)
        if not expected:
            return nothing_to_check(context, "test", UNIT, left_out=not_checked)
        tools = project_environment(context)
        report = context.scratch / "coverage.json"
        options = coverage.options(coverage.sources_of(settings.coverage, measured), report)
        if settings.parallel:
            options = (*options, *pytest.processes(context.cores))
        ran = run_tests(
            context, tools, settings.paths, settings.markers, options=options, keep="junit.xml", expected=len(expected)
        )
        caught = _control(context, tools, ran.executed or expected)
        covered = None
        if report.exists():
            text = report.read_text(encoding="utf-8")
            context.keep("coverage.json", text)
            context.keep("measured.json", json.dumps(measured) + "\n")
            covered = coverage.parse(text, measured)
        left_out = (*not_checked, *_python(context, tools), *deselected(settings, expected, ran))
        examined = assess(settings, expected, ran, covered, caught=caught, not_checked=left_out)
        examined = restrained(context, examined, measured)
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
    wanted = expected - (ran.deselected - ran.executed)
    metrics: dict[str, Metric] = {"tests": ran.count, "failed": len(findings), "skipped": len(ran.skipped)}
    gates = [
        findings_gate(findings, what="failing tests", fail_on=Severity.LOW),
        count_gate(ran.count, settings.minimum, what="tests that ran"),
        *steadiness_gates(ran.flaky, settings.max_flaky),
    ]
    if covered is None:
        doubts: tuple[str, ...] = ("No coverage was written; pytest-cov must be among the locked test requirements.",)
        notes = (f"{ran.count} tests ran.",)
    else:
        metrics |= {"coverage": round(covered.percent, 2), "covered": covered.covered, "statements": covered.statements}
        gates.append(_coverage_gate(settings, covered))
        doubts = (f"Coverage says nothing about {listed(covered.missing)}.",) if covered.missing else ()
        notes = (f"{ran.count} tests ran, coverage {covered.percent:.2f} % of {covered.statements} statements.",)
    return Examination(
        evidence=Evidence.of(
            UNIT,
            expected=wanted,
            checked=ran.executed,
            controls=(Control(tool="pytest", planted="failing test", caught=caught),),
        ),
        gates=tuple(gates),
        findings=findings,
        metrics=metrics,
        doubts=ran.doubts + doubts,
        notes=notes,
        not_checked=not_checked,
    )


def restrained(context: Context, examined: Examination, measured: tuple[str, ...]) -> Examination:
    """The examination with the gates on skips and pragmas, and with what the settings of pytest and coverage leave."""
    settings, snapshot = context.settings.test, context.snapshot
    of_tests = snapshot.files(settings.paths, "*.py")
    conftests = tuple(path for path in snapshot.files((".",), "conftest.py") if _concerns(path, settings.paths))
    limits = (
        Most(kind=SuppressionKind.SKIP, what="places that skip a test", key="test.max_skips", most=settings.max_skips),
        Most(kind=SuppressionKind.XFAIL, what="places that expect a test to fail", key="test.max_xfails",
             most=settings.max_xfails),
        Most(kind=SuppressionKind.NO_COVER, what="coverage pragmas", key="test.max_coverage_pragmas",
             most=settings.max_coverage_pragmas),
    )  # fmt: skip
    of_both = dict.fromkeys((*snapshot.files(settings.coverage, "*.py"), *of_tests))
    found = (
        *skipping(context, dict.fromkeys((*of_tests, *conftests))),
        *commented(context, of_both, (SuppressionKind.NO_COVER,)),
    )
    examined = gated(examined, found, limits, reasons=context.settings.project.suppressions_need_reasons)
    texts, own = configuration(context), own_text(context)
    sources = {path: (context.tree / path).read_bytes() for path in conftests}
    holding = tuple(path for path in of_tests if is_test_file(path))
    findings = (
        *emptied_tests.pytest(texts, sources, holding, settings.markers),
        *emptied_tests.coverage(texts, measured, [(context.tree / path).read_bytes() for path in measured]),
        *(() if measured else (excludes_everything("test.exclude", own),)),
        *floor_of_nothing("test.coverage_floor", settings.coverage_floor, own),
    )
    return with_expectation(context, "test", with_configuration(examined, findings))


def deselected(settings: TestSettings, expected: frozenset[str], ran: pytest.Output) -> tuple[NotChecked, ...]:
    """The tests that are not expected to run, by name, and why."""
    names = sorted(expected & (ran.deselected - ran.executed))
    if not names:
        return ()
    reason = f"They are left out by test.markers ({settings.markers})."
    return (NotChecked(what=f"{len(names)} test functions: {listed(names, 20)}", reason=reason),)


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
    plant: bool = False,
    expected: int = 0,
) -> pytest.Output:
    """Run pytest with the witness; the JUnit file and the output are kept under the name ``keep``.

    ``plant`` runs planted failures in the place of the tests. ``expected`` is how many test functions there are, so
    that it can be said how far the run is (0: it is not said).
    """
    settings = context.settings.test
    name = keep.partition(".")[0] or "control"
    record = pytest.plant_witness(context.scratch / f"pytest-{name}")
    junit = record.parent / "junit.xml"
    folder = context.tree
    outcome = context.run(
        Request(
            argv=pytest.command(
                str(tools.python), paths, rootdir=folder, markers=markers, junit=junit, options=options
            ),
            cwd=folder,
            timeout_s=settings.timeout_s,
            env={**pytest.share(context.cores), **_environment(settings, record, plant=plant)},
            title="pytest",
            so_far=SoFar(record, expected, UNIT, pytest.ended_test) if expected else None,
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


def _environment(settings: TestSettings, record: Path, *, plant: bool) -> dict[str, str | None]:
    """The project's variables and the witness's; both may have something to put on Python's path."""
    witness = pytest.environment(record, plant=plant)
    paths = [path for path in (witness["PYTHONPATH"], settings.environment.get("PYTHONPATH")) if path]
    coverage_file = str(record.parent / "coverage")
    return {
        **settings.environment,
        **witness,
        "PYTHONPATH": os.pathsep.join(paths),
        "COVERAGE_FILE": coverage_file,
    }


def _control(context: Context, tools: ToolEnvironment, tests: frozenset[str]) -> bool:
    """A failing test, planted in each folder that holds tests, in the project's own configuration.

    One file a folder is imported: for its conftest files, which may turn an outcome round.
    """
    files = sorted({test.partition("::")[0] for test in tests}, reverse=True)
    paths = tuple({posixpath.dirname(file): file for file in files}.values())
    return pytest.caught(run_tests(context, tools, paths, "", plant=True))


def _measured_files(snapshot: Snapshot, settings: TestSettings) -> tuple[tuple[str, ...], tuple[NotChecked, ...]]:
    """The files whose coverage counts: those below the measured folders that are neither tests nor excluded."""
    files = [
        path
        for path in snapshot.files(settings.coverage, "*.py")
        if not any(is_below(path, tests) for tests in settings.paths)
    ]
    return apply_exclusions(files, settings.exclude)


def _concerns(conftest: str, paths: tuple[str, ...]) -> bool:
    """Whether pytest reads a conftest.py for the tests below these paths: it lies in or above one of them."""
    folder = conftest.rpartition("/")[0]
    return any(is_below(path, folder) or is_below(folder, path) for path in paths)


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
