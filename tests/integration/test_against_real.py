"""New code against old with the real tools: ruff, pylint, bandit, and the formatter that must make nothing new."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline import finding_baseline
from pipeline.core.baseline import counted, matched, prints
from pipeline.core.finding import Finding, Severity
from pipeline.core.policy_files import BASELINE as FILE
from pipeline.core.ports import Environments
from pipeline.run import Run
from pipeline.run_command import each
from pipeline.stages.context import packaged_lock
from pipeline.stages.lint import LintStage
from pipeline.stages.scan import ScanStage
from pipeline.stages.secrets import SecretsStage
from pipeline.workplace import Workplace
from tests.projects import git, make_project

# By keyword: a text behind such a name looks like a credential to the scanner.
CLEAN = dict.fromkeys(("secrets",), "pass")
TABLE = 'required = ["lint", "scan", "secrets"]'
OLD = '''"""A service."""

import os
import subprocess


def run(line: str) -> int:
    """Run a line."""
    return subprocess.call(line, shell=True)
'''
MORE = '''

def again(line: str) -> int:
    """Run a line."""
    return subprocess.call(line, shell=True)
'''
STAGES = (LintStage(), ScanStage(), SecretsStage())


@pytest.fixture(name="project", scope="module")
def project_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with an unused import and a shell, committed."""
    lock = packaged_lock("test").read_text(encoding="utf-8")
    files = {"service/app.py": OLD, "service/requirements.txt": lock}
    return make_project(tmp_path_factory.mktemp("against") / "project", TABLE, files)


def carry_out(project: Path, against: str | None = None) -> dict[str, Any]:
    """The report of the three stages."""
    identity = os.urandom(4).hex()
    run = Run(Workplace(project, os.environ, identity, against=against), STAGES, identity)
    names = frozenset(stage.name for stage in STAGES)
    try:
        each(run, run.begin(names), names, ())
    finally:
        run.close()
    document: dict[str, Any] = json.loads((project / "reports/pipeline.json").read_text(encoding="utf-8"))
    return document


def told(report: dict[str, Any]) -> dict[str, str]:
    """The stages' statuses."""
    return {stage["name"]: stage["status"] for stage in report["stages"]}


def rules(report: dict[str, Any], state: str) -> set[str]:
    """What counts and stands so."""
    return {finding["rule"] for finding in report["findings"] if finding["state"] == state and finding["counted"]}


def test_old_findings_are_existing_new_ones_fail_and_a_worse_score_is_told(project: Path) -> None:
    alone = carry_out(project)
    assert told(alone) == {"lint": "fail", "scan": "fail", **CLEAN}
    same = carry_out(project, "HEAD")
    assert told(same) == {"policy": "pass", "lint": "pass", "scan": "pass", **CLEAN}
    assert same["verdict"] == "pass"
    assert rules(same, "existing") == rules(alone, "new") >= {"F401", "B602"}
    (project / "service/app.py").write_text(OLD.replace("import os", "# Moved\n\n\nimport os") + MORE, encoding="utf-8")
    more = carry_out(project, "HEAD")
    assert told(more) == {"policy": "pass", "lint": "pass", "scan": "fail", **CLEAN}
    assert rules(more, "new") == {"B602"}
    assert rules(more, "existing") >= {"F401", "B602"}
    (project / "service/app.py").write_text(OLD.replace('    """Run a line."""\n', ""), encoding="utf-8")
    worse = carry_out(project, "HEAD")
    gate = next(
        gate for stage in worse["stages"] for gate in stage["gates"] if gate["what"].startswith("pylint score against")
    )
    assert gate["passed"] is False
    assert told(worse)["lint"] == "fail"
    git(project, "checkout", "-q", ".")


def test_a_baseline_of_real_findings_holds_and_is_no_secret_itself(project: Path) -> None:
    report = carry_out(project)
    known = {}
    for name in ("lint", "scan"):
        found = [
            Finding(rule=f["rule"], tool=f["tool"], severity=Severity(f["severity"]), message=f["message"],
                    path=f["path"], line=f["line"], column=f["column"])
            for f in report["findings"]
            if f["stage"] == name and f["counted"]
        ]  # fmt: skip
        known[name] = counted(prints(found, {"service/app.py": OLD}))
    (project / FILE).write_text(finding_baseline.render(known), encoding="utf-8")
    with_it = carry_out(project)
    assert told(with_it) == {"lint": "pass", "scan": "pass", **CLEAN}
    (project / FILE).unlink()


UGLY = (
    "import subprocess\ndef run(line,other) :\n  if line : return subprocess.call( line,shell = True )\n"
    "  result = subprocess.call('a very long command that does not fit one line: ' + line + other, shell = True, "
    "cwd = '/', env = {'A' : 'b'})\n  return { 'key' : result, 'other' : subprocess.call( 'x',shell=True ) }\n"
)


def test_the_formatter_makes_no_finding_new(tool_environments: Environments, tmp_path: Path) -> None:
    ruff = tool_environments.ensure("lint", (packaged_lock("lint"),)).program("ruff")
    source = tmp_path / "a.py"
    source.write_text(UGLY, encoding="utf-8")
    before = _calls(UGLY)
    subprocess.run([ruff, "format", "--isolated", str(source)], check=True, capture_output=True)
    formatted = source.read_text(encoding="utf-8")
    assert formatted.count("\n") > UGLY.count("\n") + 5
    matching = matched(prints(_calls(formatted), {"a.py": formatted}), counted(prints(before, {"a.py": UGLY})))
    assert len(before) == 3
    assert None not in matching.accounted
    assert not matching.gone


def _calls(text: str) -> list[Finding]:
    """Where bandit sees a call."""
    return [
        Finding(rule="B602", tool="bandit", severity=Severity.HIGH, message="A shell.", path="a.py", line=number,
                column=line.index("subprocess.call") + 1)
        for number, line in enumerate(text.splitlines(), 1)
        if "subprocess.call" in line
    ]  # fmt: skip
