"""``canary`` with real containers: a first release, an equal candidate, and candidates that are slow or fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from pipeline.core.canary_judge import SIDES
from pipeline.core.containers import ContainerEngine
from pipeline.core.stage import Examination, Status
from pipeline.core.verdict import conclude
from pipeline.errors import CouldNotTell, TargetFault
from pipeline.stages.canary import CanaryStage
from pipeline.stages.context import Context
from pipeline.stages.push import PushStage
from tests.container.registry_kit import Bench, build_service, engine_push, real_engine

pytestmark = pytest.mark.container


@pytest.fixture(name="engine", scope="module")
def engine_fixture() -> Iterator[ContainerEngine]:
    with real_engine() as engine:
        yield engine


@pytest.fixture(name="image", scope="module")
def image_fixture(engine: ContainerEngine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Five milliseconds an answer, so that a busy machine's own noise is small beside it."""
    return build_service(engine, tmp_path_factory.mktemp("image"), "steady", DELAY_MS="5")


@pytest.fixture(name="released", scope="module")
def released_fixture(engine: ContainerEngine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A checkout from which the image was released."""
    bench = Bench(engine=engine, folder=tmp_path_factory.mktemp("released"))
    assert conclude(PushStage(needs=("build",)).run(bench.context(image)))[0] is Status.PASS
    yield bench
    bench.close()


def canary(context: Context) -> tuple[Status, tuple[str, ...], Examination]:
    results = {name: result for name, result in context.results.items() if name != "canary"}
    examination = CanaryStage().run(replace(context, results=results))
    return *conclude(examination), examination


def untimely(examination: Examination) -> list[str]:
    """What could not be told of other things than times."""
    checks = examination.details["canary"]["checks"]
    timing = ("latency", "processor time")
    return [c["metric"] for c in checks if c["outcome"] != "pass" and not any(word in c["metric"] for word in timing)]


def test_a_first_release_is_judged_by_absolute_limits_and_says_so(
    engine: ContainerEngine, image: str, tmp_path: Path
) -> None:
    bench = Bench(engine=engine, folder=tmp_path)
    context = bench.context(image)
    outcome, reasons, examination = canary(context)
    assert outcome is Status.PASS, reasons
    assert "no release yet" in reasons[0]
    assert examination.metrics["mode"] == "absolute limits"
    assert examination.metrics["candidate_requests"] == len(examination.evidence.expected) == 120
    assert all(control.caught for control in examination.evidence.controls)
    assert not bench.opened or not (bench.own / "registry").exists()


def test_an_equal_candidate_passes_with_every_number_kept(
    released: Bench, image: str, engine_client: docker.DockerClient
) -> None:
    context = released.context(image)
    outcome, reasons, examination = canary(context)
    # Other tests may keep the machine so busy that nothing can be told of times; an equal candidate never fails.
    assert outcome is Status.PASS or (outcome is Status.INCONCLUSIVE and not untimely(examination)), reasons
    assert any("Both are the same image" in reason for reason in reasons)
    assert examination.metrics["mode"] == "comparison"
    assert examination.metrics["release_requests"] == examination.metrics["candidate_requests"]
    assert len(examination.evidence.controls) == 4
    samples = json.loads((context.raw / "samples.json").read_text())
    assert len([row for row in samples["rows"] if not row[1]]) == len(examination.evidence.expected)
    judged = json.loads((context.raw / "judge.json").read_text())
    assert {check["metric"] for check in judged["checks"]} == {
        "errors", "deviating answers", "latency", "p90 latency", "p99 latency", "latency variance",
        "processor time a request", "memory",
    }  # fmt: skip
    used = json.loads((context.raw / "usage.json").read_text())
    assert set(used) == set(SIDES)
    assert all(one["cpu_s"] > 0 and one["memory_bytes"] > 1_000_000 for one in used.values())
    owner = context.ports.ownership
    assert not engine_client.containers.list(all=True, filters={"label": f"pipeline.owner={owner.checkout}"})


def test_a_slow_candidate_fails(released: Bench, engine: ContainerEngine) -> None:
    outcome, reasons, examination = canary(
        released.context(build_service(engine, released.folder, "slow", DELAY_MS="12"))
    )
    # Where other tests keep the machine too busy, no time is believed; green it never is.
    assert outcome is Status.FAIL or (outcome is Status.INCONCLUSIVE and "too " in reasons[0]), reasons
    if outcome is Status.FAIL:
        assert any(reason.startswith("latency of GET /:") and "slower than the release" in reason for reason in reasons)
    assert not examination.evidence.missing


def test_a_candidate_that_fails_now_and_then_fails(released: Bench, engine: ContainerEngine) -> None:
    context = released.context(build_service(engine, released.folder, "failing", DELAY_MS="5", FAIL_EACH="6"))
    outcome, reasons, _ = canary(context)
    assert outcome is Status.FAIL
    assert any(reason.startswith("errors of all endpoints") for reason in reasons)
    assert (context.raw / "candidate.log").exists()


def test_a_candidate_that_answers_otherwise_fails(released: Bench, engine: ContainerEngine) -> None:
    context = released.context(build_service(engine, released.folder, "wordy", DELAY_MS="5", ANSWER="changed"))
    outcome, reasons, _ = canary(context)
    assert outcome is Status.FAIL
    assert any(reason.startswith("deviating answers of GET /:") and "body was" in reason for reason in reasons)


def test_a_candidate_that_never_gets_ready_is_at_fault_and_a_release_that_does_not_is_not(
    released: Bench, engine: ContainerEngine, image: str, tmp_path: Path
) -> None:
    broken = build_service(engine, released.folder, "unready", NOT_READY="1")
    context = released.context(broken)
    impatient = replace(context.settings, smoke=replace(context.settings.smoke, ready_timeout_s=12.0))
    with pytest.raises(TargetFault, match="candidate container did not become ready"):
        canary(replace(context, settings=impatient))
    other = Bench(engine=engine, folder=tmp_path)
    registry = other.registries().open()
    digest = engine_push(broken, f"{registry.reference}:staging")
    other.releases.record("rehearsal/team/service", digest)
    context = other.context(image)
    impatient = replace(context.settings, smoke=replace(context.settings.smoke, ready_timeout_s=1.0))
    with pytest.raises(CouldNotTell, match="current release does not start"):
        canary(replace(context, settings=impatient))
    other.close()
