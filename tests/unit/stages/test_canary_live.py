"""A live deployment is judged by its tests, by absolute limits and by the line of its earlier runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import settings as kinds
from pipeline.core.ports import ToolEnvironment
from pipeline.core.stage import Examination, Status
from pipeline.core.traffic import Sample, TrafficPlan
from pipeline.core.verdict import conclude
from pipeline.errors import StorageTrouble
from pipeline.settings import Canary, Settings, Smoke
from pipeline.stages.canary import CanaryStage
from pipeline.stages.canary_live import HISTORY_FILE
from pipeline.stages.canary_measurement import Measurement, measure
from pipeline.stages.context import Context
from pipeline.tools import pytest as pytest_tool
from tests.scripted_http import Asked, Reply, scripted_http
from tests.support import make_context, real_processes, write_files
from tests.unit.stages.test_canary import ImaginedTraffic, slow


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


SETTINGS = Settings(
    canary=Canary(paths=("/",), requests=100, rate=500.0),
    smoke=Smoke(paths=("tests",)),
    test=kinds.Test(paths=("tests",), requirements=("requirements.txt",)),
)


@pytest.fixture(name="context")
def context_fixture(tmp_path: Path) -> Context:
    """A checkout whose suite has one canary test."""
    tree = write_files(tmp_path / "tree", LIVE_TESTS)
    return make_context(tmp_path / "run", tree, SETTINGS, processes=real_processes(), environments=ThisEnvironment())


@pytest.fixture(name="url")
def url_fixture() -> Iterator[str]:
    """A deployment that says what its path is named for."""
    with scripted_http(lambda asked: Reply(body=said(asked))) as server:
        yield f"http://{server.host}"


def said(asked: Asked) -> bytes:
    return b"broken" if asked.path.startswith("/broken") else b"ok"


def examined(context: Context, url: str, factor: float = 1.0) -> tuple[Status, tuple[str, ...], Examination]:
    ports = replace(context.ports, traffic=ImaginedTraffic(slow(factor, side="live")))
    examination = CanaryStage().run(replace(context, ports=ports, arguments=("--url", url)))
    return *conclude(examination), examination


def remembered(context: Context) -> int:
    path = context.state / HISTORY_FILE
    return sum(map(len, json.loads(path.read_text())["runs"].values())) if path.exists() else 0


def test_a_first_run_is_judged_by_absolute_objectives_and_says_so(context: Context, url: str) -> None:
    outcome, reasons, examination = examined(context, url)
    assert outcome is Status.PASS, reasons
    assert "absolute objectives alone, since 0 earlier runs" in reasons[0]
    assert (examination.metrics["mode"], examination.metrics["tests"]) == ("live", 1)
    assert "image_id" not in examination.metrics
    assert (context.raw / "canary.xml").exists()
    assert remembered(context) == 1
    assert url not in (context.state / HISTORY_FILE).read_text()


def test_failing_tests_and_slow_answers_fail_and_are_never_remembered(context: Context, url: str) -> None:
    assert examined(context, f"{url}/broken")[0] is Status.FAIL
    assert examined(context, url, factor=500.0)[0] is Status.FAIL
    assert remembered(context) == 0


def test_a_run_out_of_the_line_of_earlier_ones_fails_and_does_not_become_part_of_it(
    context: Context, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The suite itself runs once; the other runs are about the measurement.
    first = examined(context, url)[2]
    here = ThisEnvironment().ensure("project", [Path()])
    monkeypatch.setattr("pipeline.stages.canary_live.project_environment", lambda _: here)
    monkeypatch.setattr("pipeline.stages.canary_live.run_tests", lambda *_, **__: passed())
    for _ in range(4):
        assert examined(context, url)[0] is Status.PASS
    assert remembered(context) == 5
    outcome, reasons, _ = examined(context, url, factor=1.6)
    assert outcome is Status.FAIL
    assert any(reason.startswith("median latency of GET /: allowed at most ") for reason in reasons)
    assert remembered(context) == 5
    outcome, reasons, examination = examined(context, url)
    assert outcome is Status.PASS and "its 5 earlier runs that passed" in reasons[0]
    assert examination.metrics["earlier_runs"] == 5 != first.metrics["earlier_runs"]
    assert len(json.loads((context.raw / "earlier-runs.json").read_text())) == 5
    # Another load is another line.
    other = replace(context, settings=replace(SETTINGS, canary=replace(SETTINGS.canary, rate=400.0)))
    assert "0 earlier runs" in examined(other, url)[1][0]


def passed() -> pytest_tool.Output:
    return pytest_tool.Output(findings=(), count=1, executed=frozenset(), skipped=frozenset(), deselected=frozenset())


def test_a_damaged_record_is_never_taken_for_an_empty_one(context: Context, url: str) -> None:
    write_files(context.state, {HISTORY_FILE: '{"schema": "pipeline.canary-history/v1", "runs": {"x": [1]}}'})
    with pytest.raises(StorageTrouble, match="can't be read"):
        examined(context, url)


def test_a_look_for_which_there_is_no_time_is_missing_in_the_evidence(context: Context) -> None:
    class Late(ImaginedTraffic):
        """Takes all the time there is."""

        def send(
            self, plan: TrafficPlan, targets: Mapping[str, str], *, each_s: float, all_s: float
        ) -> tuple[Sample, ...]:
            context.ports.clock.sleep(1000)
            return super().send(plan, targets, each_s=each_s, all_s=all_s)

    ports = replace(context.ports, traffic=Late())
    measured: Measurement = measure(replace(context, ports=ports), {"live": "http://x"}, lambda done: False)
    assert measured.rounds == 2
    assert len(measured.evidence(()).missing) == 100
