"""The canary stage's own decisions: settings, evidence, noise, controls, and what it keeps."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pipeline.core.canary_judge import CANDIDATE, RELEASE, SIDES, TWIN, Comparison
from pipeline.core.canary_resources import Used
from pipeline.core.containers import Container, Usage
from pipeline.core.stage import Status
from pipeline.core.traffic import Answer, Sample, TrafficPlan
from pipeline.core.verdict import conclude
from pipeline.errors import ConfigurationError, CouldNotTell
from pipeline.settings import Canary, Settings
from pipeline.stages.canary import CanaryStage
from pipeline.stages.canary_comparison import assess, check_requests, compared, comparison, settled
from pipeline.stages.canary_limits import examine_by_limits, live_url
from pipeline.stages.canary_measurement import ROUNDS, Measurement, measure
from pipeline.stages.context import Context
from pipeline.testing import FakeContainer
from tests.support import make_context, snapshot_of, write_files

USER = "u"
SETTINGS = Settings(canary=Canary(paths=("/", "/b"), requests=640))
RULES: Comparison = comparison(SETTINGS)
TARGETS = {side: f"http://{side.replace(' ', '-')}" for side in SIDES}
USED = {side: Used(requests=100, cpu_s=0.1, memory_bytes=40_000_000) for side in SIDES}
SAID = Answer(headers=(("Server", "x"),), body=b'{"msg": "hi"}')

Change = Callable[[Sample], Sample]


class ImaginedTraffic:
    """A TrafficSource that draws latencies instead of sending requests; ``change`` may spoil each sample."""

    def __init__(self, change: Change = lambda sample: sample, *, stop_after: int = 10**9) -> None:
        self._chance = random.Random("imagined")
        self._change = change
        self._left = stop_after
        self.rounds = 0

    def send(self, plan: TrafficPlan, targets: Mapping[str, str], *, each_s: float, all_s: float) -> tuple[Sample, ...]:
        assert set(targets) >= {request.side for request in plan.requests}
        assert each_s > 0 < all_s
        self.rounds += 1
        sent = plan.requests[: self._left]
        self._left -= len(sent)
        return tuple(
            self._change(
                Sample(
                    request=request,
                    at_s=n / 400,
                    latency_ms=self._chance.lognormvariate(1, 0.2),
                    status=200,
                    answer=SAID,
                )
            )
            for n, request in enumerate(sent)
        )


def context_with(folder: Path, traffic: ImaginedTraffic, settings: Settings = SETTINGS) -> Context:
    context = make_context(folder / "run", write_files(folder / "tree", {"a.py": "A = 1\n"}), settings)
    return replace(context, ports=replace(context.ports, traffic=traffic))


def slow(factor: float, *, side: str = CANDIDATE, path: str = "") -> Change:
    def change(sample: Sample) -> Sample:
        hit = sample.request.side == side and sample.request.endpoint.path.endswith(path)
        return replace(sample, latency_ms=sample.latency_ms * factor) if hit else sample

    return change


def saying(text: bytes) -> Change:
    def change(sample: Sample) -> Sample:
        return replace(sample, answer=replace(SAID, body=text)) if sample.request.side == CANDIDATE else sample

    return change


def judged(folder: Path, traffic: ImaginedTraffic) -> tuple[Status, tuple[str, ...], Measurement]:
    measurement = measure(context_with(folder, traffic), TARGETS, lambda done: settled(done, RULES))
    examination, _ = assess(measurement, RULES, USED, 0.5)
    return *conclude(examination), measurement


def test_equal_sides_are_green_after_one_look(tmp_path: Path) -> None:
    outcome, reasons, measurement = judged(tmp_path, ImaginedTraffic())
    assert outcome is Status.PASS, reasons
    assert measurement.rounds == 1
    assert len(measurement.planned) == 1920
    assert measurement.metrics()["release_requests"] == measurement.metrics()["release_twin_requests"] == 640


def test_a_slow_endpoint_is_red_and_named(tmp_path: Path) -> None:
    outcome, reasons, _ = judged(tmp_path, ImaginedTraffic(slow(1.5, path="/b")))
    assert outcome is Status.FAIL
    assert any(reason.startswith("latency of GET /b: allowed at most ") for reason in reasons)


def test_other_answers_are_red_and_shown(tmp_path: Path) -> None:
    outcome, reasons, _ = judged(tmp_path, ImaginedTraffic(saying(b'{"msg": "ho"}')))
    assert outcome is Status.FAIL
    assert any('$.msg was "hi" and is "ho"' in reason for reason in reasons)


def test_what_is_not_clear_is_looked_at_again_and_then_not_told(tmp_path: Path) -> None:
    def sometimes(sample: Sample) -> Sample:
        bad = sample.request.side == CANDIDATE and sample.request.number % 107 == 1
        return replace(sample, status=500, answer=None) if bad else sample

    traffic = ImaginedTraffic(sometimes)
    outcome, reasons, measurement = judged(tmp_path, traffic)
    assert outcome is not Status.PASS
    assert traffic.rounds == measurement.rounds > 1
    assert any("errors of all endpoints" in reason for reason in reasons)
    assert len({request.name for request in measurement.planned}) == 1920 * measurement.rounds


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        (slow(1.5, side=TWIN), "the release differed from itself"),
        (lambda sample: replace(sample, late_ms=9.0), "sent more than 5 ms late"),
        (lambda sample: replace(sample, queued=sample.request.side == RELEASE), "canary.rate is too high"),
    ],
)
def test_a_noisy_machine_is_a_doubt_even_of_a_slow_candidate(tmp_path: Path, change: Change, doubt: str) -> None:
    outcome, reasons, measurement = judged(tmp_path, ImaginedTraffic(lambda sample: change(slow(1.3)(sample))))
    assert outcome is Status.INCONCLUSIVE
    assert doubt in reasons[0] or any(doubt in reason for reason in reasons)
    assert measurement.rounds == ROUNDS


def test_that_the_candidate_can_not_keep_up_is_its_own_fault(tmp_path: Path) -> None:
    def stuck(sample: Sample) -> Sample:
        return replace(slow(9.0)(sample), queued=sample.request.side == CANDIDATE)

    assert judged(tmp_path, ImaginedTraffic(stuck))[0] is Status.FAIL


def test_requests_that_were_not_sent_are_missing(tmp_path: Path) -> None:
    outcome, reasons, measurement = judged(tmp_path, ImaginedTraffic(stop_after=1500))
    assert outcome is Status.INCONCLUSIVE
    assert measurement.rounds == 1
    assert any("of 1920 samples were not checked" in reason for reason in reasons)


def test_sides_that_answer_nothing_prove_nothing(tmp_path: Path) -> None:
    def dead(sample: Sample) -> Sample:
        return replace(sample, status=0, error="timeout", answer=None)

    outcome, reasons, _ = judged(tmp_path, ImaginedTraffic(dead))
    assert outcome is Status.INCONCLUSIVE
    assert any("did not catch the planted release at half its speed" in reason for reason in reasons)
    assert any("errors of GET / could not be told" in reason for reason in reasons)


def test_the_containers_are_measured_and_everything_is_kept(tmp_path: Path) -> None:
    class Working(FakeContainer):
        """Uses more with every reading."""

        def usage(self) -> Usage:
            self.used = replace(self.used, cpu_s=self.used.cpu_s + 1)
            return self.used

    def failing(sample: Sample) -> Sample:
        return replace(sample, status=500) if sample.request.side == CANDIDATE else sample

    containers: dict[str, Container] = {side: Working(base_url=url, log="said") for side, url in TARGETS.items()}
    context = context_with(tmp_path, ImaginedTraffic(failing))
    examination = compared(context, containers)
    assert conclude(examination)[0] is Status.FAIL
    kept = {name: json.loads((context.raw / name).read_text()) for name in ("samples.json", "judge.json", "usage.json")}
    assert len(kept["samples.json"]["rows"]) == 1920 + 3 * 38
    assert kept["usage.json"][TWIN] == asdict(Used(requests=678, cpu_s=1.0, memory_bytes=1_000_000))
    assert {check["metric"] for check in kept["judge.json"]["checks"]} >= {"errors", "memory"}
    assert json.loads((context.raw / "answers.json").read_text())[RELEASE]["GET /"]["total"] == 320
    assert (context.raw / "release-twin.log").read_text() == "said"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (slow(1.0), Status.PASS),
        (slow(200.0), Status.FAIL),
        (lambda sample: replace(sample, status=503 if sample.request.number == 7 else 200), Status.FAIL),
        (lambda sample: replace(sample, status=0), Status.FAIL),
        (lambda sample: replace(sample, late_ms=9.0), Status.PASS),
        (lambda sample: replace(sample, late_ms=9.0, latency_ms=999.0), Status.INCONCLUSIVE),
    ],
)
def test_absolute_limits(tmp_path: Path, change: Change, expected: Status) -> None:
    context = context_with(tmp_path, ImaginedTraffic(change))
    examination = examine_by_limits(context, CANDIDATE, "http://candidate")
    assert conclude(examination)[0] is expected
    assert json.loads((context.raw / "judge.json").read_text())["limits"]["max_p95_ms"] == 250.0
    assert len(json.loads((context.raw / "samples.json").read_text())["rows"]) == 678


@pytest.mark.parametrize(
    ("canary", "sentence"),
    [
        (Canary(paths=()), "paths is empty"),
        (Canary(paths=("healthz",)), "no request"),
        (Canary(paths=("/a", "/b", "/c"), requests=100), "Set it to 150 or more"),
        (Canary(tolerance=0), "0.01 or more"),
        (Canary(tolerance=0.2), "not above canary.tolerance"),
        (Canary(max_error_rate=0.9), "max_error_rate is 0.9.* 0.3 or less"),
        (Canary(error_tolerance=0.5), "error_tolerance is 0.5.* 0.3 or less"),
    ],
)
def test_settings_under_which_nothing_could_be_told_are_refused(tmp_path: Path, canary: Canary, sentence: str) -> None:
    tree = write_files(tmp_path, {"a": ""})
    with pytest.raises(ConfigurationError, match=sentence):
        CanaryStage().check_settings(Settings(canary=canary), snapshot_of(tree))


def test_a_comparison_that_could_pass_nobody_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"too few to exclude 1.00% more errors: .* 2.00% would be possible"):
        check_requests(Settings(canary=Canary(requests=100)))
    check_requests(Settings(canary=Canary(requests=100, error_tolerance=0.03)))
    check_requests(Settings())


def test_without_an_image_nothing_can_be_told(tmp_path: Path) -> None:
    with pytest.raises(CouldNotTell, match="no image of this snapshot"):
        CanaryStage().run(context_with(tmp_path, ImaginedTraffic()))


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        ((), ""),
        (("-k", "something"), ""),
        (("--url", "https://example.org/"), "https://example.org"),
        (("-v", "--url=http://example.org:8080/base"), "http://example.org:8080/base"),
    ],
)
def test_the_address_of_a_live_deployment(arguments: tuple[str, ...], url: str) -> None:
    assert live_url(arguments) == url


@pytest.mark.parametrize(
    "arguments",
    [
        ("--url",),
        ("--url=",),
        ("--url", "example.org"),
        ("--url", "ftp://example.org"),
        ("--url", f"http://{USER}:{USER}@example.org"),
    ],
)
def test_an_address_that_is_none_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="--url"):
        live_url(arguments)
