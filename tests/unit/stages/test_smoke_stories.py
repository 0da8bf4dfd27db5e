"""What the records of smoke's stories amount to: sound ones are green, and each fault shows at its gate."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.containers import ContainerRequest, Ownership
from pipeline.core.malformed import cases
from pipeline.core.probe import Probe
from pipeline.core.wire import Reply
from pipeline.errors import ConfigurationError, EngineTrouble
from pipeline.settings import Exclusion, Settings, Smoke
from pipeline.stages import chaos_faults, smoke_chaos, smoke_malformed, smoke_restart, smoke_steadiness, smoke_stop
from pipeline.stages.readiness import Readiness
from pipeline.stages.smoke_names import STORIES, check_exclusions, wanted
from pipeline.stages.smoke_stories import assess_stories
from pipeline.testing import FakeContainer, FakeEngine
from tests.support import make_context, write_files
from tests.told_stories import READING, FakeWire, programs, sent, told

STANDARD = Smoke()
FULL = Smoke(dose="full")


def changed(record: str, **changes: Any) -> dict[str, Any]:
    """A sound record of the standard dose with some values changed."""
    return {**json.loads(told(STANDARD)[record]), **changes}


def missed(probe: Probe) -> list[str]:
    """The gates that are not met."""
    return [gate.what for gate in probe.gates if not gate.passed]


def is_sound(probe: Probe) -> bool:
    """Whether it carries a green."""
    caught = all(control.caught for control in probe.controls)
    return not missed(probe) and not probe.doubts and probe.expected <= probe.checked and caught


def test_sound_records_are_green_and_say_what_was_left_out() -> None:
    probe = assess_stories(STANDARD, told(STANDARD))
    assert is_sound(probe)
    left = {item.what.partition(" (")[0] for item in probe.not_checked}
    assert left >= {"chaos checks", "that a stalling client is cut off"}
    assert all(item.reason.endswith(".") for item in probe.not_checked)


@pytest.mark.parametrize("record", sorted(told(STANDARD)))
def test_a_story_that_was_not_told_is_missed(record: str) -> None:
    texts = {name: text for name, text in told(STANDARD).items() if name != record}
    probe = assess_stories(STANDARD, texts)
    assert probe.expected - probe.checked


def test_the_dose_and_the_exclusions_decide_what_is_told() -> None:
    assert "chaos" not in wanted(STANDARD)
    assert "chaos" in wanted(FULL)
    assert set(STORIES) - set(wanted(replace(FULL, openapi="x.json"))) == set()
    left_out = replace(FULL, exclude=(Exclusion(path="stop", reason="It is a batch job."),))
    assert "stop" not in wanted(left_out)
    assert ("smoke: stop", "It is a batch job.") in {
        (item.what, item.reason) for item in assess_stories(left_out, {}).not_checked
    }
    check_exclusions(left_out)
    with pytest.raises(ConfigurationError, match="no such check"):
        check_exclusions(replace(STANDARD, exclude=(Exclusion(path="stopp", reason="So."),)))


def assess_malformed(**changes: Any) -> Probe:
    """The story of malformed requests with a record changed."""
    return smoke_malformed.assess_malformed(STANDARD, changed(smoke_malformed.RECORD, **changes))


def test_a_malformed_request_that_breaks_the_service_is_named() -> None:
    broken = [
        {"name": case.name, "reply": asdict(Reply(text="HTTP/1.1 500 So\r\n\r\n")), "afterwards": 200}
        for case in cases("/readyz")[:1]
    ]
    probe = assess_malformed(tried=broken)
    assert missed(probe) == ["malformed requests handled wrongly"]
    assert "overlong request line: status 500" in probe.gates[0].found
    assert probe.expected - probe.checked


@pytest.mark.parametrize("changes", [{"meanwhile": 0}, {"afterwards": 503}])
def test_a_service_that_stalls_with_its_clients_fails(changes: dict[str, int]) -> None:
    assert missed(assess_malformed(**changes)) == ["malformed requests handled wrongly"]


def test_in_the_full_dose_clients_that_stall_must_be_cut_off() -> None:
    cut = [asdict(Reply(closed=True))] * 3
    assert is_sound(assess_malformed(waited_s=30.0, stalled=cut))
    held = assess_malformed(waited_s=30.0, stalled=[*cut[1:], asdict(Reply())])
    assert missed(held) == ["stalling clients that are not cut off"]
    assert missed(assess_malformed(waited_s=30.0, stalled=[]))


def steadiness(second: dict[str, Any], **changes: Any) -> Probe:
    """The story of steadiness, its second half changed."""
    half = {"sent": STANDARD.load_requests, "failed": 0, "reading": READING}
    record = {"halves": [half, {**half, **second}], "trouble": "", **changes}
    return smoke_steadiness.assess_steadiness(STANDARD, record)


def reading(**changes: Any) -> dict[str, str]:
    """The second reading, changed."""
    return {"reading": json.dumps({**json.loads(READING), **changes})}


def test_a_leak_is_seen_at_its_gate() -> None:
    assert is_sound(steadiness(reading(memory_kb=40_000 + 8 * 1024, files=28)))
    assert missed(steadiness(reading(memory_kb=40_001 + 8 * 1024))) == ["growth of memory under load"]
    assert missed(steadiness(reading(files=29))) == ["growth of file handles under load"]
    assert missed(steadiness({"failed": 1})) == ["requests of the load that failed"]


def test_what_can_not_be_compared_is_a_doubt() -> None:
    assert "began under load" in steadiness(reading(processes=[1, 8])).doubts[0]
    assert "Only 10 of 600" in steadiness({"sent": 10}).doubts[0]
    blind = steadiness({"reading": ""}, trouble="python3 could not be run in the container.")
    assert blind.doubts[0].endswith("python3 could not be run in the container.")
    assert blind.expected - blind.checked


def test_a_lost_request_fails_and_no_load_is_no_proof() -> None:
    lost = smoke_stop.assess_stop(
        STANDARD, {"signal_s": 2.0, "sent": [asdict(sent(0)), asdict(sent(1, status=0, error="Reset"))]}
    )
    assert missed(lost) == ["requests lost that were fully sent before SIGTERM"]
    assert lost.gates[0].found == "1 of 2, 2 of them not yet answered then (GET /1 (Reset))"
    idle = smoke_stop.assess_stop(STANDARD, {"signal_s": 9.0, "sent": [asdict(sent(0))]})
    assert idle.expected - idle.checked


def test_a_service_that_comes_back_otherwise_or_not_at_all_fails() -> None:
    record = json.loads(told(STANDARD)[smoke_restart.RECORD])
    record["answers"]["GET /readyz"][2]["text"] = "HTTP/1.1 500 So\r\n\r\n"
    assert missed(smoke_restart.assess_restart(STANDARD, record)) == [
        "answers that are others after SIGKILL and restart"
    ]
    gone = changed(smoke_restart.RECORD, ready={"ready": False, "after_s": 30.0, "found": "no answer"}, exit_code=0)
    probe = smoke_restart.assess_restart(STANDARD, gone)
    assert missed(probe) == ["ready again after SIGKILL"]
    assert probe.doubts == ("SIGKILL ended the container with exit code 0 and not 137.",)
    kept = changed(smoke_restart.RECORD, exit_code=None)
    assert smoke_restart.assess_restart(STANDARD, kept).doubts


def test_every_story_can_be_carried_out_and_its_record_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos_faults, "clock_library", lambda: Path("libfaketime.so"))
    for module in (smoke_restart, smoke_chaos):
        monkeypatch.setattr(
            module, "wait_until_ready", lambda *given: Readiness(ready=True, after_s=0.1, found="0.1 s")
        )
    container = FakeContainer(programs=programs)
    engine = FakeEngine(container=container)
    context = make_context(tmp_path, write_files(tmp_path / "tree", {"a": ""}), Settings(smoke=FULL))
    ports = replace(
        context.ports,
        engine=lambda: engine,
        wire=FakeWire(requests=6000),
        ownership=Ownership(checkout="c" * 16, run="r"),
    )
    context = replace(context, ports=ports)
    smoke_restart.kill_and_restart(context, container)
    smoke_malformed.send_malformed(context, "http://x")
    smoke_steadiness.measure_steadiness(context, container)
    smoke_stop.stop_under_load(context, container)
    smoke_chaos.plant_faults(context, "sha256:1")
    texts = {path.name: path.read_text(encoding="utf-8") for path in context.raw.iterdir()}
    probe = assess_stories(FULL, texts)
    assert missed(probe) == []
    assert container.paused == 1
    # The fake's programs plant nothing, and that is seen.
    assert len(probe.doubts) == 6
    asked = [request for request in engine.asked if isinstance(request, ContainerRequest)]
    assert [request.tmp_mb for request in asked] == [32, 1, 0, 32, 32, 32]


def test_a_container_in_which_nothing_can_be_run_leaves_doubts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = Readiness(ready=False, after_s=30.0, found="no answer")
    container = FakeContainer()
    context = make_context(tmp_path, write_files(tmp_path / "tree", {"a": ""}), Settings(smoke=STANDARD))
    context = replace(context, ports=replace(context.ports, wire=FakeWire()))
    smoke_steadiness.measure_steadiness(context, container)
    texts = {path.name: path.read_text(encoding="utf-8") for path in context.raw.iterdir()}
    assert any("could not be read" in doubt for doubt in assess_stories(STANDARD, texts).doubts)
    monkeypatch.setattr(smoke_restart, "wait_until_ready", lambda *given: late)
    smoke_restart.kill_and_restart(context, container)
    record = json.loads((context.raw / smoke_restart.RECORD).read_text(encoding="utf-8"))
    assert record["ready"]["found"] == "not even ready before SIGKILL: no answer"
    with pytest.raises(EngineTrouble):
        container.execute(("python3",))
