"""``smoke``: a container's life from start to stop, and which fault turns it to which status."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.containers import Container, ContainerRequest, ContainerState, Ownership
from pipeline.core.ports import Outcome, Request
from pipeline.core.stage import Examination, Status, not_run
from pipeline.core.verdict import conclude
from pipeline.errors import EngineTrouble, ToolTrouble
from pipeline.settings import Settings, Smoke
from pipeline.settings import Test as ProjectTests
from pipeline.stages.context import Context
from pipeline.stages.hardening import restriction_names
from pipeline.stages.smoke import SmokeStage
from pipeline.testing import RUNNING, FakeContainer, FakeEngine, ScriptedRunner, SilentProgress, outcome
from pipeline.tools.pytest import RECORD_VARIABLE
from tests.support import FIXTURES, make_context, write_files
from tests.told_stories import FakeWire, programs

HARDENED: dict[str, Any] = json.loads((FIXTURES / "docker" / "inspect_hardened.json").read_text(encoding="utf-8"))
TEST = "service/tests/test_live.py::test_it"
TREE = {
    "service/requirements.txt": "",
    "service/tests/test_live.py": "def test_it() -> None: ...\ndef test_unit() -> None: ...\n",
}
SETTINGS = Settings(
    test=ProjectTests(paths=("service/tests",), requirements=("service/requirements.txt",)),
    smoke=Smoke(paths=("service/tests",), ready_timeout_s=0.5, random_keys=("KEY",)),
)
PHASE = {
    "event": "phase",
    "test": TEST,
    "when": "call",
    "file": "service/tests/test_live.py",
    "expected": False,
    "line": 1,
    "text": "boom",
    "crash": "boom",
    "seconds": 0.1,
}
KILLED = ContainerState(status="exited", exit_code=137, out_of_memory=False, health="")


@dataclass
class Service:
    """A service on loopback that answers with the status for a path."""

    url: str
    statuses: dict[str, int]


@pytest.fixture(name="service")
def _service() -> Iterator[Service]:
    statuses = {"/readyz": 200}

    class Handler(BaseHTTPRequestHandler):
        """Answers without a body."""

        def do_GET(self) -> None:  # pylint: disable=invalid-name  # the name that http.server looks for
            """With the status that is written, else 404."""
            self.send_response_only(statuses.get(self.path, statuses.get("*", 404)))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield Service(f"http://127.0.0.1:{server.server_address[1]}", statuses)
        server.shutdown()
        thread.join()


@dataclass(kw_only=True)
class Engine(FakeEngine):
    """An engine that has a container of its own for the restart."""

    restarted: FakeContainer = field(default_factory=FakeContainer)

    def start(self, request: ContainerRequest) -> Container:
        self.asked.append(request)
        return self.restarted if "-restart-" in request.name else self.container


Step = Callable[[Request], Outcome]
"""What pytest does when it is run."""


def suite(*outcomes: str, exit_code: int | None = None, deselected: str = "test_unit") -> Callable[[Request], Outcome]:
    """A pytest whose tests end so."""

    def run(request: Request) -> Outcome:
        events: list[dict[str, Any]] = [{"event": "deselected", "test": f"service/tests/test_live.py::{deselected}"}]
        for word in outcomes:
            events.append({**PHASE, "outcome": word})
        code = (1 if "failed" in outcomes else 0) if exit_code is None else exit_code
        events.append({"event": "end", "exit": code})
        record = Path(str(request.env[RECORD_VARIABLE]))
        record.write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
        (record.parent / "junit.xml").write_text("<testsuites/>", encoding="utf-8")
        return outcome(code)

    return run


def nobody_answers(request: Request) -> Outcome:
    """The control's run: the container has stopped."""
    return suite("failed")(request)


@dataclass
class Trial:
    """A run of the stage with an engine that is a fake."""

    folder: Path
    container: FakeContainer
    engine: Engine
    context: Context

    def run(self, *steps: Callable[[Request], Outcome]) -> Examination:
        """What the stage sees when pytest does these steps."""
        ports = replace(self.context.ports, processes=ScriptedRunner(list(steps)))
        return SmokeStage().run(replace(self.context, ports=ports))


@pytest.fixture(name="trial")
def _trial(tmp_path: Path, service: Service) -> Trial:
    container = FakeContainer(base_url=service.url, answer=HARDENED, log='{"level": "INFO", "msg": "started"}\n')
    container.programs = programs
    engine = Engine(container=container, leftovers=("pipeline-old",))
    engine.restarted.base_url = service.url
    context = make_context(tmp_path, write_files(tmp_path / "tree", TREE), SETTINGS)
    ownership = Ownership(checkout="c" * 16, run="r")
    ports = replace(context.ports, engine=lambda: engine, ownership=ownership, wire=FakeWire())
    build = replace(not_run("build", "A sample."), metrics={"image_id": "sha256:1"})
    return Trial(tmp_path, container, engine, replace(context, ports=ports, results={"build": build}))


def status(examination: Examination) -> Status:
    """What it amounts to."""
    return conclude(examination)[0]


def missed(examination: Examination) -> list[str]:
    """The gates that were not met."""
    return [gate.what for gate in examination.gates if not gate.passed]


def test_a_sound_service_passes_with_everything_checked(trial: Trial) -> None:
    examination = trial.run(suite("passed"), nobody_answers)
    assert conclude(examination)[0] is Status.PASS, conclude(examination)[1]
    assert examination.evidence.expected >= restriction_names() | {TEST}
    stories = {name.partition(":")[0] for name in examination.evidence.expected}
    assert stories >= {"malformed", "steady", "stop", "restart"}
    assert examination.metrics["tests"] == 1
    assert examination.metrics["exit_code"] == 0
    assert examination.metrics["image_id"] == "sha256:1"
    assert len(examination.evidence.controls) == 8
    assert (trial.container.removed, trial.engine.restarted.removed) == (1, 1)
    kept = {path.name for path in trial.context.raw.iterdir()}
    assert {"container.log", "container.json", "container-end.json", "tests.log", "junit.xml"} <= kept


def test_the_container_is_ours_and_gets_a_random_key_that_is_never_shown(trial: Trial) -> None:
    trial.run(suite("passed"), nobody_answers)
    for request in trial.engine.asked:
        assert isinstance(request, ContainerRequest)
        assert request.labels == {"pipeline.owner": "c" * 16, "pipeline.run": "r"}
        key = request.secrets["KEY"]
        assert len(key) > 30
        assert trial.context.ports.redact(f"it is {key}") == "it is [secret]"
    assert len(trial.engine.asked) == 2
    progress = trial.context.ports.progress
    assert isinstance(progress, SilentProgress)
    assert "removed pipeline-old, left by an earlier run" in progress.said


def test_a_failing_test_fails_and_needs_no_control(trial: Trial) -> None:
    examination = trial.run(suite("failed"))
    assert status(examination) is Status.FAIL
    assert examination.findings[0].message == "test_it: boom"


def test_a_suite_that_never_asked_the_container_proves_nothing(trial: Trial) -> None:
    assert status(trial.run(suite("passed"), suite("passed"))) is Status.INCONCLUSIVE


def test_no_test_for_a_running_service_leaves_doubt(trial: Trial) -> None:
    assert status(trial.run(suite(deselected="test_it"))) is Status.INCONCLUSIVE


def test_a_skipped_test_leaves_doubt(trial: Trial) -> None:
    assert status(trial.run(suite("skipped"))) is Status.INCONCLUSIVE


def test_a_service_that_answers_anything_with_200_can_not_be_probed(trial: Trial, service: Service) -> None:
    service.statuses["*"] = 200
    assert status(trial.run(suite("passed"), nobody_answers)) is Status.INCONCLUSIVE


def test_a_service_that_is_never_ready_fails_in_time(trial: Trial, service: Service) -> None:
    service.statuses["/readyz"] = 500
    trial.container.log = "the last words\n"
    examination = trial.run()
    verdict, reasons = conclude(examination)
    assert verdict is Status.FAIL
    assert reasons[0] == "ready: allowed within 0.5 s, found status 500 from /readyz within 0.5 s."
    assert "The end of its log: the last words" in reasons
    assert trial.container.removed == 1


def test_a_container_that_has_died_fails_at_once_with_its_log(trial: Trial) -> None:
    trial.container.now = replace(KILLED, exit_code=1, out_of_memory=True)
    trial.container.log = ""
    reasons = conclude(trial.run())[1]
    assert "found it ended with exit code 1, out of memory after 0.0 s." in reasons[0]
    assert "Its log is empty." in reasons


def test_an_end_that_is_not_in_order_fails(trial: Trial) -> None:
    trial.container.after_stop = KILLED
    examination = trial.run(suite("passed"), nobody_answers)
    assert (status(examination), missed(examination)) == (Status.FAIL, ["end after SIGTERM"])


def test_one_that_does_not_stop_at_all_fails(trial: Trial) -> None:
    trial.container.after_stop = RUNNING
    assert status(trial.run(suite("passed"), nobody_answers)) is Status.FAIL


def test_an_error_in_its_log_fails(trial: Trial) -> None:
    trial.container.log = '{"level": "ERROR", "msg": "it broke"}\n'
    examination = trial.run(suite("passed"), nobody_answers)
    assert missed(examination) == ["failing tests, operations and log lines of severity medium or worse"]


def test_a_service_that_does_not_come_back_fails_and_what_it_says_then_is_read(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stays_away(self: FakeContainer) -> None:
        self.log += '{"level": "ERROR", "msg": "my lock is still there"}\n'

    trial.engine.restarted.log = trial.container.log
    monkeypatch.setattr(FakeContainer, "start_again", stays_away)
    examination = trial.run(suite("passed"), nobody_answers)
    assert missed(examination)[1:] == ["ready again after SIGKILL"]
    assert "my lock is still there" in examination.findings[0].message
    assert (trial.container.removed, trial.engine.restarted.removed) == (1, 1)


def test_one_that_is_not_ready_before_the_kill_is_not_ready_after_it(trial: Trial) -> None:
    trial.engine.restarted.now = replace(KILLED, exit_code=1)
    found = {gate.what: gate.found for gate in trial.run(suite("passed"), nobody_answers).gates if not gate.passed}
    assert found["ready again after SIGKILL"].startswith("not even ready before SIGKILL: it ended with exit code 1")


def test_what_both_containers_say_is_told_once(trial: Trial) -> None:
    trial.container.log = trial.engine.restarted.log = '{"level": "ERROR", "msg": "it broke"}\n'
    assert len(trial.run(suite("passed"), nobody_answers).findings) == 1


def test_trouble_with_the_restart_is_the_stages(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(self: FakeContainer) -> None:
        raise EngineTrouble("The engine is gone.")

    monkeypatch.setattr(FakeContainer, "start_again", gone)
    with pytest.raises(EngineTrouble, match="is gone"):
        trial.run(suite("passed"), nobody_answers)
    assert (trial.container.removed, trial.engine.restarted.removed) == (1, 1)


def spoilt(**host: Any) -> dict[str, Any]:
    """The engine's answer with some restrictions changed."""
    return {**HARDENED, "HostConfig": {**HARDENED["HostConfig"], **host}}


def test_an_image_that_runs_as_root_fails(trial: Trial) -> None:
    trial.container.answer = {**HARDENED, "Config": {**HARDENED["Config"], "User": ""}}
    examination = trial.run(suite("passed"), nobody_answers)
    assert missed(examination) == ["a numeric user that is not root"]


def test_a_restriction_that_the_engine_did_not_apply_is_not_the_targets_fault(trial: Trial) -> None:
    trial.container.answer = spoilt(PidsLimit=None)
    verdict, reasons = conclude(trial.run(suite("passed"), nobody_answers))
    assert verdict is Status.INCONCLUSIVE
    assert reasons[0] == "The engine did not apply a restriction (limit of processes): None."


def test_a_container_is_removed_whatever_happens(trial: Trial) -> None:
    def interrupt(request: Request) -> Outcome:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trial.run(interrupt)
    assert trial.container.removed == 1
    assert trial.engine.restarted.removed
    assert (trial.context.raw / "container.log").exists()


def test_pytest_that_can_not_be_used_is_trouble(trial: Trial) -> None:
    with pytest.raises(ToolTrouble):
        trial.run(lambda request: outcome(4, stderr="usage"))


def test_an_engine_that_dies_meanwhile_is_what_is_reported(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(self: FakeContainer) -> str:
        raise EngineTrouble("The engine is gone.")

    monkeypatch.setattr(FakeContainer, "logs", gone)
    with pytest.raises(EngineTrouble, match="is gone"):
        trial.run(suite("passed"), nobody_answers)
    assert (trial.context.raw / "container-trouble.txt").read_text(encoding="utf-8") == "The engine is gone.\n"


def test_a_result_holds_for_the_same_image_only(trial: Trial) -> None:
    stage = SmokeStage()
    stage.check_settings(SETTINGS, trial.context.snapshot)
    result = not_run("smoke", "A sample.")
    assert stage.still_holds(trial.context, replace(result, metrics={"image_id": "sha256:1"}))
    assert not stage.still_holds(trial.context, replace(result, metrics={"image_id": "sha256:2"}))
    assert not stage.still_holds(replace(trial.context, results={}), replace(result, metrics={"image_id": ""}))
