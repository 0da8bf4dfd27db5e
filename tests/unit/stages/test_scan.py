"""What ``scan`` makes of bandit's output, and how it runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.evidence import Control
from pipeline.core.file_results import FileResults
from pipeline.core.finding import Confidence, Finding, Severity
from pipeline.core.ports import Outcome, Request
from pipeline.core.stage import Examination, Status
from pipeline.core.verdict import conclude
from pipeline.errors import ConfigurationError, ToolTrouble
from pipeline.execution.file_results import ShelvedResults
from pipeline.settings import Exclusion, Scan, Settings
from pipeline.stages.scan import CONTROL_RULE, CONTROL_SOURCE, ScanStage, assess, own_configuration
from pipeline.testing import ScriptedRunner, SilentProgress, outcome
from pipeline.tools import bandit
from tests.support import FakeEnvironments, make_context, snapshot_of, write_files

CAUGHT = Control(tool="bandit", planted="call of a shell", caught=True)
FILES = ("a.py", "b.py")


def finding(severity: Severity, confidence: Confidence = Confidence.HIGH) -> Finding:
    return Finding(rule="B1", tool="bandit", severity=severity, confidence=confidence, message="m", path="a.py", line=1)


def output(*findings: Finding, checked: tuple[str, ...] = FILES, doubts: tuple[str, ...] = ()) -> bandit.Output:
    return bandit.Output(findings=findings, checked=frozenset(checked), doubts=doubts)


def status(examination: Examination) -> Status:
    return conclude(examination)[0]


def test_everything_checked_and_nothing_found_is_a_pass() -> None:
    assert status(assess(Scan(), FILES, output(), control=CAUGHT)) is Status.PASS


@pytest.mark.parametrize(
    ("severity", "confidence", "expected"),
    [
        (Severity.HIGH, Confidence.LOW, Status.PASS),
        (Severity.HIGH, Confidence.MEDIUM, Status.FAIL),
        (Severity.MEDIUM, Confidence.HIGH, Status.FAIL),
        (Severity.LOW, Confidence.HIGH, Status.PASS),
        (Severity.UNKNOWN, Confidence.UNKNOWN, Status.FAIL),
    ],
)
def test_the_gate_counts_what_reaches_both_thresholds(
    severity: Severity, confidence: Confidence, expected: Status
) -> None:
    settings = Scan(fail_on=Severity.MEDIUM, confidence=Confidence.MEDIUM)
    examined = assess(settings, FILES, output(finding(severity, confidence)), control=CAUGHT)
    assert status(examined) is expected
    # What is not counted is shown all the same.
    assert len(examined.findings) == 1


def test_a_file_that_was_not_scanned_is_inconclusive_and_named() -> None:
    result, reasons = conclude(
        assess(Scan(), FILES, output(checked=("a.py",), doubts=("bandit could not scan b.py.",)), control=CAUGHT)
    )
    assert result is Status.INCONCLUSIVE
    assert any("b.py" in reason for reason in reasons)


def test_a_control_that_was_not_caught_is_inconclusive() -> None:
    result, reasons = conclude(assess(Scan(), FILES, output(), control=replace(CAUGHT, caught=False)))
    assert result is Status.INCONCLUSIVE
    assert reasons == ("bandit did not catch the planted call of a shell, so its silence proves nothing.",)


def test_configuration_that_was_not_applied_is_shown() -> None:
    examined = assess(Scan(), FILES, output(), control=CAUGHT, ignored=("pyproject.toml",))
    assert "pyproject.toml was not applied" in conclude(examined)[1][0]


@pytest.mark.parametrize(
    ("files", "places"),
    [
        ({}, ()),
        ({"pyproject.toml": "[tool.other]\n"}, ()),
        ({"pyproject.toml": '[tool.bandit]\nskips = ["B602"]\n'}, ("pyproject.toml",)),
        ({".bandit": "[bandit]\n", "bandit.yaml": "skips: []\n"}, (".bandit", "bandit.yaml")),
    ],
)
def test_configuration_of_the_projects_own_is_named(
    tmp_path: Path, files: dict[str, str], places: tuple[str, ...]
) -> None:
    assert own_configuration(write_files(tmp_path, files)) == places


# --- running --------------------------------------------------------------------------------------------------------

Step = Callable[[Request], Outcome]


def writing(
    *rules: str,
    checked: tuple[str, ...] | None = None,
    text: str | None = None,
    exit_code: int | None = None,
    hidden: int = 0,
) -> Step:
    """A bandit that writes such an output for what it is given."""

    def step(request: Request) -> Outcome:
        argv = request.argv
        names = checked if checked is not None else argv[argv.index("--") + 1 :]
        metrics: dict[str, Any] = {f"./{name}": {"nosec": hidden, "skipped_tests": 0} for name in names}
        if rules:
            metrics[f"./{names[0]}"]["SEVERITY.HIGH"] = len(rules)
        results = [
            {
                "test_id": rule, "test_name": "name", "issue_severity": "HIGH", "issue_confidence": "HIGH",
                "issue_text": "Bad.", "issue_cwe": {"id": 78}, "filename": f"./{names[0]}", "line_number": 1,
                "col_offset": 0, "more_info": "there",
                "code": "1 x\n",
            }
            for rule in rules
        ]  # fmt: skip
        document = {"metrics": {**metrics, "_totals": {"SEVERITY.HIGH": len(rules)}}, "results": results, "errors": []}
        written = Path(argv[argv.index("--output") + 1])
        written.write_text(json.dumps(document) if text is None else text, encoding="utf-8")
        return outcome(int(bool(rules)) if exit_code is None else exit_code, stderr="said")

    return step


def run(
    tmp_path: Path,
    files: dict[str, str],
    *steps: Step | Outcome,
    settings: Scan | None = None,
    results: FileResults | None = None,
) -> tuple[Examination, ScriptedRunner]:
    """What the stage makes of files, with these steps in the place of bandit."""
    tree = write_files(tmp_path / "tree", files)
    runner = ScriptedRunner(steps)
    environments = FakeEnvironments({"bandit": "1.9.4"})
    context = make_context(
        tmp_path / "run",
        tree,
        Settings(scan=settings or Scan(paths=(".",))),
        processes=runner,
        environments=environments,
        file_results=results,
    )
    return ScanStage().run(context), runner


def test_a_run_scans_the_files_then_the_planted_fault_and_keeps_its_output(tmp_path: Path) -> None:
    files = {"a.py": "x = 1  # nosec - a sample\n", "note.txt": ""}
    examined, runner = run(tmp_path, files, writing(hidden=1), writing(CONTROL_RULE))
    assert status(examined) is Status.PASS
    assert examined.evidence.checked == {"a.py"}
    assert [(tool.name, tool.version) for tool in examined.tools] == [("bandit", "1.9.4")]
    assert [s.line for s in examined.suppressions] == [1]
    assert sorted(path.name for path in (tmp_path / "run/raw").iterdir()) == ["bandit-1.json", "bandit-1.log"]
    real, control = runner.requests[0], runner.requests[1]
    assert (real.cwd, control.cwd) == (tmp_path / "tree", tmp_path / "run/scratch/planted")
    assert (control.cwd / "planted_fault.py").read_text(encoding="utf-8") == CONTROL_SOURCE
    # But for the output's place and the files, the planted fault is scanned with the same command.
    assert [a for a in real.argv if a != "a.py" and "json" not in a] == [
        a for a in control.argv if a != "planted_fault.py" and "json" not in a
    ]


def test_a_planted_fault_that_is_not_reported_is_not_caught(tmp_path: Path) -> None:
    examined, _ = run(tmp_path, {"a.py": ""}, writing(), writing("B404"))
    assert status(examined) is Status.INCONCLUSIVE


def test_no_output_at_all_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(ToolTrouble, match=r"bandit wrote no output\. It says: killed"):
        run(tmp_path, {"a.py": ""}, outcome(0, stderr="killed"))


def test_an_empty_output_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(ToolTrouble, match="not whole"):
        run(tmp_path, {"a.py": ""}, writing(text=""))


def test_no_python_file_is_inconclusive_and_nothing_is_run(tmp_path: Path) -> None:
    examined, runner = run(tmp_path, {"note.txt": ""})
    assert status(examined) is Status.INCONCLUSIVE
    assert not runner.requests


def test_an_excluded_file_is_not_expected_and_is_named_with_the_reason(tmp_path: Path) -> None:
    settings = Scan(paths=(".",), exclude=(Exclusion(path="old", reason="It is generated."),))
    examined, _ = run(tmp_path, {"a.py": "", "old/b.py": ""}, writing(), writing(CONTROL_RULE), settings=settings)
    assert examined.evidence.expected == {"a.py"}
    assert [n.reason for n in examined.not_checked] == ["It is generated."]


@pytest.mark.parametrize(
    ("source", "hidden", "settings", "expected"),
    [
        ("x = 1  # nosec B105 - a sample word\n", 1, Scan(paths=(".",)), Status.PASS),
        ("x = 1  # nosec B105\n", 1, Scan(paths=(".",)), Status.FAIL),
        ("x = 1  # nosec B105 - a sample word\n", 0, Scan(paths=(".",)), Status.FAIL),
        ("x = 1  # nosec B105 - a sample word\n", 1, Scan(paths=(".",), max_nosec=0), Status.FAIL),
        ("x = 1  # nosec B105 - a sample word\n", 1, Scan(paths=(".",), max_nosec=1), Status.PASS),
        ("x = 1\n", 0, Scan(paths=(".",), fail_on=Severity.CRITICAL), Status.FAIL),
    ],
)
def test_comments_need_a_reason_and_a_use_and_there_is_a_most(
    tmp_path: Path, source: str, hidden: int, settings: Scan, expected: Status
) -> None:
    examined, _ = run(tmp_path, {"a.py": source}, writing(hidden=hidden), writing(CONTROL_RULE), settings=settings)
    assert status(examined) is expected


def test_of_a_file_that_bandit_could_not_scan_no_comment_is_called_useless(tmp_path: Path) -> None:
    files = {"a.py": "x = 1\n", "b.py": "x = (  # nosec - a sample word\n"}
    examined, _ = run(tmp_path, files, writing(checked=("a.py",)), writing(CONTROL_RULE))
    assert status(examined) is Status.INCONCLUSIVE


def test_exclusions_that_cover_everything_are_a_finding_unless_nothing_is_expected(tmp_path: Path) -> None:
    exclude = (Exclusion(path="a.py", reason="It is generated code."),)
    examined, _ = run(tmp_path / "1", {"a.py": ""}, settings=Scan(paths=(".",), exclude=exclude))
    assert status(examined) is Status.FAIL
    assert [(f.tool, f.rule) for f in examined.findings] == [("pipeline", "excludes-everything")]
    said = Scan(paths=(".",), exclude=exclude, expect_nothing="All of it is generated.")
    examined, runner = run(tmp_path / "2", {"a.py": ""}, settings=said)
    assert status(examined) is Status.PASS
    assert not runner.requests
    assert [n.reason for n in examined.not_checked] == ["It is generated code.", "All of it is generated."]


def test_something_where_nothing_was_expected_fails(tmp_path: Path) -> None:
    settings = Scan(paths=(".",), expect_nothing="There is no code here.")
    examined, _ = run(tmp_path, {"a.py": ""}, writing(), writing(CONTROL_RULE), settings=settings)
    assert status(examined) is Status.FAIL
    assert "Python files to check: allowed 0 (scan.expect_nothing), found 1." in conclude(examined)[1]


def test_a_path_that_is_not_in_the_snapshot_is_refused(tmp_path: Path) -> None:
    snapshot = snapshot_of(write_files(tmp_path, {"a.py": ""}))
    ScanStage().check_settings(Settings(scan=Scan(paths=("a.py",))), snapshot)
    with pytest.raises(ConfigurationError, match=r"scan\.paths names 'absent'"):
        ScanStage().check_settings(Settings(scan=Scan(paths=("absent",))), snapshot)


# --- what earlier runs said -----------------------------------------------------------------------------------------


def scanned(runner: ScriptedRunner) -> tuple[str, ...]:
    """The files that bandit was given, the planted one left out."""
    given = [name for request in runner.requests for name in request.argv[request.argv.index("--") + 1 :]]
    return tuple(name for name in given if name != "planted_fault.py")


def test_only_what_changed_is_scanned_again_and_everything_is_reported(tmp_path: Path) -> None:
    results = ShelvedResults(tmp_path / "shelves", SilentProgress())
    files = {"a.py": "x = 1\n", "b.py": "y = 1\n"}
    first, _ = run(tmp_path / "1", files, writing("B602"), writing(CONTROL_RULE), results=results)
    again, runner = run(tmp_path / "2", {**files, "b.py": "y = 2\n"}, writing(), writing(CONTROL_RULE), results=results)
    assert scanned(runner) == ("b.py",)
    assert again.evidence.checked == {"a.py", "b.py"}
    assert (
        [(f.rule, f.path) for f in again.findings] == [(f.rule, f.path) for f in first.findings] == [("B602", "a.py")]
    )
    assert (first.metrics["files_reused"], again.metrics["files_reused"]) == (0, 1)
    _, runner = run(tmp_path / "3", files, writing(CONTROL_RULE), results=results)
    assert not scanned(runner)


@pytest.mark.parametrize(
    ("files", "again"),
    [
        ({"a.py": "x = 1\n"}, ()),
        ({"renamed.py": "x = 1\n"}, ("renamed.py",)),
        ({"a.py": "x = 1\n", "__init__.py": ""}, ("__init__.py",)),
        ({"p/a.py": "x = 1\n", "p/__init__.py": ""}, ("p/__init__.py", "p/a.py")),
    ],
)
def test_content_name_and_package_decide(tmp_path: Path, files: dict[str, str], again: tuple[str, ...]) -> None:
    results = ShelvedResults(tmp_path / "shelves", SilentProgress())
    run(tmp_path / "1", {"a.py": "x = 1\n"}, writing(), writing(CONTROL_RULE), results=results)
    steps = (writing(), writing(CONTROL_RULE)) if again else (writing(CONTROL_RULE),)
    _, runner = run(tmp_path / "2", files, *steps, results=results)
    assert scanned(runner) == again


@pytest.mark.parametrize(
    ("said", "control"),
    [
        (writing("B105"), CONTROL_RULE),
        (writing(), "B404"),
        (writing(checked=()), CONTROL_RULE),
    ],
)
def test_of_a_password_a_blind_bandit_and_a_file_left_out_nothing_is_kept(
    tmp_path: Path, said: Step, control: str
) -> None:
    results = ShelvedResults(tmp_path / "shelves", SilentProgress())
    run(tmp_path / "1", {"a.py": "x = 1\n"}, said, writing(control), results=results)
    assert not results.read("bandit")


def test_what_was_said_of_a_file_that_changed_meanwhile_is_not_kept(tmp_path: Path) -> None:
    def editing(request: Request) -> Outcome:
        (request.cwd / "a.py").write_text("y = 1\n", encoding="utf-8")
        return writing()(request)

    results = ShelvedResults(tmp_path / "shelves", SilentProgress())
    run(tmp_path / "1", {"a.py": "x = 1\n"}, editing, writing(CONTROL_RULE), results=results)
    assert not results.read("bandit")
