"""Chaos checks: which records of them are green, and that a fault which was not there proves nothing."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from pipeline.core.containers import ContainerState, Executed
from pipeline.core.probe import Probe
from pipeline.settings import Smoke
from pipeline.stages import smoke_chaos

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
    assert probe.not_checked == (smoke_chaos.CLOCK,)


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
