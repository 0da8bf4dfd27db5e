"""What becomes of a waiver: used, unused, expired, ended by a fix, or not judged; and who may judge it unused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipeline.core.disposition import disposed
from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Finding, Severity, weighed
from pipeline.core.gate import Gate, check_gate, findings_gate
from pipeline.core.stage import Examination, StageResult, Status, Tool, not_run
from pipeline.core.verdict import conclude
from pipeline.core.waiver import Waiver, hiding
from pipeline.core.waiver_standing import UNUSED, Standing, WaiverState, standings, waiting, with_waivers
from tests.waivers import TODAY, VULNERABILITY, make_finding, make_waiver

WHOLE = Evidence.of("files", expected=("a",), checked=("a",))
MET = check_gate(True, what="x", allowed="0", found="0")


def examined(*findings: Finding, evidence: Evidence = WHOLE, **rest: Any) -> Examination:
    """What a whole scan with these findings saw, some of it changed."""
    known = weighed(findings, fail_on=Severity.MEDIUM)
    gate = findings_gate(known, what="findings", fail_on=Severity.MEDIUM)
    return Examination(
        **{
            "evidence": evidence,
            "gates": (gate,),
            "findings": known,
            "tools": (Tool(name="bandit", version="1"),),
            **rest,
        }
    )


def judged(
    examination: Examination,
    *waivers: Waiver,
    stage: str = "scan",
    others: dict[str, StageResult] | None = None,
) -> Examination:
    """The examination by these waivers."""
    states = disposed(examination, hiding(waivers, TODAY))
    return with_waivers(states, waivers, TODAY, stage=stage, others=others or {})


def unused_gate(examination: Examination) -> Gate | None:
    """Its gate on unused waivers, if it has one."""
    return next((gate for gate in examination.gates if gate.what == UNUSED), None)


def result(name: str, examination: Examination) -> StageResult:
    """The result that it carries."""
    status, reasons = conclude(examination)
    return StageResult(
        name=name, status=status, reasons=reasons, evidence=examination.evidence, gates=examination.gates,
        findings=examination.findings, tools=examination.tools, doubts=examination.doubts,
    )  # fmt: skip


def stand(waiver: Waiver, *results: StageResult) -> Standing:
    """How the waiver stands after these."""
    return standings((waiver,), results, TODAY)[0]


def test_a_waiver_that_hides_something_turns_a_fail_into_a_pass_that_says_so() -> None:
    seen = examined(make_finding())
    assert conclude(seen)[0] is Status.FAIL
    status, reasons = conclude(judged(seen, make_waiver()))
    assert status is Status.PASS
    assert reasons == ("Platform has waived B101 of bandit in tests/** until 2026-09-13, which hides a finding.",)


def test_an_unused_waiver_fails_with_the_lines_to_remove() -> None:
    after = judged(examined(), make_waiver())
    assert conclude(after) == (
        Status.FAIL,
        ("unused waivers: allowed 0, found 1 (remove lines 3-10 of waivers.toml: B101 of bandit in tests/**).",),
    )
    one_line = judged(examined(), make_waiver(line=3, last_line=3))
    assert "remove line 3 of waivers.toml" in conclude(one_line)[1][0]


def test_every_unused_one_is_named_and_no_used_one() -> None:
    after = judged(
        examined(make_finding()), make_waiver(), make_waiver(id="B1", line=20), make_waiver(id="B2", line=30)
    )
    gate = unused_gate(after)
    assert gate is not None and gate.found.startswith("2 (")
    assert "B1 of" in gate.found and "B2 of" in gate.found and "B101" not in gate.found


@pytest.mark.parametrize(
    "seen",
    [
        examined(evidence=Evidence.of("files", expected=("a", "b"), checked=("a",))),
        examined(evidence=Evidence.of("files", expected=(), checked=())),
        examined(evidence=replace(WHOLE, controls=(Control(tool="bandit", planted="x", caught=False),))),
        examined(doubts=("bandit skipped a file.",)),
        examined(gates=()),
    ],
)
def test_a_stage_that_did_not_run_to_its_end_judges_no_waiver(seen: Examination) -> None:
    after = judged(seen, make_waiver())
    assert after.gates == seen.gates
    assert conclude(after)[0] is Status.INCONCLUSIVE
    assert stand(make_waiver(), result("scan", after)).state is WaiverState.NOT_JUDGED


def test_a_stage_of_another_tool_judges_no_waiver() -> None:
    seen = examined(tools=(Tool(name="ruff", version="1"),))
    assert judged(seen, make_waiver(), stage="lint") == seen
    assert stand(make_waiver(), result("lint", seen)).state is WaiverState.NOT_JUDGED


def test_a_failing_stage_judges_all_the_same() -> None:
    after = judged(examined(make_finding(path="service/a.py")), make_waiver())
    status, reasons = conclude(after)
    assert status is Status.FAIL
    assert len(reasons) == 2


def test_an_expired_waiver_hides_nothing_and_the_report_says_so() -> None:
    old = make_waiver(expires=TODAY - timedelta(days=1))
    status, reasons = conclude(judged(examined(make_finding()), old))
    assert status is Status.FAIL
    assert reasons[-1] == (
        "The waiver of B101 of bandit in tests/** (lines 3-10 of waivers.toml) expired on 2026-06-14: "
        "what it hid counts again."
    )
    found = stand(old, result("scan", judged(examined(make_finding()), old)))
    assert (found.state, found.days_left, found.hides) == (WaiverState.EXPIRED, -1, ())


def test_an_expired_waiver_that_is_unused_too_must_go() -> None:
    after = judged(examined(), make_waiver(expires=TODAY - timedelta(days=1)))
    assert conclude(after)[0] is Status.FAIL


@pytest.mark.parametrize(("left", "warned"), [(31, False), (30, True), (0, True)])
def test_from_30_days_before_its_end_the_report_says_so(left: int, warned: bool) -> None:
    waiver = make_waiver(expires=TODAY + timedelta(days=left))
    after = judged(examined(make_finding()), waiver)
    status, reasons = conclude(after)
    assert status is Status.PASS
    assert ("expires within 30 days" in reasons[0]) is warned
    found = stand(waiver, result("scan", after))
    assert (found.state, found.ends_soon, found.days_left) == (WaiverState.USED, warned, left)


def test_a_waiver_until_fixed_ends_with_the_fix() -> None:
    waiver = make_waiver(id="CVE-2024-1", tool="pip-audit", scope="flask-thing", until_fixed=True, stages=("audit",))
    tools = (Tool(name="pip-audit", version="2"),)
    open_ = judged(examined(VULNERABILITY, tools=tools), waiver, stage="audit")
    assert conclude(open_)[0] is Status.PASS
    fixed = judged(examined(replace(VULNERABILITY, fix="1.1"), tools=tools), waiver, stage="audit")
    status, reasons = conclude(fixed)
    assert status is Status.FAIL
    assert "has ended, because there is a fix (1.1)" in reasons[-1]
    assert unused_gate(fixed) == check_gate(True, what=UNUSED, allowed="0", found="0")
    assert stand(waiver, result("audit", fixed)).state is WaiverState.FIXED


TEST = make_waiver(id="failed", tool="pytest", stages=("test", "smoke"))
FAILED = make_finding(rule="failed", tool="pytest")


def test_of_two_stages_of_one_tool_the_last_one_judges() -> None:
    """Or a waiver for what the smoke tests find would fail the stage ``test``."""
    first = judged(examined(), TEST, stage="test")
    assert conclude(first)[0] is Status.PASS
    last = judged(examined(), TEST, stage="smoke", others={"test": result("test", first)})
    assert conclude(last)[0] is Status.FAIL
    assert stand(TEST, result("test", first)).state is WaiverState.NOT_JUDGED
    assert stand(TEST, result("test", first), result("smoke", last)).state is WaiverState.UNUSED


def test_what_another_stage_of_the_tool_uses_is_used() -> None:
    first = judged(examined(FAILED), TEST, stage="test")
    last = judged(examined(), TEST, stage="smoke", others={"test": result("test", first)})
    assert conclude(last)[0] is Status.PASS
    again = judged(examined(FAILED), TEST, stage="smoke", others={"test": result("test", judged(examined(), TEST))})
    assert conclude(again)[0] is Status.PASS


@pytest.mark.parametrize(
    "other", [not_run("test", "Not selected."), result("test", examined(doubts=("pytest crashed.",)))]
)
def test_while_the_other_stage_has_not_ended_nobody_judges(other: StageResult) -> None:
    last = judged(examined(), TEST, stage="smoke", others={"test": other})
    assert conclude(last)[0] is Status.PASS
    found = stand(TEST, other, result("smoke", last))
    assert found.state is WaiverState.NOT_JUDGED
    assert "not every stage with findings of pytest ran to its end" in found.sentence


def test_a_tool_that_only_a_project_s_stage_has_is_judged_by_that_stage() -> None:
    waiver = make_waiver(tool="spdx", stages=())
    seen = examined(tools=(Tool(name="spdx", version="1"),))
    after = judged(seen, waiver, stage="licences")
    assert conclude(after)[0] is Status.FAIL
    assert stand(waiver, result("licences", after)).state is WaiverState.UNUSED
    assert stand(waiver).state is WaiverState.NOT_JUDGED


def test_a_report_names_what_each_waiver_hides() -> None:
    findings = (make_finding(), make_finding(line=9), make_finding(rule="B105"))
    scan = result("scan", judged(examined(*findings), make_waiver()))
    found = stand(make_waiver(), scan)
    assert set(found.hides) == {f.id for f in scan.findings if f.rule == "B101"}
    assert found.sentence == "Platform has waived B101 of bandit in tests/** until 2026-09-13, which hides 2 findings."


def test_of_the_stages_that_may_use_one_waiver_each_waits_for_those_before_it() -> None:
    stages = ("lint", "scan", "test", "smoke")
    assert waiting([make_waiver(stages=("smoke", "test"))], stages) == {"smoke": ("test",)}
    assert waiting([make_waiver(stages=("scan",))], stages) == {}
    assert waiting([make_waiver(stages=())], stages)["smoke"] == ("lint", "scan", "test"), "nobody knows which they are"
