"""What ``lint`` makes of its two tools' outputs, and how it runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.evidence import Control
from pipeline.core.finding import Finding, Severity
from pipeline.core.ports import Outcome, Request
from pipeline.core.stage import Examination, StageResult, Status, not_run
from pipeline.core.verdict import conclude
from pipeline.errors import ConfigurationError
from pipeline.settings import Lint, Settings
from pipeline.settings import Test as ProjectTests
from pipeline.stages.lint import LintStage, assess, score_sentence, without_exempt
from pipeline.testing import ScriptedRunner, outcome
from pipeline.tools import pylint, ruff
from tests.support import FakeEnvironments, make_context, snapshot_of, write_files

FILES = ("a.py", "b.py")
CAUGHT = tuple(Control(tool=tool, planted="name that does not exist", caught=True) for tool in ("ruff", "pylint"))


def from_ruff(*findings: Finding, checked: tuple[str, ...] = FILES, exempt: tuple[str, ...] = ()) -> ruff.Output:
    return ruff.Output(findings=findings, checked=frozenset(checked), exempt=exempt)


def from_pylint(
    *findings: Finding, checked: tuple[str, ...] = FILES, score: float = 10.0, doubts: tuple[str, ...] = ()
) -> pylint.Output:
    return pylint.Output(findings=findings, checked=frozenset(checked), score=score, doubts=doubts)


def finding(severity: Severity) -> Finding:
    return Finding(rule="R", tool="pylint", severity=severity, message="m", path="a.py", line=1)


def previous(score: float | None) -> StageResult:
    return replace(not_run("lint", "A sample."), metrics={"score": score})


def test_everything_checked_and_nothing_found_is_a_pass() -> None:
    assert conclude(assess(Lint(), FILES, from_ruff(), from_pylint(), controls=CAUGHT))[0] is Status.PASS


@pytest.mark.parametrize(("severity", "expected"), [(Severity.LOW, Status.PASS), (Severity.MEDIUM, Status.FAIL)])
def test_the_gate_counts_findings_from_the_threshold_on(severity: Severity, expected: Status) -> None:
    assert conclude(assess(Lint(), FILES, from_ruff(), from_pylint(finding(severity)), controls=CAUGHT))[0] is expected


@pytest.mark.parametrize(
    ("floor", "score", "expected"), [(None, 0.0, Status.PASS), (9.5, 9.5, Status.PASS), (9.5, 9.4999, Status.FAIL)]
)
def test_the_score_may_not_lie_below_its_floor(floor: float | None, score: float, expected: Status) -> None:
    assert (
        conclude(assess(Lint(score_floor=floor), FILES, from_ruff(), from_pylint(score=score), controls=CAUGHT))[0]
        is expected
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (from_ruff(checked=("a.py",)), from_pylint()),
        (from_ruff(), from_pylint(checked=("a.py",))),
        (from_ruff(), from_pylint(doubts=("b.py tells pylint to skip it.",))),
        (from_ruff(checked=("a.py",), exempt=("b.py",)), from_pylint()),
    ],
)
def test_a_file_that_one_tool_did_not_check_is_inconclusive_and_named(one: ruff.Output, other: pylint.Output) -> None:
    status, reasons = conclude(assess(Lint(), FILES, one, other, controls=CAUGHT))
    assert status is Status.INCONCLUSIVE
    assert any("b.py" in reason for reason in reasons)


@pytest.mark.parametrize("silent", [0, 1])
def test_a_control_that_one_tool_did_not_catch_is_inconclusive(silent: int) -> None:
    controls = tuple(replace(control, caught=number != silent) for number, control in enumerate(CAUGHT))
    assert conclude(assess(Lint(), FILES, from_ruff(), from_pylint(), controls=controls))[0] is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("score", "before", "sentence"),
    [
        (10.0, 6.76, "pylint score 10.00/10, previous run 6.76, +3.24."),
        (6.76, 10.0, "pylint score 6.76/10, previous run 10.00, -3.24."),
        (10.0, None, "pylint score 10.00/10, no previous run to compare with."),
    ],
)
def test_the_score_is_shown_with_its_change(score: float, before: float | None, sentence: str) -> None:
    assert score_sentence(score, before) == sentence
    examined = assess(Lint(), FILES, from_ruff(), from_pylint(score=score), controls=CAUGHT, previous=previous(before))
    assert sentence in conclude(examined)[1]
    assert (examined.metrics["score"], examined.metrics["score_previous"]) == (score, before)


def test_a_file_that_exempts_itself_from_ruff_does_not_count_as_checked(tmp_path: Path) -> None:
    tree = write_files(tmp_path, {"a.py": "# ruff: noqa\n", "b.py": "x = 1\n"})
    output = without_exempt(from_ruff(), tree)
    assert output.checked == {"b.py"}
    assert output.exempt == ("a.py",)


# --- running --------------------------------------------------------------------------------------------------------

FAULT = {
    "location": {"row": 6, "column": 12},
    "message": "Undefined name",
    "filename": "a.py",
    "code": "F821",
    "fix": None,
}
Step = Callable[[Request], Outcome]


def ruff_on(tree: Path, *names: str) -> Outcome:
    said = "".join(f"[2026-01-01][00:00:00][ruff::commands::check][DEBUG] Checking: {tree / name}\n" for name in names)
    return outcome(0, "[]", said)


def pylint_walking(of_the_control: str = json.dumps({"messages": [{"messageId": "E0602"}]})) -> Step:
    def step(request: Request) -> Outcome:
        record, planted = request.env[pylint.RECORD_VARIABLE], request.env[pylint.CONTROL_VARIABLE]
        assert record is not None
        assert planted is not None
        assert "absent_name" in Path(planted).read_text(encoding="utf-8")
        names = request.argv[request.argv.index("--") + 1 :]
        Path(record).write_text("".join(f"{request.cwd / name}\n" for name in names), encoding="utf-8")
        Path(planted + pylint.SAID).write_text(of_the_control, encoding="utf-8")
        return outcome(0, json.dumps({"messages": [], "statistics": {"score": 10.0}}))

    return step


def run(tmp_path: Path, files: dict[str, str], *steps: Step | Outcome) -> tuple[Examination, ScriptedRunner]:
    tree = write_files(tmp_path / "tree", {**files, "requirements.txt": ""})
    runner = ScriptedRunner(steps)
    settings = Settings(lint=Lint(paths=(".",)), test=ProjectTests(requirements=("requirements.txt",)))
    environments = FakeEnvironments({"ruff": "0.17.6", "pylint": "4.1.4"})
    return LintStage().run(
        make_context(tmp_path / "run", tree, settings, processes=runner, environments=environments)
    ), runner


def test_a_run_has_both_tools_check_the_files_and_a_planted_fault(tmp_path: Path) -> None:
    control = outcome(1, json.dumps([FAULT]))
    steps = (ruff_on(tmp_path / "tree", "a.py"), control, pylint_walking())
    examined, runner = run(tmp_path, {"a.py": "X = 1\n"}, *steps)
    assert conclude(examined)[0] is Status.PASS
    assert [(tool.name, tool.version) for tool in examined.tools] == [("ruff", "0.17.6"), ("pylint", "4.1.4")]
    assert (tmp_path / "run/raw/pylint-walked.txt").read_text(encoding="utf-8") == "a.py\n"
    assert runner.requests[1].argv[-2:] == ("--stdin-filename=a.py", "-")


@pytest.mark.parametrize("said", ["", "{", "[]", '{"messages": []}', '{"messages": [{"messageId": "C0114"}]}'])
def test_a_pylint_that_does_not_tell_of_the_planted_fault_is_inconclusive(tmp_path: Path, said: str) -> None:
    steps = (ruff_on(tmp_path / "tree", "a.py"), outcome(1, json.dumps([FAULT])), pylint_walking(said))
    status, reasons = conclude(run(tmp_path, {"a.py": "X = 1\n"}, *steps)[0])
    assert status is Status.INCONCLUSIVE
    assert any("pylint did not catch" in reason for reason in reasons)


def test_a_pylint_that_walks_nothing_is_inconclusive(tmp_path: Path) -> None:
    silent = outcome(0, json.dumps({"messages": [], "statistics": {"score": 10.0}}))
    steps = (ruff_on(tmp_path / "tree", "a.py"), outcome(1, json.dumps([FAULT])), silent)
    status, reasons = conclude(run(tmp_path, {"a.py": "X = 1\n"}, *steps)[0])
    assert status is Status.INCONCLUSIVE
    assert "1 of 1 Python files were not checked: a.py." in reasons


def test_no_python_file_is_inconclusive_and_nothing_is_run(tmp_path: Path) -> None:
    examined, runner = run(tmp_path, {"note.txt": ""})
    assert conclude(examined)[0] is Status.INCONCLUSIVE
    assert not runner.requests


def test_a_path_that_is_not_in_the_snapshot_is_refused(tmp_path: Path) -> None:
    snapshot = snapshot_of(write_files(tmp_path, {"a.py": ""}))
    with pytest.raises(ConfigurationError, match=r"lint\.paths names 'absent'"):
        LintStage().check_settings(Settings(lint=Lint(paths=("absent",))), snapshot)
