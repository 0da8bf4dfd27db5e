"""Finished reports for tests of ``pipeline verify``: a real run of stages that look at what real tools once printed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core.evidence import Control, Evidence
from pipeline.core.gate import check_gate
from pipeline.core.lock import Pin
from pipeline.core.stage import Examination
from pipeline.run import Run
from pipeline.run_command import each
from pipeline.stages import lint, scan, secrets
from pipeline.stages import test as tests_stage
from pipeline.stages.audit_assessment import Observed, assess
from pipeline.stages.context import Context
from pipeline.testing import outcome
from pipeline.tools import bandit, coverage, pip_audit, pylint, ruff, secret_scanner
from pipeline.tools import pytest as pytest_tool
from pipeline.workplace import Workplace
from tests.projects import SampleStage, doubtful, make_project
from tests.support import FIXTURES, recorded

PYTHON_FILES = ("clean.py", "pkg/faulty.py")
SCANNED = ("clean.py", "pkg/insecure.py")
SECRET_FILES = (".env", "allowed.py", "data.bin", "settings.py")
TEST_NAMES = ("tests/test_a.py::test_one", "tests/test_a.py::test_two")
MEASURED = ("service/app.py",)
PINNED = ("six==1.17.0", "jinja2==2.10")


def lint_examined(context: Context) -> Examination:
    """``lint`` over a file with faults, by what ruff and pylint printed about it."""
    from_ruff, _ = recorded("ruff", "findings", context.tree)
    from_pylint, more = recorded("pylint", "findings", context.tree)
    context.keep("ruff.json", from_ruff.stdout)
    context.keep("ruff.log", from_ruff.stderr)
    context.keep("pylint.json", from_pylint.stdout)
    context.keep("pylint-walked.txt", "".join(f"{name}\n" for name in PYTHON_FILES))
    return lint.assess(
        context.settings.lint,
        PYTHON_FILES,
        ruff.parse(from_ruff, context.tree),
        pylint.parse(from_pylint, more["walked"], context.tree),
        controls=tuple(Control(tool=tool, planted=lint.CONTROL, caught=True) for tool in ("ruff", "pylint")),
    )


def scan_examined(context: Context) -> Examination:
    """``scan`` over an insecure file, by what bandit wrote about it."""
    printed, more = recorded("bandit", "findings", context.tree)
    context.keep("bandit-1.json", bandit.masked(more["written"]))
    output = bandit.parse(printed, more["written"], context.tree)
    control = Control(tool="bandit", planted=scan.CONTROL, caught=True)
    return scan.assess(context.settings.scan, SCANNED, output, control=control)


def secrets_examined(context: Context) -> Examination:
    """``secrets`` over files with credentials, by what the driver printed about them."""
    printed, _ = recorded("secrets", "findings", context.tree)
    # Recorded before the driver told what allow-list comments hide.
    document = {"excused": [], **json.loads(printed.stdout)}
    output = secret_scanner.parse(replace(printed, stdout=json.dumps(document)))
    for value in output.values:
        context.ports.redact.also(value)
    context.keep("secrets.json", output.kept)
    return secrets.assess(SECRET_FILES, output, (Control(tool="detect-secrets", planted="password", caught=True),))


def audit_examined(context: Context) -> Examination:
    """``audit`` of a lock with a vulnerable package, by what pip-audit wrote about it."""
    text = audit_output("vulnerable")
    context.keep("pip-audit.json", text)
    context.keep("pip-audit-control.json", text)
    output = pip_audit.parse(outcome(1), text)
    planted = "package jinja2 2.10, which is known to be vulnerable"
    observed = Observed(output=output, controls=(Control(tool="pip-audit", planted=planted, caught=True),))
    current = check_gate(True, what="lock against its requirements", allowed="all pinned", found="2 pinned as asked")
    pins = tuple(Pin(name=n, version=v, hashes=(), line=1) for n, v in (unit.split("==") for unit in PINNED))
    return assess(context.settings.audit, pins, observed, current, context.ports.clock.now())


def tests_examined(context: Context) -> Examination:
    """``test`` with two tests that passed, and all of the coverage."""
    record = witness_record()
    written = coverage_report(10)
    context.keep("junit-record.jsonl", record)
    context.keep("coverage.json", written)
    context.keep("measured.json", json.dumps(MEASURED))
    return tests_stage.assess(
        context.settings.test,
        frozenset(TEST_NAMES),
        pytest_tool.parse(outcome(0), record, context.tree),
        coverage.parse(written, MEASURED),
        caught=True,
    )


def own_examined(context: Context) -> Examination:
    """A project's own stage, green, with raw outputs of its own and names that are not ASCII."""
    context.keep("größe.txt", "12\n")
    context.keep("more/deep.json", '{"a": 1}\n')
    return Examination(
        evidence=Evidence.of("modules", expected=("a.py", "b.py"), checked=("a.py", "b.py")),
        gates=(check_gate(True, what="licences", allowed="MIT", found="MIT"),),
        notes=("Both modules name their licence.",),
    )


MIXED = (
    SampleStage("lint", lint_examined),
    SampleStage("scan", scan_examined),
    SampleStage("secrets", secrets_examined),
    SampleStage("audit", audit_examined),
    SampleStage("test", tests_examined),
    SampleStage("own", own_examined),
    SampleStage("half", doubtful),
    SampleStage("later", needs=("half",)),
)
"""Stages of every status, most with real raw outputs."""
GREEN = (SampleStage("test", tests_examined), SampleStage("own", own_examined))
"""Stages that pass."""


def finished(folder: Path, stages: Sequence[SampleStage], waivers: str = "") -> Path:
    """The reports folder of a run of ``stages`` in a new project, all of them required."""
    known = {"lint", "scan", "secrets", "audit", "test", "build", "smoke", "canary", "push"}
    names = [stage.name for stage in stages]
    files = {"waivers.toml": waivers} if waivers else {}
    table = f"required = {json.dumps(names)}\n[tool.pipeline.canary]\nrequests = 60\nerror_tolerance = 0.1\n"
    project = make_project(folder, table, {**files, **trees()})
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    extra = tuple(name for name in names if name not in known)
    run = Run(Workplace(project, environ, "run-1", extra_stages=extra), tuple(stages), "run-1")
    each(run, run.begin(run.names), frozenset(run.names), ())
    run.close()
    return project / "reports"


def trees() -> dict[str, str]:
    """The files that the tools once looked at, as far as their findings show lines of them."""
    return {
        "clean.py": '"""A module."""\n\nANSWER = 42\n',
        "pkg/faulty.py": '"""A."""\n\nimport os\n\n\ndef größe():\n    """Use."""\n    return "é" + absent_name\n',
        "pkg/insecure.py": 'import subprocess\n\nDB = "x"\nx = "é"; subprocess.call(input(), shell=True)\n',
    }


def witness_record(exit_code: int = 0, result: str = "passed") -> str:
    """The witness's record of the tests, each with this result."""
    crash = "" if result == "passed" else "assert 1 == 2"
    lines: list[dict[str, Any]] = [
        {
            "event": "phase", "test": name, "when": "call", "outcome": result, "file": "tests/test_a.py", "line": 1,
            "expected": False, "text": crash, "crash": crash, "seconds": 0.1,
        }
        for name in TEST_NAMES
    ]  # fmt: skip
    return "".join(json.dumps(line) + "\n" for line in [*lines, {"event": "end", "exit": exit_code}])


def coverage_report(covered: int) -> str:
    """A coverage report of ten statements in the one file that counts."""
    summary = {"num_statements": 10, "covered_lines": covered, "excluded_lines": 0}
    return json.dumps({"files": {name: {"summary": summary} for name in MEASURED}})


def audit_output(case: str) -> str:
    """What pip-audit wrote."""
    document: dict[str, Any] = json.loads((FIXTURES / "pip_audit" / f"{case}.json").read_text(encoding="utf-8"))
    text: str = document["output"]
    return text
