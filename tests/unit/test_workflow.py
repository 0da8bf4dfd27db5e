"""GitHub's workflow is the pipeline's own list of stages, grants nothing needless, and can't end green by a skip."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.finding_tools import FINDING_TOOLS
from pipeline.reporters import sarif
from pipeline.reporters.file_names import file_names
from pipeline.settings import STAGE_NAMES
from pipeline.stages.registry import pipeline_stages

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / ".github/workflows/pipeline.yml"
TEXT = FILE.read_text(encoding="utf-8")
# YAML 1.1 reads the key `on` as a truth value.
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
ALERTS = "code-scanning"
STEPS = [(job, step) for job, content in JOBS.items() for step in content["steps"]]
PINNED = re.compile(r"^\s*(?:- )?uses: (?P<action>[\w.-]+/[\w./-]+)@(?P<sha>[0-9a-f]{40}) # v\d+\.\d+\.\d+$")


def steps_using(action: str) -> list[dict[str, Any]]:
    """Every step of the workflow that uses the action."""
    return [step for _, step in STEPS if step.get("uses", "").startswith(f"{action}@")]


def wrapper_calls(job: str) -> list[tuple[str, ...]]:
    """The arguments of each step of the job that calls noxw and nothing else."""
    lines = [step["run"].strip() for step in JOBS[job]["steps"] if "noxw" in step.get("run", "")]
    return [tuple(line.split()[1:]) for line in lines]


def test_the_steps_are_the_registrys_stages_in_order_one_command_each() -> None:
    names = [stage.name for stage in pipeline_stages(STAGE_NAMES)]
    assert wrapper_calls("pipeline") == [("-s", name) for name in names]
    shown = [step["name"] for step in JOBS["pipeline"]["steps"] if "noxw" in step.get("run", "")]
    assert shown == names


def test_a_failed_stage_does_not_stop_the_later_ones() -> None:
    first, *later = [step for step in JOBS["pipeline"]["steps"] if "noxw" in step.get("run", "")]
    assert "if" not in first
    assert [step["if"] for step in later] == ["${{ !cancelled() }}"] * 8


def test_it_runs_on_every_branch_and_every_pull_request() -> None:
    assert WORKFLOW[True] == {"push": {"branches": ["**"]}, "pull_request": None}


def test_nothing_is_granted_but_reading_the_repository_and_to_one_job_writing_alerts() -> None:
    assert WORKFLOW["permissions"] == {}
    granted = {name: content["permissions"] for name, content in JOBS.items()}
    assert granted.pop(ALERTS) == {"actions": "read", "contents": "read", "security-events": "write"}
    assert list(granted.values()) == [{"contents": "read"}] * (len(JOBS) - 1)


def test_no_code_runs_beside_the_token_that_may_write_alerts() -> None:
    download, *uploads = JOBS[ALERTS]["steps"]
    assert download in steps_using("actions/download-artifact")
    assert uploads == steps_using("github/codeql-action/upload-sarif")
    assert "env" not in JOBS[ALERTS]


def test_each_tool_s_file_is_uploaded_alone_where_there_is_one() -> None:
    download, *uploads = JOBS[ALERTS]["steps"]
    tools = sorted(file_names({tool for tools in FINDING_TOOLS.values() for tool in tools}).values())
    files = [f"{download['with']['path']}/{sarif.UPLOAD.replace('<tool>', tool)}" for tool in tools]
    assert [step["with"] for step in uploads] == [{"sarif_file": file} for file in files]
    assert [step["if"] for step in uploads] == [
        f"${{{{ !cancelled() && hashFiles('{file}') != '' }}}}" for file in files
    ]


def test_alerts_are_uploaded_also_when_a_stage_has_failed() -> None:
    assert JOBS[ALERTS]["needs"] == ["pipeline"]
    condition = JOBS[ALERTS]["if"]
    assert condition == "${{ !cancelled() && !startsWith(github.ref, 'refs/heads/dependabot/') }}"


@pytest.mark.parametrize("line", [line for line in TEXT.splitlines() if "uses:" in line])
def test_every_action_is_pinned_by_its_full_commit_with_the_version_beside_it(line: str) -> None:
    assert PINNED.match(line), line


def test_an_action_has_one_pin() -> None:
    pins = {match["action"]: match["sha"] for line in TEXT.splitlines() if (match := PINNED.match(line))}
    assert {step["uses"] for _, step in STEPS if "uses" in step} == {f"{name}@{sha}" for name, sha in pins.items()}


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = steps_using("actions/checkout")
    assert len(checkouts) == len(JOBS) - 1
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_the_stages_see_the_whole_history() -> None:
    checkout = next(step for step in JOBS["pipeline"]["steps"] if step.get("uses", "").startswith("actions/checkout@"))
    assert checkout["with"]["fetch-depth"] == 0


@pytest.mark.parametrize(("job", "step"), [(job, step) for job, step in STEPS if "run" in step])
def test_no_expression_is_pasted_into_a_script(job: str, step: dict[str, Any]) -> None:
    assert "${{" not in step["run"], f"{job}: {step['name']}"


def test_every_job_is_bounded_and_every_step_named() -> None:
    assert all(0 < content["timeout-minutes"] <= 60 for content in JOBS.values())
    assert all(step.get("name") for _, step in STEPS)
    assert WORKFLOW["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"


def test_summary_and_reports_are_published_however_the_stages_ended() -> None:
    summary, upload = JOBS["pipeline"]["steps"][-2:]
    assert summary["run"] == 'cat reports/summary.md >> "$GITHUB_STEP_SUMMARY"'
    assert upload in steps_using("actions/upload-artifact")
    assert upload["with"] == {"name": "reports", "path": "reports/", "if-no-files-found": "error", "overwrite": True}
    assert summary["if"] == upload["if"] == "${{ always() }}"


def test_the_last_job_always_runs_and_waits_for_every_other() -> None:
    *others, last = [job for job in JOBS if job != ALERTS]
    assert last == "verdict"
    assert JOBS[last]["if"] == "${{ always() }}"
    # Alerts show what the verdict decides; a repository may have them switched off.
    assert JOBS[last]["needs"] == others
    assert all("if" not in JOBS[job] and "needs" not in JOBS[job] for job in others)
    assert "continue-on-error" not in TEXT


def test_no_step_of_the_last_job_can_be_skipped() -> None:
    # A job whose steps were all skipped is a success.
    assert [step["if"] for step in JOBS["verdict"]["steps"]] == ["${{ always() }}"] * len(JOBS["verdict"]["steps"])


def test_the_last_job_asks_for_success_by_name_and_for_the_reports_verdict() -> None:
    steps = JOBS["verdict"]["steps"]
    assert steps[0]["env"] == {"RESULTS": "${{ join(needs.*.result, ' ') }}"}
    assert 'test "$result" = success' in steps[0]["run"]
    download = next(step for step in steps_using("actions/download-artifact") if step in steps)
    assert download["with"] == {"name": "reports", "path": "reports"}
    assert steps.index(download) == len(steps) - 2
    assert wrapper_calls("verdict") == [("verdict",)]
    assert steps[-1]["run"] == "./noxw verdict"


def test_the_projects_own_tests_are_a_job() -> None:
    assert wrapper_calls("selftest") == [("-s", "selftest")]


def test_no_package_archive_or_index_is_named() -> None:
    assert not re.search(r"https?://|\bdeb\.|pypi|index-url", TEXT)
