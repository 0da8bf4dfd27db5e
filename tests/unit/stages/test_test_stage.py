"""The stage ``test``: what outcomes and coverage amount to, and a whole run of it over a small project."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.finding import Finding, Severity
from pipeline.core.ports import ToolEnvironment
from pipeline.core.stage import Examination, Status, not_run
from pipeline.core.verdict import conclude
from pipeline.errors import ConfigurationError, ToolTrouble
from pipeline.settings import Exclusion, Project, Settings
from pipeline.settings import Test as TestSettings
from pipeline.stages.test import TestStage, assess, deselected, expected_tests
from pipeline.testing import ScriptedRunner, outcome
from pipeline.tools import coverage
from pipeline.tools.pytest import Output
from tests.support import make_context, real_processes, snapshot_of, write_files

NAMES = frozenset({"t.py::test_a", "t.py::test_b"})
FULL = ".".join(map(str, sys.version_info[:3]))
SHORT = FULL.rpartition(".")[0]


def _output(**changes: Any) -> Output:
    values: dict[str, Any] = {
        "executed": NAMES,
        "skipped": frozenset(),
        "deselected": frozenset(),
        "findings": (),
        "count": 2,
        **changes,
    }
    return Output(**values)


def _covered(percent: float = 100.0, missing: tuple[str, ...] = ()) -> coverage.Output:
    return coverage.Output(percent=percent, statements=10, covered=int(percent / 10), missing=missing, excluded_lines=0)


def _assess(
    ran: Output, covered: coverage.Output | None = None, *, caught: bool = True, **settings: Any
) -> tuple[Status, str]:
    examination = assess(TestSettings(**settings), NAMES, ran, covered or _covered(), caught=caught)
    status, reasons = conclude(examination)
    return status, " ".join(reasons)


def test_all_that_was_expected_ran_and_passed() -> None:
    status, reasons = _assess(_output())
    assert status is Status.PASS
    assert "2 tests ran, coverage 100.00 % of 10 statements." in reasons


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"executed": frozenset({"t.py::test_a"}), "count": 1}, "1 of 2 test functions were not checked: t.py::test_b"),
        ({"executed": frozenset(), "skipped": NAMES, "count": 1}, "2 of 2 test functions were not checked"),
        ({"executed": frozenset(), "deselected": NAMES, "count": 1}, "There were no test functions to check"),
        ({"doubts": ("pytest did not come to its end.",)}, "did not come to its end"),
    ],
)
def test_what_can_not_be_told_is_inconclusive(changes: dict[str, Any], words: str) -> None:
    status, reasons = _assess(_output(**changes))
    assert status is Status.INCONCLUSIVE
    assert words in reasons


def test_a_function_of_which_some_parameters_are_left_out_still_has_to_run() -> None:
    part = _output(executed=frozenset({"t.py::test_a"}), deselected=NAMES)
    assert _assess(part)[0] is Status.PASS
    assert _assess(_output(deselected=NAMES))[0] is Status.PASS


def test_what_the_markers_leave_out_is_said_by_name() -> None:
    ran = _output(executed=frozenset({"t.py::test_a"}), deselected=frozenset({"t.py::test_b"}))
    settings = TestSettings(markers="not slow")
    assert assess(settings, NAMES, ran, _covered(), caught=True).evidence.expected == {"t.py::test_a"}
    (left_out,) = deselected(settings, NAMES, ran)
    assert left_out.what == "1 test functions: t.py::test_b"
    assert "(not slow)" in left_out.reason
    assert not deselected(settings, NAMES, _output(deselected=NAMES))


@pytest.mark.parametrize(
    ("covered", "settings", "status", "words"),
    [
        (
            _covered(94.999),
            {"coverage_floor": 95.0},
            Status.FAIL,
            "line coverage: allowed at least 95.00 %, found 95.00",
        ),
        (_covered(95.0), {"coverage_floor": 95.0}, Status.PASS, ""),
        (_covered(0.0), {}, Status.PASS, ""),
        (_covered(100.0, ("a.py", "b.py")), {}, Status.INCONCLUSIVE, "Coverage says nothing about a.py, b.py."),
        (_covered(), {"minimum": 3}, Status.FAIL, "tests that ran: allowed at least 3, found 2."),
    ],
)
def test_gates(covered: coverage.Output, settings: dict[str, Any], status: Status, words: str) -> None:
    found, reasons = _assess(_output(), covered, **settings)
    assert found is status
    assert words.replace("found 95.00", "found 94.999") in reasons.replace("95.0 %", "95.00 %")


def test_a_planted_failure_that_is_not_caught_is_a_doubt() -> None:
    status, reasons = _assess(_output(), caught=False)
    assert (status, "did not catch the planted failing test" in reasons) == (Status.INCONCLUSIVE, True)


def test_a_failing_test_fails_and_is_counted() -> None:
    finding = Finding(rule="test-failure", tool="pytest", severity=Severity.HIGH, message="test_a: no", path="t.py")
    examination = assess(TestSettings(), NAMES, _output(findings=(finding,)), _covered(), caught=True)
    assert conclude(examination)[0] is Status.FAIL
    assert examination.metrics == {
        "tests": 2,
        "failed": 1,
        "skipped": 0,
        "coverage": 100.0,
        "covered": 10,
        "statements": 10,
    }


def test_expected_tests_are_those_of_test_files_below_the_paths(tmp_path: Path) -> None:
    code = b"def test_a(): ...\n"
    tree = write_files(
        tmp_path, {"tests/test_x.py": code, "tests/helper.py": code, "other/test_y.py": code, "tests/test_z.py": b"("}
    )
    assert expected_tests(snapshot_of(tree), tree, ("tests",)) == {"tests/test_x.py::test_a", "tests/test_z.py"}


class _ThisEnvironment:
    """The interpreter that runs this test, as the project's environment."""

    def ensure(self, title: str, locks: Sequence[Path]) -> ToolEnvironment:
        """It is there already."""
        del locks
        packages = {"pytest": "9", "pytest-cov": "7", "coverage": "7"}
        root = Path(sys.prefix)
        return ToolEnvironment(
            root=root, python=Path(sys.executable), version=FULL, site_packages=root / title, packages=packages
        )


FILES = {
    "service/app.py": "def one():\n    return 1\n",
    "service/old.py": "x = 1\n",
    "service/tests/test_app.py": (
        "import os\nfrom app import one\n\ndef test_one():\n    assert one() == int(os.environ['ONE'])\n"
    ),
    "service/requirements.txt": "",
    "pytest.ini": "[pytest]\n",
}


def _examine(
    folder: Path, files: dict[str, str], python: str = SHORT, processes: Any = None, cores: int = 0
) -> Examination:
    tree = write_files(folder / "tree", files)
    settings = replace(
        Settings(),
        project=Project(python=python),
        test=TestSettings(
            paths=("service/tests",),
            requirements=("service/requirements.txt",),
            coverage=("service",),
            exclude=(Exclusion(path="service/old.py", reason="nobody uses it"),),
            environment={"ONE": "1", "PYTHONPATH": "service"},
            parallel=cores > 0,
        ),
    )
    runner = processes or real_processes()
    context = make_context(folder, tree, settings, processes=runner, environments=_ThisEnvironment())
    context = replace(context, cores=cores or 1)
    TestStage().check_settings(settings, context.snapshot)
    assert TestStage().still_holds(context, not_run("test", "Only a value."))
    return TestStage().run(context)


def test_tests_that_the_project_calls_parallel_run_in_a_process_a_core_with_the_same_result(tmp_path: Path) -> None:
    alone, spread = _examine(tmp_path / "alone", FILES, cores=1), _examine(tmp_path / "spread", FILES, cores=2)
    assert conclude(spread) == conclude(alone)
    assert conclude(spread)[0] is Status.PASS
    assert (spread.evidence, spread.metrics) == (alone.evidence, alone.metrics)
    log = (tmp_path / "spread/raw/junit.log").read_text(encoding="utf-8")
    assert "created: 2/2 workers" in log, log
    assert "created:" not in (tmp_path / "alone/raw/junit.log").read_text(encoding="utf-8")


def test_a_whole_run_is_green_and_leaves_its_records(tmp_path: Path) -> None:
    examination = _examine(tmp_path, FILES)
    status, reasons = conclude(examination)
    assert (status, examination.metrics["tests"], examination.metrics["coverage"]) == (Status.PASS, 1, 100.0), reasons
    assert [tool.name for tool in examination.tools] == ["pytest", "pytest-cov", "coverage"]
    assert sorted(os.listdir(tmp_path / "raw")) == [
        "coverage.json",
        "junit-record.jsonl",
        "junit.log",
        "junit.xml",
        "measured.json",
    ]
    assert [item.what for item in examination.not_checked] == ["service/old.py (1 file)"]


def test_another_python_than_the_images_is_said(tmp_path: Path) -> None:
    files = {**FILES, "service/tests/test_app.py": "def test_one():\n    assert False\n"}
    examination = _examine(tmp_path, files, python="3.99")
    assert conclude(examination)[0] is Status.FAIL
    assert examination.not_checked[-1].what == "the tests on Python 3.99"


def test_the_exact_version_is_the_wanted_one_too(tmp_path: Path) -> None:
    assert not [item for item in _examine(tmp_path, FILES, python=FULL).not_checked if "Python" in item.what]


def test_no_tests_are_inconclusive_without_running_anything(tmp_path: Path) -> None:
    files = {name: text for name, text in FILES.items() if "tests" not in name}
    examination = _examine(tmp_path, files, processes=ScriptedRunner([]))
    status, reasons = conclude(examination)
    assert (status, "no test functions" in reasons[0]) == (Status.INCONCLUSIVE, True)


def test_a_project_without_pytest_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(ToolTrouble, match="ran nothing"):
        _examine(tmp_path, FILES, processes=ScriptedRunner([outcome(1, stderr="No module named pytest")]))


def test_coverage_of_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    tree = write_files(tmp_path, FILES)
    settings = replace(Settings(), test=TestSettings(coverage=("services",)))
    with pytest.raises(ConfigurationError, match=r"test\.coverage names 'services'"):
        TestStage().check_settings(settings, snapshot_of(tree))


def test_a_run_without_a_coverage_report_is_inconclusive(tmp_path: Path) -> None:
    text = (
        "import atexit, os, sys\nstart = '--cov-report=json:'\n"
        "for word in sys.argv:\n    if word.startswith(start):\n"
        "        atexit.register(os.remove, word.removeprefix(start))\n"
    )
    examination = _examine(tmp_path, {**FILES, "conftest.py": text})
    status, reasons = conclude(examination)
    assert (status, "coverage" in " ".join(reasons).lower()) == (Status.INCONCLUSIVE, True)
    assert examination.metrics["tests"] == 1
