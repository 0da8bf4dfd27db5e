"""``smoke`` with a real engine and services at fault: under load, at malformed requests, by their own document."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.stage import Examination, Status, not_run
from pipeline.core.verdict import conclude
from pipeline.engines.docker_engine import DockerEngine
from pipeline.settings import Settings
from pipeline.stages.build import BuildStage
from pipeline.stages.chaos_faults import clock_library
from pipeline.stages.context import Context
from pipeline.stages.smoke import SmokeStage
from tests.container.places import APP, ROOT, SETTINGS, only, real_context
from tests.debian_programs import install

pytestmark = pytest.mark.container

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "sample", "version": "1"},
    "paths": {
        "/": {"get": {"responses": {"200": {"description": "So."}, "501": {"description": "Not this method."}}}},
    },
}


def smoke_of(
    folder: Path, engine: DockerEngine, changes: Mapping[str, str], settings: Settings
) -> tuple[Context, Examination]:
    """Build the sample with some files changed and smoke it with these settings."""
    built = BuildStage().run(replace(real_context(folder / "build", engine, dict(changes)), settings=settings))
    result = replace(not_run("build", "A sample."), metrics=built.metrics)
    context = replace(real_context(folder / "smoke", engine, dict(changes), {"build": result}), settings=settings)
    return context, SmokeStage().run(context)


def missed(examination: Examination) -> list[str]:
    """The gates that were not met."""
    return [gate.what for gate in examination.gates if not gate.passed]


def test_a_service_that_leaks_memory_and_files_is_caught(engine: DockerEngine, tmp_path: Path) -> None:
    leaking = APP.replace("    timeout = 10\n", "    timeout = 10\n    kept = []\n").replace(
        "        known =", '        self.kept.append((open("/dev/null"), bytearray(30_000)))\n        known ='
    )
    settings = only("steadiness", load_requests=300)
    context, examination = smoke_of(tmp_path, engine, {"service/app.py": leaking}, settings)
    assert missed(examination) == ["growth of memory under load", "growth of file handles under load"]
    halves = json.loads((context.raw / "steadiness.json").read_text(encoding="utf-8"))["halves"]
    assert [half["failed"] for half in halves] == [0, 0]


def test_a_service_that_drops_what_it_has_at_sigterm_fails(engine: DockerEngine, tmp_path: Path) -> None:
    abrupt = APP.replace("    threading.Timer(0.5, server.shutdown).start()\n", "    raise SystemExit(0)\n")
    abrupt = abrupt.replace("http.server.ThreadingHTTPServer", "http.server.HTTPServer")
    context, examination = smoke_of(tmp_path, engine, {"service/app.py": abrupt}, only("stop"))
    assert missed(examination) == ["requests lost that were fully sent before SIGTERM"]
    record = json.loads((context.raw / "stop.json").read_text(encoding="utf-8"))
    assert any(one["whole_s"] < record["signal_s"] and not one["status"] for one in record["sent"])


def test_a_service_that_answers_otherwise_than_documented_is_found(engine: DockerEngine, tmp_path: Path) -> None:
    document = {
        **DOCUMENT,
        "paths": {**DOCUMENT["paths"], "/gone": {"get": {"responses": {"200": {"description": "x"}}}}},
    }
    changes = {"service/openapi.json": json.dumps(document, indent=2)}
    settings = only("endpoints", openapi="service/openapi.json", fuzz_examples=1)
    _, examination = smoke_of(tmp_path, engine, changes, settings)
    assert conclude(examination)[0] is Status.FAIL
    assert "status_code_conformance" in {finding.rule for finding in examination.findings}
    assert {finding.path for finding in examination.findings} == {"service/openapi.json"}
    assert all(control.caught for control in examination.evidence.controls)
    assert {"operation: GET /", "operation: GET /gone"} <= examination.evidence.checked


def test_a_service_that_breaks_at_a_malformed_request_fails(engine: DockerEngine, tmp_path: Path) -> None:
    broken = APP.replace(
        "class Server(",
        "    def do_POST(self):\n"
        '        status = 200 if int(self.headers["Content-Length"] or 0) >= 0 else 500\n'
        "        self.send_response(status)\n        self.end_headers()\n\n\nclass Server(",
    )
    _, examination = smoke_of(tmp_path, engine, {"service/app.py": broken}, only("malformed"))
    assert missed(examination) == ["malformed requests handled wrongly"]
    gate = next(gate for gate in examination.gates if not gate.passed)
    assert "status 500" in gate.found


@pytest.mark.full
def test_a_sync_worker_of_gunicorn_loses_requests_and_threads_with_a_drain_lose_none(
    engine: DockerEngine, tmp_path: Path
) -> None:
    configuration = (ROOT / "service/gunicorn.conf.py").read_text(encoding="utf-8")
    # With more than one thread gunicorn takes the worker with threads, whatever was asked for.
    sync = configuration.replace("worker_class = Worker", 'worker_class = "sync"').replace("threads = 4", "threads = 1")
    lost = {}
    for name, text, drain in (("sync", sync, "0"), ("threads", configuration, "1")):
        assert "worker_class" in text
        tree = tmp_path / f"echo-{name}"
        shutil.copytree(ROOT / "service", tree / "service", ignore=shutil.ignore_patterns("__pycache__", "tests"))
        files = {
            path.relative_to(tree).as_posix(): path.read_text(encoding="utf-8")
            for path in tree.rglob("*")
            if path.is_file()
        }
        changes = {
            **files,
            "service/gunicorn.conf.py": text,
            "Dockerfile": (ROOT / "Dockerfile").read_text(encoding="utf-8"),
        }
        settings = only(
            "stop",
            environment={"MODE_CONFIG": "production", "DRAIN_SECONDS": drain},
            random_keys=("KEY_PROD",),
            requests=("GET /", "POST /echo/hello"),
        )
        _, examination = smoke_of(tmp_path / name, engine, changes, settings)
        lost[name] = examination.metrics["lost_at_stop"]
    assert isinstance(lost["sync"], int)
    assert lost["sync"] > 0
    assert lost["threads"] == 0


@pytest.mark.full
def test_a_sound_service_stands_the_full_dose(engine: DockerEngine, tmp_path: Path) -> None:
    settings = replace(SETTINGS, smoke=replace(SETTINGS.smoke, dose="full", load_requests=200))
    _, examination = smoke_of(tmp_path, engine, {}, settings)
    assert conclude(examination)[0] is Status.PASS, conclude(examination)[1]
    assert examination.metrics["chaos_checks"] == 6
    assert not any("chaos" in item.what for item in examination.not_checked)


def test_a_service_that_fails_when_the_clock_goes_back_is_caught(engine: DockerEngine, tmp_path: Path) -> None:
    if clock_library() is None:
        install("libfaketime")
    here = time.time()
    ageing = APP.replace("import threading\n", "import threading\nimport time\n")
    ageing = ageing.replace("    timeout = 10\n", "    timeout = 10\n    begun = time.time()\n").replace(
        "        known =",
        "        if time.time() < self.begun:\n            return self.send_error(500)\n        known =",
    )
    settings = only("chaos", dose="full", ready_timeout_s=15.0)
    context, examination = smoke_of(tmp_path, engine, {"service/app.py": ageing}, settings)
    assert missed(examination) == ["the service with clock back"], examination.doubts
    assert examination.metrics["chaos_checks"] == 6
    record = json.loads((context.raw / "chaos.json").read_text(encoding="utf-8"))
    assert record["clock ahead"]["ran"]["output"].startswith("moved 30\n")
    assert abs(time.time() - here) < 86400, "this machine's own clock was moved"
