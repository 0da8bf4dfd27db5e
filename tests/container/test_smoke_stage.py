"""``smoke`` with a real engine: a service's life, and what its faults turn the stage to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.stage import Examination, Status, not_run
from pipeline.core.verdict import conclude
from pipeline.engines.docker_engine import DockerEngine
from pipeline.settings import Settings
from pipeline.stages.build import BuildStage
from pipeline.stages.context import Context
from pipeline.stages.smoke import SmokeStage
from tests.container.places import APP, DOCKERFILE, LIVE, SETTINGS, only, real_context

pytestmark = pytest.mark.container


def smoke_of(
    folder: Path, engine: DockerEngine, changes: dict[str, str] | None = None, settings: Settings | None = None
) -> tuple[Context, Examination]:
    """Build the sample with some files changed, whatever that says, and smoke it, without its stories unless told."""
    built = BuildStage().run(real_context(folder / "build", engine, changes))
    result = replace(not_run("build", "A sample."), metrics=built.metrics)
    context = real_context(folder / "smoke", engine, changes, {"build": result})
    context = replace(context, settings=settings or only())
    return context, SmokeStage().run(context)


def missed(examination: Examination) -> list[str]:
    """The gates that were not met."""
    return [gate.what for gate in examination.gates if not gate.passed]


def test_a_sound_service_passes(engine: DockerEngine, tmp_path: Path) -> None:
    context, examination = smoke_of(tmp_path, engine, settings=SETTINGS)
    assert conclude(examination)[0] is Status.PASS, conclude(examination)[1]
    assert examination.metrics["tests"] == 1
    answer = json.loads((context.raw / "container.json").read_text(encoding="utf-8"))
    assert answer["State"]["Running"] is True
    assert "SAMPLE_KEY=[secret]" in answer["Config"]["Env"]
    assert json.loads((context.raw / "container-end.json").read_text(encoding="utf-8"))["ExitCode"] == 0


def test_an_image_that_runs_as_root_fails(engine: DockerEngine, tmp_path: Path) -> None:
    _, examination = smoke_of(tmp_path, engine, {"Dockerfile": DOCKERFILE.replace("USER 65532\n", "")})
    assert (conclude(examination)[0], missed(examination)) == (Status.FAIL, ["a numeric user that is not root"])


def test_an_endpoint_that_answers_500_fails(engine: DockerEngine, tmp_path: Path) -> None:
    _, examination = smoke_of(tmp_path, engine, {"service/app.py": APP.replace('{"/": 200', '{"/": 500')})
    assert conclude(examination)[0] is Status.FAIL
    assert "HTTP Error 500" in examination.findings[0].message


def test_a_container_that_dies_at_its_start_fails_at_once_with_its_log(engine: DockerEngine, tmp_path: Path) -> None:
    _, examination = smoke_of(tmp_path, engine, {"service/app.py": "raise SystemExit('no key, no start')\n"})
    verdict, reasons = conclude(examination)
    assert verdict is Status.FAIL
    assert reasons[0].startswith("ready: allowed within 60 s, found it ended with exit code 1 after")
    assert any("no key, no start" in reason for reason in reasons)
    assert not any("did not apply a restriction" in reason for reason in reasons)


def test_one_that_is_never_ready_fails(engine: DockerEngine, tmp_path: Path) -> None:
    changes = {"service/app.py": APP.replace('"/readyz": 200', '"/readyz": 503')}
    _, examination = smoke_of(tmp_path, engine, changes, only(ready_timeout_s=15.0))
    assert missed(examination) == ["ready"]
    assert "status 503 from /readyz" in conclude(examination)[1][0]


def test_one_that_ignores_sigterm_fails(engine: DockerEngine, tmp_path: Path) -> None:
    deaf = APP.replace("signal.SIGTERM, stop", "signal.SIGTERM, signal.SIG_IGN")
    _, examination = smoke_of(tmp_path, engine, {"service/app.py": deaf}, only(stop_timeout_s=5.0))
    assert missed(examination) == ["end after SIGTERM"]


def test_an_error_in_the_log_fails(engine: DockerEngine, tmp_path: Path) -> None:
    noisy = APP.replace('"level": "INFO"', '"level": "ERROR"')
    _, examination = smoke_of(tmp_path, engine, {"service/app.py": noisy})
    assert missed(examination) == ["failing tests, operations and log lines of severity medium or worse"]


def test_a_suite_that_does_not_ask_the_service_proves_nothing(engine: DockerEngine, tmp_path: Path) -> None:
    idle = LIVE.replace(
        'urllib.request.urlopen(url + "/", timeout=30) as answer:', "open(__file__) as answer:"
    ).replace("assert answer.status == 200", "assert url and answer")
    _, examination = smoke_of(tmp_path, engine, {"service/tests/test_live.py": idle})
    verdict, reasons = conclude(examination)
    assert verdict is Status.INCONCLUSIVE
    assert reasons[0].startswith("the suite did not catch the planted service that does not answer")
