"""A run against an earlier revision: only what is new fails, and nothing that could not be told becomes green."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.comparison import measured, undecided
from pipeline.core.emptied_gates import TOOL
from pipeline.core.evidence import Evidence
from pipeline.core.finding import Severity, with_fingerprints
from pipeline.core.gate import check_gate, findings_gate
from pipeline.core.stage import Examination
from pipeline.earlier import Earlier
from pipeline.errors import ConfigurationError, CouldNotTell, ToolTrouble
from pipeline.settings import Lint, Settings
from pipeline.settings import Test as ProjectTests
from pipeline.stages.context import Context
from tests.looking import COVERAGE, carry_out, look, looking, stage, states
from tests.projects import SampleStage, git, make_project
from tests.support import make_context

TABLE = 'required = ["scan"]'


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    """One finding, committed."""
    files = {"service/app.py": "def f():\n    BAD = 1\n    return 1\n", COVERAGE: "900"}
    return make_project(tmp_path / "project", TABLE, files)


def write(project: Path, text: str, name: str = "service/app.py") -> None:
    """Change a file."""
    (project / name).write_text(text, encoding="utf-8")


def test_an_old_finding_is_shown_and_does_not_fail(project: Path) -> None:
    assert carry_out(project, looking())["verdict"] == "fail"
    report = carry_out(project, looking(), against="HEAD")
    assert report["verdict"] == "pass"
    assert states(report) == ["existing"]
    assert stage(report)["findings"] == {"new": 0, "existing": 1, "waived": 0}
    assert "1 finding was there before, in HEAD" in " ".join(stage(report)["reasons"])


def test_a_new_finding_fails_and_the_old_one_beside_it_stays_old(project: Path) -> None:
    write(project, "import os\n\n\ndef f():\n    BAD = 1\n    return 1\n\n\ndef g():\n    BAD = 1\n")
    report = carry_out(project, looking(), against="HEAD")
    assert stage(report)["status"] == "fail"
    assert stage(report)["gates"][0]["found"] == "1"
    assert states(report) == ["existing", "new"]


def test_evidence_is_judged_on_everything(project: Path) -> None:
    write(project, "def f():\n    BAD = 1\n    return 1\n\n\nDOUBT = 1\n")
    report = carry_out(project, looking(), against="HEAD")
    assert states(report) == ["existing"]
    assert stage(report)["status"] == "inconclusive"


def test_a_tool_that_breaks_down_today_is_not_saved_by_the_comparison(project: Path) -> None:
    calls = []

    def broken(context: Context) -> Examination:
        calls.append(context)
        raise ToolTrouble("The tool crashed.")

    report = carry_out(project, looking(examine=broken), against="HEAD")
    assert stage(report)["status"] == "inconclusive"
    assert len(calls) == 1


def test_a_tool_that_breaks_down_there_leaves_it_open(project: Path) -> None:
    def broken_there(context: Context) -> Examination:
        if "against" in str(context.tree):
            raise ToolTrouble("The tool crashed.")
        return look(context)

    report = carry_out(project, looking(examine=broken_there), against="HEAD")
    assert stage(report)["status"] == "inconclusive"
    assert "Which of 1 findings are new can't be told" in stage(report)["reasons"][0]
    write(project, "CLEAN = 1\n")
    report = carry_out(project, looking(examine=broken_there), against="HEAD")
    assert stage(report)["status"] == "inconclusive"
    assert "could not be told: The tool crashed." in stage(report)["reasons"][0]


def test_a_revision_that_could_not_be_run_at_all_forgives_nothing(project: Path) -> None:
    def refused_there(context: Context) -> Examination:
        if "against" in str(context.tree):
            raise ConfigurationError("There is no lock.")
        return look(context)

    report = carry_out(project, looking(examine=refused_there), against="HEAD")
    assert stage(report)["status"] == "fail"
    assert "so everything counts as new: There is no lock." in " ".join(stage(report)["reasons"])


def test_what_the_revision_hides_counts_as_new(project: Path) -> None:
    write(project, "DOUBT = 1\n", "service/other.py")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "doubt")
    write(project, "BAD = 1\n", "service/other.py")
    report = carry_out(project, looking(), against="HEAD")
    assert stage(report)["status"] == "fail"
    assert "could not tell everything" in " ".join(stage(report)["reasons"])


def test_a_shallow_clone_is_inconclusive_with_the_advice_to_fetch_more(project: Path, tmp_path: Path) -> None:
    old = git(project, "rev-parse", "HEAD").strip()
    git(project, "commit", "-q", "--allow-empty", "-m", "second")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{project}", "clone")
    (tmp_path / "clone/service/app.py").write_text("CLEAN = 1\n", encoding="utf-8")
    report = carry_out(tmp_path / "clone", looking(), against=old)
    assert {item["name"]: item["status"] for item in report["stages"]} == {
        "policy": "inconclusive",
        "scan": "inconclusive",
    }
    assert all("git fetch --unshallow" in item["reasons"][0] for item in report["stages"])
    git(tmp_path / "clone", "checkout", "-q", ".")
    report = carry_out(tmp_path / "clone", looking(), against=old)
    assert stage(report)["status"] == "inconclusive"
    assert "Which of 1 findings are new can't be told" in stage(report)["reasons"][0]


def test_the_revision_is_examined_once_for_its_content(project: Path) -> None:
    scan = looking()
    for _ in range(2):
        carry_out(project, scan, against="HEAD")
    assert sum("against" in str(context.tree) for context in scan.calls) == 1
    write(project, "OTHER = 1\n", "service/more.py")
    carry_out(project, scan, against="HEAD")
    assert sum("against" in str(context.tree) for context in scan.calls) == 1
    for path in (project / ".pipeline/cache/against").iterdir():
        path.write_text("damaged", encoding="utf-8")
    carry_out(project, scan, against="HEAD")
    assert sum("against" in str(context.tree) for context in scan.calls) == 2


@pytest.mark.parametrize("how", ["another's", "changed", "without a seal", "cut short"])
def test_a_kept_answer_that_is_not_what_was_kept_is_found_out_again(project: Path, how: str) -> None:
    kept = project / ".pipeline/cache/against"
    write(project, "def f():\n    return 1\n")
    git(project, "commit", "-q", "-a", "-m", "no finding")
    assert carry_out(project, looking(), against="HEAD")["verdict"] == "pass"
    (clean,) = kept.glob("*.json")
    carry_out(project, looking(), against="HEAD~1")
    (bad,) = set(kept.glob("*.json")) - {clean}
    seal, _, told = bad.read_text().partition("\n")
    changed = {
        "another's": f"{seal}\n{told}",
        "changed": f"{clean.read_text().partition(chr(10))[0]}\n{told}",
        "without a seal": told,
        "cut short": clean.read_text()[:80],
    }
    clean.write_text(changed[how])
    write(project, "def f():\n    BAD = 1\n    return 1\n")
    report = carry_out(project, looking(), against="HEAD")
    assert (report["verdict"], states(report)) == ("fail", ["new"])


def test_the_revision_is_examined_with_today_s_settings_and_its_own_files(project: Path) -> None:
    scan = looking()
    write(project, "CLEAN = 1\n")
    carry_out(project, scan, against="HEAD", PIPELINE_SCAN_FAIL_ON="high")
    today, there = scan.calls
    assert there.settings is today.settings
    assert there.snapshot.digest != today.snapshot.digest
    assert not there.arguments
    assert there.raw != today.raw


def test_an_online_audit_is_asked_anew_each_time(project: Path) -> None:
    audit = looking("audit")
    for _ in range(2):
        carry_out(project, audit, against="HEAD")
    assert len(audit.calls) == 4


def test_an_offline_audit_is_kept_for_its_advisories(project: Path, tmp_path: Path) -> None:
    audit, export = looking("audit"), tmp_path / "export.zip"
    for content in (b"one", b"one", b"two"):
        export.write_bytes(content)
        carry_out(project, audit, against="HEAD", PIPELINE_AUDIT_ADVISORIES=str(export))
    assert sum("against" in str(context.tree) for context in audit.calls) == 2


def test_the_cache_keeps_the_newest(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.earlier.MOST_KEPT", 1)
    for threshold in ("high", "low"):
        carry_out(project, looking(), against="HEAD", PIPELINE_SCAN_FAIL_ON=threshold)
    assert len(list((project / ".pipeline/cache/against").iterdir())) == 1


def test_an_answer_that_another_stage_has_just_forgotten_is_no_trouble(project: Path) -> None:
    kept = project / ".pipeline/cache/against"
    kept.mkdir(parents=True)
    # Listed, and no longer there when it is looked at.
    (kept / "gone.json").symlink_to("nowhere")
    assert carry_out(project, looking(), against="HEAD")["verdict"] == "pass"
    assert len(list(kept.glob("*.json"))) == 2


def test_a_finding_about_today_s_own_configuration_is_never_an_old_one(project: Path) -> None:
    def of_pipeline(context: Context) -> Examination:
        seen = look(context)
        own = tuple(
            type(finding)(
                rule="no-rules", tool=TOOL, severity=Severity.HIGH, message="Empty.", path=finding.path, line=2
            )
            for finding in seen.findings
        )
        gate = findings_gate(own, what="own", fail_on=Severity.MEDIUM)
        return Examination(evidence=seen.evidence, gates=(gate,), findings=with_fingerprints(own))

    report = carry_out(project, looking(examine=of_pipeline), against="HEAD")
    assert states(report) == ["new"]
    assert report["verdict"] == "fail"


def test_other_stages_are_not_compared(project: Path) -> None:
    own = looking("own")
    report = carry_out(project, own, against="HEAD")
    assert states(report) == ["new"]
    assert len(own.calls) == 1


def test_a_failing_test_is_never_an_old_one(project: Path) -> None:
    report = carry_out(project, looking("test"), against="HEAD")
    assert states(report) == ["new"]


@pytest.mark.parametrize(
    ("covered", "tolerance", "met"),
    [("900", "0", True), ("899", "0", False), ("899", "0.1", True), ("898", "0.1", False)],
)
def test_coverage_may_not_sink_below_the_revision_s(project: Path, covered: str, tolerance: str, met: bool) -> None:
    write(project, "CLEAN = 1\n")
    write(project, covered, COVERAGE)
    report = carry_out(project, looking("test"), against="HEAD", PIPELINE_TEST_COVERAGE_TOLERANCE=tolerance)
    gate = next(
        gate for gate in stage(report, "test")["gates"] if gate["what"].startswith("line coverage against 90.00 %")
    )
    assert gate["passed"] is met
    assert stage(report, "test")["metrics"]["coverage_against"] == 90.0
    assert not stage(report, "test")["reasons"][1:] or not met


@pytest.mark.parametrize(
    ("bad", "tolerance", "met"), [(1, "0", True), (2, "0", False), (2, "1", True), (3, "1.5", False)]
)
def test_the_score_may_not_sink_below_the_revision_s(project: Path, bad: int, tolerance: str, met: bool) -> None:
    write(project, "def f():\n" + "    BAD = 1\n" * bad + "    return 1\n")
    report = carry_out(project, looking("lint"), against="HEAD", PIPELINE_LINT_SCORE_TOLERANCE=tolerance)
    gate = next(gate for gate in stage(report, "lint")["gates"] if gate["what"].startswith("pylint score against 9.00"))
    assert gate["passed"] is met


def examined(**values: Any) -> Examination:
    """An examination that saw everything."""
    return Examination(evidence=Evidence.of("files", expected=("a",), checked=("a",)), **values)


def test_what_one_side_has_not_measured_is_not_compared(tmp_path: Path) -> None:
    context = make_context(tmp_path / "run", tmp_path, Settings(lint=Lint(), test=ProjectTests()))
    seen = examined(metrics={"score": 9.0, "statements": 0, "covered": 0})
    assert measured(seen, Earlier(), context, "abc").gates == ()
    assert measured(examined(), Earlier(score=9.0, coverage=9.0), context, "abc").gates == ()


def test_a_certain_fault_beside_an_unknown_revision_is_a_fault(project: Path) -> None:
    seen = examined(gates=(check_gate(False, what="score", allowed="9", found="1"),))
    assert undecided(seen, "Unknown.").doubts == ("Unknown.",)
    with pytest.raises(CouldNotTell, match=r"Which of 1 findings are new can't be told\. Unknown\."):
        found = carry_out(project, looking())
        assert found
        undecided(look(_context(project)), "Unknown.")


def _context(project: Path) -> Context:
    scan = looking()
    carry_out(project, scan)
    return scan.calls[0]


def test_the_report_says_what_it_was_compared_with_and_results_against_another_are_none(project: Path) -> None:
    commit = git(project, "rev-parse", "HEAD").strip()
    write(project, "CLEAN = 1\n")
    stages: tuple[SampleStage, ...] = (looking(), looking("lint"))
    report = carry_out(project, *stages, against="HEAD")
    assert report["policy"]["against"] == {"revision": "HEAD", "source": "--against", "commit": commit}
    assert report["policy"]["effective"]["against"] == commit
    assert carry_out(project, *stages)["policy"]["digest"] != report["policy"]["digest"]
    assert carry_out(project, *stages)["policy"]["against"] is None


def test_the_steps_of_a_run_are_compared_with_the_same_revision(project: Path) -> None:
    carry_out(project, looking(), against="HEAD", run_id="one")
    carry_out(project, looking(), against="HEAD", run_id="one")
    with pytest.raises(ConfigurationError, match="same revision"):
        carry_out(project, looking(), run_id="one")


def test_results_and_commands_say_how_to_repeat_them(project: Path) -> None:
    report = carry_out(project, looking(), against="HEAD")
    assert [item["command"] for item in report["stages"]] == [
        "pipeline run lint --against HEAD",
        "nox -s scan -- --against HEAD",
    ]
    assert json.loads((project / "reports/stages/policy/result.json").read_text(encoding="utf-8"))["status"] == "pass"
