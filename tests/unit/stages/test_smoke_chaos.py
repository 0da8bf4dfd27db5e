"""Chaos checks: which records of them are green, and that a fault which was not there proves nothing."""

from __future__ import annotations

import platform
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.containers import ContainerRequest, ContainerState, Executed
from pipeline.core.probe import Probe
from pipeline.settings import Smoke
from pipeline.stages import chaos_faults, smoke_chaos

FULL = Smoke(dose="full")


def missed(probe: Probe) -> list[str]:
    """The gates that are not met."""
    return [gate.what for gate in probe.gates if not gate.passed]


def is_sound(probe: Probe) -> bool:
    """Whether it carries a green."""
    caught = all(control.caught for control in probe.controls)
    return not missed(probe) and not probe.doubts and probe.expected <= probe.checked and caught


STATE = ContainerState(status="running", exit_code=0, out_of_memory=False, health="")
SEEN = {
    "memory exhausted": Executed(exit_code=137, output="1\n2\n"),
    "full disk": Executed(exit_code=0, output="a ENOSPC\nb ENOSPC\n"),
    "read-only disk": Executed(exit_code=0, output="a EROFS\nb EROFS\n"),
    "no name service": Executed(exit_code=0, output="no answer gaierror\n"),
    "clock ahead": Executed(exit_code=0, output="moved 30\n1 follows\n7 follows\n"),
    "clock back": Executed(exit_code=0, output="moved -30\n1 follows\n"),
}


def chaos_record() -> dict[str, Any]:
    """Every fault seen, and a service that stands them."""
    ready = {"ready": True, "after_s": 0.1, "found": "0.1 s"}
    return {
        name: {
            "ran": asdict(ran), "trouble": "", "statuses": {"GET /readyz": 200}, "ready": ready, "state": asdict(STATE)
        }
        for name, ran in SEEN.items()
    }  # fmt: skip


def test_a_service_that_stands_every_fault_is_green() -> None:
    probe = smoke_chaos.assess_chaos(FULL, chaos_record())
    assert is_sound(probe)
    assert not probe.not_checked
    assert probe.metrics["chaos_checks"] == 6


@pytest.mark.parametrize("name", sorted(SEEN))
def test_a_fault_that_was_not_there_proves_nothing(name: str) -> None:
    record = chaos_record()
    record[name]["ran"] = asdict(Executed(exit_code=0, output="it was written"))
    probe = smoke_chaos.assess_chaos(FULL, record)
    assert f"({name}) could not be seen" in probe.doubts[0]
    assert probe.expected - probe.checked == {f"chaos: {name}"}
    record[name] |= {"ran": None, "trouble": "python3 could not be run in the container."}
    assert smoke_chaos.assess_chaos(FULL, record).doubts[0].endswith("python3 could not be run in the container.")


@pytest.mark.parametrize("name", sorted(SEEN))
def test_a_service_that_fails_with_the_fault_fails(name: str) -> None:
    record = chaos_record()
    record[name]["statuses"] = {"GET /readyz": 500}
    assert missed(smoke_chaos.assess_chaos(FULL, record)) == [f"the service with {name}"]


def test_one_without_memory_may_end_with_the_reason_and_no_other() -> None:
    record = chaos_record()
    ended = replace(STATE, status="exited", exit_code=137, out_of_memory=True)
    record["memory exhausted"] |= {
        "state": asdict(ended), "ready": {"ready": False, "after_s": 0.1, "found": "it ended"}, "statuses": {}
    }  # fmt: skip
    assert is_sound(smoke_chaos.assess_chaos(FULL, record))
    record["memory exhausted"]["state"]["out_of_memory"] = False
    assert missed(smoke_chaos.assess_chaos(FULL, record)) == ["the service with memory exhausted"]


@pytest.mark.parametrize("output", ["moved 0\n1 follows\n", "moved 30\n", "moved 30\n1 follows\n7 does not follow\n"])
def test_a_clock_that_not_every_process_follows_was_not_moved(output: str) -> None:
    record = chaos_record()
    record["clock ahead"]["ran"] = asdict(Executed(exit_code=0, output=output))
    probe = smoke_chaos.assess_chaos(FULL, record)
    assert "(clock ahead) could not be seen" in probe.doubts[0]


def test_a_fault_that_cannot_be_planted_here_is_left_out_and_told() -> None:
    record = chaos_record() | {name: {"lacking": "It is not there."} for name in ("clock ahead", "clock back")}
    probe = smoke_chaos.assess_chaos(FULL, record)
    assert is_sound(probe)
    assert {item.what: item.reason for item in probe.not_checked} == {
        "chaos: clock ahead": "It is not there.",
        "chaos: clock back": "It is not there.",
    }
    assert probe.metrics["chaos_checks"] == 4 and not any("clock" in unit for unit in probe.expected)


def test_the_library_is_that_of_this_machines_architecture(tmp_path: Path) -> None:
    assert chaos_faults.clock_library(tmp_path) is None
    own, foreign = (tmp_path / f"usr/lib/{name}-linux-gnu" for name in (platform.machine(), "alien"))
    for folder in (foreign, own):
        (folder / "faketime").mkdir(parents=True)
        (folder / "faketime/libfaketimeMT.so.1").touch()
        assert chaos_faults.clock_library(tmp_path) == (
            None if folder == foreign else own / "faketime/libfaketimeMT.so.1"
        )


def test_without_the_library_the_clock_faults_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [fault for fault in chaos_faults.FAULTS if fault.name.startswith("clock")]
    monkeypatch.setattr(chaos_faults, "clock_library", lambda: None)
    assert ["apt-get install libfaketime" in fault.lacking() for fault in clock] == [True, True]
    monkeypatch.setattr(chaos_faults, "clock_library", lambda: Path("here.so"))
    assert not any(fault.lacking() for fault in chaos_faults.FAULTS)
    asked = clock[0].changed(ContainerRequest(image="sha256:1", name="chaos", port=5000, environment={"A": "1"}))
    assert asked.files == {asked.environment["LD_PRELOAD"]: Path("here.so")} and asked.environment["A"] == "1"
