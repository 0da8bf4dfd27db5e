"""A report with as many findings as one likes, as real ones look: several tools, source lines, owners, earlier runs."""

from __future__ import annotations

from dataclasses import replace

from pipeline.core.change import entry_of
from pipeline.core.component import Component, ComponentKind
from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Confidence, Finding, Severity, weighed
from pipeline.core.gate import findings_gate
from pipeline.core.history import bounded
from pipeline.core.run_record import Report, RunRecord
from pipeline.core.stage import Artifact, Examination, StageResult, Status, Suppression, Tool
from pipeline.core.verdict import conclude

STAGES = ("lint", "scan", "secrets", "audit", "test")
_TOOLS = {"lint": ("ruff", "pylint"), "scan": ("bandit",), "secrets": ("detect-secrets",), "audit": ("pip-audit",)}
_SEVERITIES = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.INFO, Severity.UNKNOWN, Severity.CRITICAL)
_SHARE = {"lint": 6, "scan": 3, "secrets": 1}
_EARLIER_RUNS = 100
_COMPONENTS = 200


def large_report(findings: int, a_file: int = 10) -> Report:
    """A report with ``findings`` findings, ``a_file`` of them in each file, and the runs before it."""
    files = [f"package_{number // 100:03}/module_{number:05}.py" for number in range(max(1, findings // a_file))]
    total = sum(_SHARE.values())
    results = []
    for stage in STAGES:
        count = findings * _SHARE.get(stage, 0) // total
        results.append(_result(stage, count, files))
    report = Report(record=_record(), results=tuple(results), finished="2026-01-31T00:09:00.000Z")
    green = entry_of(replace(report, results=tuple(_result(s, 50 * _SHARE.get(s, 0), files) for s in STAGES)))
    runs = bounded(
        replace(green, run=f"{n}", started=f"2026-01-{1 + n // 24:02}T{n % 24:02}:00:00.000Z", verdict=Status.PASS)
        for n in range(_EARLIER_RUNS)
    )
    return replace(report, record=replace(report.record, last_green=runs[-1]), history=runs)


def _record() -> RunRecord:
    return RunRecord(
        run_id="1-abc",
        snapshot="5" * 64,
        commit="c" * 40,
        branch="main",
        dirty=False,
        started="2026-01-31T00:00:00.000Z",
        actor="somebody",
        python="3.11.7",
        platform="Linux",
        stages=STAGES,
        required=STAGES,
        policy_digest="b" * 64,
        policy={f"section_{number}.key": number for number in range(100)},
        generator="proven-pipeline",
    )


def _result(stage: str, count: int, files: list[str]) -> StageResult:
    found = weighed(
        (_finding(stage, number, files[number % len(files)]) for number in range(count)), fail_on=Severity.MEDIUM
    )
    examination = Examination(
        evidence=Evidence.of("files", expected=files, checked=files, controls=_controls(stage)),
        gates=(findings_gate(found, what=f"{stage} findings", fail_on=Severity.MEDIUM),),
        findings=found,
    )
    status, reasons = conclude(examination)
    return StageResult(
        name=stage,
        status=status,
        reasons=reasons,
        snapshot="5" * 64,
        policy="b" * 64,
        evidence=examination.evidence,
        gates=examination.gates,
        findings=found,
        tools=tuple(Tool(name=name, version="1.2.3") for name in _TOOLS.get(stage, ("pytest",))),
        metrics={"score": 9.5} if stage == "lint" else {},
        artifacts=(Artifact(path=f"stages/{stage}/raw/output.json", sha256="0" * 64),),
        suppressions=tuple(
            Suppression(kind="noqa", path=path, line=3, text="# noqa: E501", reason="a long address")
            for path in files[: len(files) // 20]
        ),
        components=_components() if stage == "audit" else (),
        started="2026-01-31T00:00:01.000Z",
        duration_s=12.3,
        command=f"nox -s {stage}",
    )


def _components() -> tuple[Component, ...]:
    return tuple(
        Component(
            kind=ComponentKind.PYTHON,
            name=f"package-{number}",
            version=f"1.{number}",
            purl=f"pkg:pypi/package-{number}@1.{number}",
            licences=("MIT",),
            hashes=(f"sha256:{number:064x}",),
            place="requirements.txt",
        )
        for number in range(_COMPONENTS)
    )


def _controls(stage: str) -> tuple[Control, ...]:
    return tuple(Control(tool=name, planted="fault", caught=True) for name in _TOOLS.get(stage, ("pytest",)))


def _finding(stage: str, number: int, path: str) -> Finding:
    tools = _TOOLS[stage]
    line = 10 + 7 * (number % 90)
    return Finding(
        rule=f"R{number % 60:03}",
        tool=tools[number % len(tools)],
        severity=_SEVERITIES[number % len(_SEVERITIES)],
        confidence=Confidence.HIGH,
        message=f"The call of function_{number % 977} passes a value that was never checked, <as> '{number}' & more.",
        path=path,
        line=line,
        column=5 + number % 40,
        snippet=f"    result_{number} = function_{number % 977}(argument, value=untrusted[{number}])",
        cwe=(79, 89) if number % 3 == 0 else (),
        fix="Check the value before it is passed on." if number % 2 == 0 else "",
        owner="@team/backend",
        context=tuple(f"    line_{line + offset} = compute(value_{number}, {offset})" for offset in range(-2, 3)),
        context_start=line - 2,
    )
