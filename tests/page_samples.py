"""Reports for tests of the page, as runs of the echo service could have made them: for each verdict, and a huge one."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Severity, State, with_fingerprints
from pipeline.core.gate import Gate, check_gate
from pipeline.core.policy_difference import Difference, Effect
from pipeline.core.run_record import Against, Report, RunRecord
from pipeline.core.stage import Artifact, Examination, NotChecked, StageResult, Status, Suppression, Tool, not_run
from pipeline.core.verdict import conclude
from tests import page_findings as found
from tests import page_parts as parts
from tests.page_parts import STAGES, at, sha256
from tests.samples import HOSTILE

_RECORD = RunRecord(
    run_id="4242-abc",
    snapshot=sha256("snapshot"),
    commit=sha256("commit")[:40],
    branch="main",
    dirty=False,
    started=at(0),
    actor="ada",
    python="3.13.5",
    platform="Linux-6.12-x86_64-with-glibc2.41",
    stages=STAGES,
    required=STAGES,
    policy_digest=sha256("policy"),
    policy={"name": "echo-service"},
    generator="proven-pipeline 0.1.0",
)


def passing() -> Report:
    """Every stage is green, a waiver ends soon, and twelve runs came before."""
    waived = found.finding(
        "B101", Severity.LOW, "Use of assert detected.", path="service/app.py", line=41, state=State.WAIVED
    )
    results = _with(tuple(map(parts.stage, STAGES)), "scan", findings=with_fingerprints([waived]))
    record = replace(_RECORD, waivers=found.waivers(), last_green=parts.past(1)[0])
    return Report(record=record, results=results, finished=at(125), history=parts.past(12))


def failing() -> Report:
    """A change that loosens its policy, with findings of every kind, a canary that is slower, and a stage not run."""
    base = passing()
    loosens = "test.coverage_floor was 95.0 and is 80.0."
    tightens = "scan.exclude no longer excludes service/old.py."
    record = replace(
        base.record,
        branch="greetings",
        dirty=True,
        against=Against(revision="origin/main", source="--against", commit=sha256("main")[:40]),
        changes=(
            Difference(subject="test.coverage_floor", effect=Effect.LOOSENS, sentence=loosens),
            Difference(subject="scan.exclude", effect=Effect.TIGHTENS, sentence=tightens),
            Difference(subject="canary.rate", effect=Effect.NEUTRAL, sentence="canary.rate was 50.0 and is 100.0."),
        ),
        approval=sha256("approval"),
    )
    everything = with_fingerprints((*found.findings(), *base.results[1].findings))
    results = _with(base.results, "scan", findings=everything, counted="2")
    results = _with(results, "audit", findings=found.advisories(), counted="1")
    details, checks = parts.canary_details(1.4)
    gates = tuple(
        check_gate(str(check.outcome) != "fail", what=check.what, allowed=check.allowed, found=check.found)
        for check in checks
    )
    results = _with(results, "canary", gates=gates, details=details)
    missing = not_run("push", "push needs scan, audit and canary to pass, and they do not.", command="nox -s push")
    return Report(record=record, results=(*results[:-1], missing), finished=at(125), history=base.history)


def inconclusive() -> Report:
    """Nothing is at fault, and of some of it nobody could tell."""
    base = passing()
    files = [f"service/part_{number}.py" for number in range(142)]
    fault = Control(tool="bandit", planted="insecure call", caught=False)
    evidence = Evidence.of("files", expected=files, checked=files[:139], controls=(fault,))
    ended = StageResult(
        name="build",
        status=Status.INCONCLUSIVE,
        reasons=("No container engine answers. Start one, or set engine.provision to auto.",),
        started=at(60),
        duration_s=0.4,
        command="nox -s build",
    )
    later = tuple(
        not_run(name, f"{name} needs build to pass, and build is inconclusive.", command=f"nox -s {name}")
        for name in STAGES[6:]
    )
    results = _with(base.results, "scan", evidence=evidence)
    return Report(
        record=replace(base.record, waivers=()), results=(*results[:5], ended, *later), finished=at(62)
    )  # fmt: skip


def huge(count: int = 10_000) -> Report:
    """So many findings, in a tenth of as many files."""
    chance = random.Random(count)
    severities = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.LOW, Severity.INFO)
    made = (
        found.finding(
            f"S{number % 97:03d}",
            chance.choice(severities),
            f"Planted finding number {number}.",
            path=f"service/part_{number % max(count // 10, 1):04d}.py",
            line=4 + number // 10,
            context=found.SOURCE,
            context_start=1 + number // 10,
            owner=chance.choice(("@echo/core", "@echo/security", "")),
            state=chance.choice((State.NEW, State.EXISTING, State.EXISTING)),
        )
        for number in range(count)
    )
    base = failing()
    results = _with(base.results, "scan", findings=with_fingerprints(made), counted=str(count // 3))
    return replace(base, results=results)


def hostile() -> Report:
    """Whatever text somebody may plant, wherever a report shows one."""
    base = failing()
    texts = tuple(text for text in HOSTILE if text.strip())
    lint = base.results[0]
    planted = replace(
        lint,
        reasons=texts,
        findings=tuple(
            replace(found.findings()[0], rule=text, message=text, fix=text, owner=text, context=texts, package=text)
            for text in texts
        ),
        gates=tuple(check_gate(False, what=text, allowed=text, found=text) for text in texts),
        tools=tuple(Tool(name=text, version=text) for text in texts),
        artifacts=tuple(Artifact(path=text, sha256=text) for text in texts),
        not_checked=tuple(NotChecked(what=text, reason=text) for text in texts),
        suppressions=tuple(Suppression(kind=text, path=text, line=1, text=text, reason=text) for text in texts),
        command="".join(texts),
        status=Status.FAIL,
    )
    every = " ".join(texts)
    record = replace(base.record, branch=every, actor=every, platform=every, policy={"name": every}, generator=every)
    return replace(base, record=record, results=(planted, *base.results[1:]))


def _with(results: tuple[StageResult, ...], name: str, *, counted: str = "", **changes: Any) -> tuple[StageResult, ...]:
    """The results with one of them changed and concluded anew; ``counted`` is what its first gate found."""
    return tuple(_changed(result, counted, changes) if result.name == name else result for result in results)


def _changed(result: StageResult, counted: str, changes: dict[str, Any]) -> StageResult:
    made = replace(result, **changes)
    gates: tuple[Gate, ...] = made.gates
    if counted:
        gates = (replace(gates[0], found=counted, passed=False), *gates[1:])
    assert made.evidence is not None
    status, reasons = conclude(Examination(evidence=made.evidence, gates=gates, notes=made.notes))
    return replace(made, gates=gates, status=status, reasons=reasons)
