"""The workflow in the hands of tools that are not ours: zizmor, the published schema, and act, which executes it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.reporters import FORMATS
from pipeline.settings import STAGE_NAMES
from tests.projects import git, make_project

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(".github/workflows/pipeline.yml")
TEXT = (ROOT / FILE).read_text(encoding="utf-8")
STANDINS = ROOT / "tests/fixtures/actions"
REPLACED = {
    "actions/setup-python": "setup-python",
    "actions/upload-artifact": "upload-artifact",
    "actions/download-artifact": "download-artifact",
    "github/codeql-action": "codeql-action",
}
STAGE_CALLS = [f"-s {name}" for name in STAGE_NAMES]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What act made of the workflow: exit code, results of jobs and of steps (as ``job: step``), and what was left."""

    exit_code: int
    jobs: Mapping[str, str]
    steps: Mapping[str, str]
    calls: list[str]
    reports: Path
    log: str

    @property
    def report(self) -> dict[str, Any]:
        """The merged report in the uploaded artifact."""
        document: dict[str, Any] = json.loads((self.reports / "pipeline.json").read_text(encoding="utf-8"))
        return document


def program(name: str) -> str:
    """A tool of the environment that runs the tests."""
    return str(Path(sys.executable).parent / name)


def execute(repository: Path, workflow: str, folder: Path, timeout_s: float, **variables: str) -> Ran:
    """Run ``workflow`` (text) for a push to the repository, all processes on this host and all traces in ``folder``."""
    artifacts, calls, home = folder / "artifacts", folder / "calls", folder / "home"
    for path in (artifacts, home / "bin"):
        path.mkdir(parents=True)
    # The runner's way to become root: here nothing is to be installed.
    (home / "bin/sudo").write_text('#!/bin/sh\necho "sudo $*"\n', encoding="utf-8")
    (home / "bin/sudo").chmod(0o755)
    calls.touch()
    # Beside the repository and not in it, so that a test may alter it and leave the snapshot as it is.
    (folder / FILE.name).write_text(workflow, encoding="utf-8")
    given = {"STANDIN_ARTIFACTS": str(artifacts), "STANDIN_CALLS": str(calls), **variables}
    pins = {name: re.search(rf"{name}(?:/[\w-]+)?@([0-9a-f]{{40}})", TEXT) for name in REPLACED}
    local = [f"{name}@{pin[1]}={STANDINS / REPLACED[name]}" for name, pin in pins.items() if pin]
    command = [
        program("act"), "push", "-W", str(folder / FILE.name), "--strict", "--json", "-P", "ubuntu-latest=-self-hosted",
        "--no-cache-server", "--cache-server-addr", "127.0.0.1", "--artifact-server-addr", "127.0.0.1",
        "--container-daemon-socket", "-", "--action-cache-path", str(folder / "act"),
        *(word for item in local for word in ("--local-repository", item)),
        *(word for name, value in given.items() for word in ("--env", f"{name}={value}")),
    ]  # fmt: skip
    # Its own home, so that no .actrc of the user's says otherwise; inherited only what a tool needs to run at all.
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "DOCKER_HOST") if name in os.environ}
    env = {**inherited, "HOME": str(home), "PATH": f"{home / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=repository, env=env, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    main = [line for line in lines if line.get("stage") == "Main" and "stepResult" in line and len(line["stepID"]) == 1]
    return Ran(
        exit_code=done.returncode,
        jobs={line["jobID"]: line["jobResult"] for line in lines if "jobResult" in line},
        steps={f"{line['jobID']}: {line['step']}": line["stepResult"] for line in main},
        calls=calls.read_text(encoding="utf-8").splitlines(),
        reports=artifacts / "reports",
        log="\n".join(f"{line.get('jobID', '')}: {str(line.get('msg', '')).rstrip()}" for line in lines) + done.stderr,
    )


def outcomes(**others: str) -> dict[str, str]:
    """The jobs' results: success, but for the others."""
    return {**dict.fromkeys(("pipeline", "code-scanning", "selftest", "verdict"), "success"), **others}


def planned(
    tmp_path: Path,
    *,
    statuses: Mapping[str, str] | None = None,
    exits: Mapping[str, int] | None = None,
    leaves: tuple[str, ...] = ("json", "junit", "sarif", "summary"),
    text: str = TEXT,
) -> Ran:
    """Run the workflow in a small repository whose ``noxw`` does what is planned."""
    wrapper = f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "{STANDINS}/noxw.py" "$@"\n'
    repository = make_project(tmp_path / "repository", files={"noxw": wrapper})
    (repository / "noxw").chmod(0o755)
    git(repository, "commit", "-q", "-a", "-m", "executable")
    plan = {"statuses": dict(statuses or {}), "exits": dict(exits or {}), "leaves": leaves}
    return execute(repository, text, tmp_path, 600, STANDIN_PLAN=json.dumps(plan))


def test_zizmor_finds_nothing_even_when_pedantic() -> None:
    command = [
        program("zizmor"),
        "--offline",
        "--persona=pedantic",
        "--strict-collection",
        "--format=json",
        str(ROOT / FILE),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)) == (0, []), done.stderr


def test_zizmor_would_find_a_planted_fault(tmp_path: Path) -> None:
    planted = TEXT.replace("run: ./noxw verdict", "run: ./noxw ${{ github.head_ref }}")
    (tmp_path / "planted.yml").write_text(planted, encoding="utf-8")
    command = [program("zizmor"), "--offline", "--format=json", str(tmp_path / "planted.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [finding["ident"] for finding in json.loads(done.stdout)] == ["template-injection"]


def test_the_workflow_is_valid_to_the_published_schema(tmp_path: Path) -> None:
    (tmp_path / "planted.yml").write_text(TEXT.replace("timeout-minutes: 60", "timeout-minute: 60"), encoding="utf-8")
    command = [program("check-jsonschema"), "--builtin-schema", "vendor.github-workflows"]
    assert subprocess.run([*command, str(ROOT / FILE)], check=False).returncode == 0
    assert subprocess.run([*command, str(tmp_path / "planted.yml")], check=False).returncode == 1


def test_all_green_is_green(tmp_path: Path) -> None:
    ran = planned(tmp_path)
    assert ran.jobs == outcomes(), ran.log
    assert ran.exit_code == 0
    assert [call for call in ran.calls if call in STAGE_CALLS] == STAGE_CALLS
    assert sorted(set(ran.calls) - set(STAGE_CALLS)) == ["-s selftest", "verdict"]
    assert ran.report["verdict"] == "pass"
    left = {path.relative_to(ran.reports).as_posix() for path in ran.reports.rglob("*") if path.is_file()}
    assert left >= {"pipeline.json", "pipeline.junit.xml", "summary.md"}
    assert all(any(made.claims(path) for made in FORMATS.values()) for path in left)
    assert (ran.reports / "summary.md").read_text(encoding="utf-8").splitlines()[0] in ran.log
    uploaded = {path.name for path in (ran.reports.parent / "alerts").iterdir()}
    assert uploaded == {path.name for path in (ran.reports / "sarif").iterdir()} >= {"bandit.sarif", "pytest.sarif"}


def test_a_failing_stage_stops_no_other_and_its_reports_are_published(tmp_path: Path) -> None:
    ran = planned(tmp_path, statuses={"lint": "fail", "build": "inconclusive"})
    assert [call for call in ran.calls if call in STAGE_CALLS] == STAGE_CALLS
    failed = {name for name, result in ran.steps.items() if result == "failure"}
    assert failed == {
        *("pipeline: lint", "pipeline: build"),
        # GitHub refuses the file of a tool that could not tell, and its alerts stay as they were.
        "code-scanning: Alerts of image-check",
        *("verdict: Demand that every job has succeeded", "verdict: Demand that the verdict is pass"),
    }, ran.log
    assert ran.report["verdict"] == "fail"
    assert ran.steps["pipeline: Show the summary"] == ran.steps["pipeline: Keep the reports"] == "success"
    assert ran.jobs == {**outcomes(pipeline="failure", verdict="failure"), "code-scanning": "failure"}
    assert ran.exit_code == 1


@pytest.mark.parametrize(
    ("status", "kept_back"), [("fail", ()), ("inconclusive", ("pip-audit", "pipeline")), ("not-run", ("pipeline",))]
)
def test_the_reports_verdict_counts_even_where_every_step_was_green(
    tmp_path: Path, status: str, kept_back: tuple[str, ...]
) -> None:
    ran = planned(tmp_path, statuses={"audit": status}, exits={"audit": 0})
    alerts = "failure" if kept_back else "success"
    assert ran.jobs == {**outcomes(verdict="failure"), "code-scanning": alerts}, ran.log
    # A tool that could not tell leaves its alerts as they were, and holds no other's back.
    uploaded = {path.stem for path in (ran.reports.parent / "alerts").iterdir()}
    assert {path.stem for path in (ran.reports / "sarif").iterdir()} - uploaded == set(kept_back)
    assert uploaded > {"bandit", "ruff"}
    assert ran.steps["verdict: Demand that the verdict is pass"] == "failure"
    assert ran.report["verdict"] == status
    assert ran.exit_code == 1


def test_a_failed_selftest_fails_the_verdict_job_whatever_the_report_says(tmp_path: Path) -> None:
    ran = planned(tmp_path, exits={"selftest": 1})
    assert ran.jobs == outcomes(selftest="failure", verdict="failure"), ran.log
    assert ran.steps["verdict: Demand that the verdict is pass"] == "success"
    assert ran.exit_code == 1


def test_a_skipped_job_does_not_unblock_a_merge(tmp_path: Path) -> None:
    skipping = TEXT.replace("    name: selftest\n    runs-on", "    name: selftest\n    if: ${{ false }}\n    runs-on")
    # Into a file as well, since act loses what a step has printed when the step ends before act has read it.
    told = skipping.replace('echo "results: $RESULTS"', 'echo "results: $RESULTS" | tee -a "$STANDIN_CALLS"')
    assert TEXT != skipping != told
    ran = planned(tmp_path, text=told)
    assert "-s selftest" not in ran.calls
    # act knows no order of the needed jobs.
    assert {"results: success skipped", "results: skipped success"} & set(ran.calls), ran.log
    assert ran.steps["verdict: Demand that the verdict is pass"] == "success"
    assert ran.jobs["verdict"] == "failure"
    assert ran.exit_code == 1


@pytest.mark.parametrize("leaves", [(), ("summary",)], ids=["nothing", "no pipeline.json"])
def test_a_missing_report_is_never_green(tmp_path: Path, leaves: tuple[str, ...]) -> None:
    ran = planned(tmp_path, leaves=leaves)
    assert ran.steps["verdict: Demand that the verdict is pass"] == "failure", ran.log
    assert ran.jobs["verdict"] == "failure"
    assert ran.exit_code == 1


@pytest.mark.full
@pytest.mark.container
def test_the_real_pipeline_goes_through_the_workflow(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, repository / name)
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "as it is")
    advisories = os.environ.get("PIPELINE_SELFTEST_ADVISORIES")
    offline = {"PIPELINE_AUDIT_ADVISORIES": advisories, "PIPELINE_AUDIT_MAX_AGE_DAYS": "36500"} if advisories else {}
    packages = {name: value for name, value in os.environ.items() if name == "HOME" or name.startswith(("PIP_", "UV_"))}
    # The project's own tests are what runs this, so the job that runs them only shows that the wrapper works.
    workflow = TEXT.replace("./noxw -s selftest", "./noxw --list")
    ran = execute(repository, workflow, tmp_path, 1800, **offline, **packages)
    assert ran.jobs == outcomes(), ran.log
    assert {stage["name"]: stage["status"] for stage in ran.report["stages"]} == dict.fromkeys(STAGE_NAMES, "pass")
    assert ran.report["commit"] == git(repository, "rev-parse", "HEAD").strip()
