"""The canary stage's own decisions: settings, evidence, noise, controls, and what a live deployment needs."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import settings as kinds
from pipeline.core.canary_judge import Comparison
from pipeline.core.ports import ToolEnvironment
from pipeline.core.stage import Status
from pipeline.core.traffic import Sample, TrafficPlan
from pipeline.core.verdict import conclude
from pipeline.errors import ConfigurationError, CouldNotTell
from pipeline.execution.traffic import HttpTraffic
from pipeline.settings import Canary, Settings, Smoke
from pipeline.stages.canary import CanaryStage, assess, settled
from pipeline.stages.canary_limits import examine_by_limits, live_url
from pipeline.stages.canary_measurement import ROUNDS, Measurement, measure
from pipeline.stages.context import Context
from tests.scripted_http import Asked, Reply, scripted_http
from tests.support import make_context, real_processes, snapshot_of, write_files

RULES = Comparison(tolerance=0.2, max_error_rate=0.0, looks=ROUNDS)
USER = "u"
SETTINGS = Settings(canary=Canary(paths=("/", "/b"), requests=100))
TARGETS = {"candidate": "http://candidate", "release": "http://release"}


class ImaginedTraffic:
    """A TrafficSource that draws latencies instead of sending requests; ``change`` may spoil each sample."""

    def __init__(self, change: Callable[[Sample], Sample] = lambda sample: sample, *, stop_after: int = 10**9) -> None:
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
                Sample(request=request, at_s=float(n), latency_ms=self._chance.lognormvariate(1, 0.2), status=200)
            )
            for n, request in enumerate(sent)
        )


def context_with(folder: Path, traffic: ImaginedTraffic | HttpTraffic, settings: Settings = SETTINGS) -> Context:
    context = make_context(folder / "run", write_files(folder / "tree", {"a.py": "A = 1\n"}), settings)
    return replace(context, ports=replace(context.ports, traffic=traffic))


def slow(factor: float, *, side: str = "candidate", path: str = "") -> Callable[[Sample], Sample]:
    def change(sample: Sample) -> Sample:
        hit = sample.request.side == side and sample.request.endpoint.path.endswith(path)
        return replace(sample, latency_ms=sample.latency_ms * factor) if hit else sample

    return change


def judged(folder: Path, traffic: ImaginedTraffic) -> tuple[Status, tuple[str, ...], Measurement]:
    measurement = measure(context_with(folder, traffic), TARGETS, lambda samples: settled(samples, RULES))
    examination, _ = assess(measurement, RULES)
    return *conclude(examination), measurement


def test_equal_sides_are_green_after_one_round(tmp_path: Path) -> None:
    outcome, reasons, measurement = judged(tmp_path, ImaginedTraffic())
    assert outcome is Status.PASS, reasons
    assert measurement.rounds == 1
    assert len(measurement.planned) == 200
    assert measurement.metrics()["release_requests"] == 100


def test_a_slow_endpoint_is_red_and_named(tmp_path: Path) -> None:
    outcome, reasons, _ = judged(tmp_path, ImaginedTraffic(slow(1.5, path="/b")))
    assert outcome is Status.FAIL
    assert reasons[0].startswith("latency of GET /b: allowed at most ")


def test_what_is_not_clear_is_measured_again_and_then_not_told(tmp_path: Path) -> None:
    def sometimes(sample: Sample) -> Sample:
        bad = sample.request.side == "candidate" and sample.request.number == 1
        return replace(sample, status=500) if bad else sample

    traffic = ImaginedTraffic(sometimes)
    outcome, reasons, measurement = judged(tmp_path, traffic)
    assert outcome is Status.INCONCLUSIVE
    assert traffic.rounds == measurement.rounds == ROUNDS
    assert any("errors of all endpoints could not be told" in reason for reason in reasons)
    assert len({request.name for request in measurement.planned}) == 200 * ROUNDS


def test_a_noisy_machine_is_a_doubt(tmp_path: Path) -> None:
    counts: Counter[tuple[str, str]] = Counter()

    def bursts(sample: Sample) -> Sample:
        if sample.request.warm_up:
            return sample
        key = (sample.request.side, str(sample.request.endpoint))
        counts[key] += 1
        return replace(sample, latency_ms=sample.latency_ms * (1 + (counts[key] - 1) // 10 % 2))

    outcome, reasons, _ = judged(tmp_path, ImaginedTraffic(bursts))
    assert outcome is Status.INCONCLUSIVE
    assert any("too noisy to tell" in reason for reason in reasons)


def test_requests_that_were_not_sent_are_missing(tmp_path: Path) -> None:
    outcome, reasons, measurement = judged(tmp_path, ImaginedTraffic(stop_after=150))
    assert outcome is Status.INCONCLUSIVE
    assert measurement.rounds == 1
    assert any("of 200 samples were not checked" in reason for reason in reasons)


def test_a_release_that_answers_nothing_proves_nothing(tmp_path: Path) -> None:
    def dead(sample: Sample) -> Sample:
        return replace(sample, status=0, error="timeout")

    outcome, reasons, _ = judged(tmp_path, ImaginedTraffic(dead))
    assert outcome is Status.INCONCLUSIVE
    assert any("did not catch the planted release at half its speed" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (slow(1.0), Status.PASS),
        (slow(200.0), Status.FAIL),
        (lambda sample: replace(sample, status=503 if sample.request.number == 7 else 200), Status.FAIL),
        (lambda sample: replace(sample, status=0), Status.FAIL),
    ],
)
def test_absolute_limits(tmp_path: Path, change: Callable[[Sample], Sample], expected: Status) -> None:
    context = context_with(tmp_path, ImaginedTraffic(change))
    examination = examine_by_limits(context, "candidate", "http://candidate")
    assert conclude(examination)[0] is expected
    assert json.loads((context.raw / "judge.json").read_text())["limits"]["max_p95_ms"] == 250.0
    assert len(json.loads((context.raw / "samples.json").read_text())["rows"]) == 110


@pytest.mark.parametrize(
    ("canary", "sentence"),
    [
        (Canary(paths=()), "paths is empty"),
        (Canary(paths=("healthz",)), "no request"),
        (Canary(paths=("/a", "/b", "/c"), requests=100), "Set it to 120 or more"),
        (Canary(tolerance=0), "0.01 or more"),
        (Canary(max_error_rate=0.9), "0.3 or less"),
    ],
)
def test_settings_under_which_nothing_could_be_told_are_refused(tmp_path: Path, canary: Canary, sentence: str) -> None:
    tree = write_files(tmp_path, {"a": ""})
    with pytest.raises(ConfigurationError, match=sentence):
        CanaryStage().check_settings(Settings(canary=canary), snapshot_of(tree))


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


class ThisEnvironment:
    """The environment that the tests themselves run in."""

    def ensure(self, title: str, locks: Sequence[Path]) -> ToolEnvironment:
        assert title == "project" and locks
        python = Path(sys.executable)
        return ToolEnvironment(root=python.parents[1], python=python, version="3", site_packages=python.parent)


LIVE_TESTS = {
    "requirements.txt": "",
    "tests/conftest.py": "def pytest_addoption(parser):\n    parser.addoption('--base-url')\n"
    "def pytest_configure(config):\n    config.addinivalue_line('markers', 'canary: safe')\n",
    "tests/test_live.py": "import pytest, urllib.request\n"
    "@pytest.mark.canary\ndef test_it_is_up(request):\n"
    "    url = request.config.getoption('--base-url') + '/healthz'\n"
    "    with urllib.request.urlopen(url) as answer: assert answer.read() == b'ok'\n"
    "def test_of_another_kind():\n    assert False\n",
}


@pytest.mark.parametrize(("broken", "expected"), [(False, Status.PASS), (True, Status.FAIL)])
def test_a_live_deployment_is_judged_by_tests_and_limits(tmp_path: Path, broken: bool, expected: Status) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(body=b"broken" if broken and asked.path == "/healthz" else b"ok")

    settings = Settings(
        canary=Canary(paths=("/",), requests=50, rate=500.0),
        smoke=Smoke(paths=("tests",)),
        test=kinds.Test(paths=("tests",), requirements=("requirements.txt",)),
    )
    tree = write_files(tmp_path / "tree", LIVE_TESTS)
    context = make_context(tmp_path / "run", tree, settings, processes=real_processes(), environments=ThisEnvironment())
    with scripted_http(answer) as server:
        arguments = ("--url", f"http://{server.host}")
        ports = replace(context.ports, traffic=HttpTraffic())
        examination = CanaryStage().run(replace(context, ports=ports, arguments=arguments))
    outcome, reasons = conclude(examination)
    assert outcome is expected, reasons
    assert examination.metrics["mode"] == "live"
    assert examination.metrics["tests"] == 1
    assert "image_id" not in examination.metrics
    assert (context.raw / "canary.xml").exists()
