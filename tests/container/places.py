"""Contexts with every real effect: the engine, the bases, processes and environments of this machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from pipeline.base_images import LockedBases
from pipeline.core.containers import ContainerEngine, Ownership
from pipeline.core.stage import StageResult
from pipeline.engines.discovery import find_endpoint
from pipeline.engines.docker_engine import DockerEngine
from pipeline.execution.clock import SystemClock
from pipeline.execution.environments import UvEnvironments
from pipeline.execution.wire import SocketWire
from pipeline.settings import Audit, Build, Exclusion, Project, Settings, Smoke
from pipeline.settings import Test as ProjectTests
from pipeline.stages.context import Context
from pipeline.stages.smoke_names import STORIES
from pipeline.testing import SilentProgress
from tests.support import make_context, real_processes, write_files

ROOT = Path(__file__).resolve().parents[2]
# Shared by all tests and kept between runs: what is in it is verified before it is used.
CACHE = ROOT / ".pipeline" / "cache"
ENVIRONMENTS = ROOT / ".pipeline" / "environments"
# Of this checkout alone, since another one's tests may be at work beside these. A pid may have been an earlier run's.
OWNER = Ownership(
    checkout=f"{hashlib.sha256(str(ROOT).encode()).hexdigest()[:16]}-tests", run=f"{os.getpid()}-{token_hex(4)}"
)

APP = '''"""A service of one file."""

import http.server
import json
import select
import signal
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers in JSON."""

    timeout = 10

    def do_GET(self):
        known = {"/": 200, "/readyz": 200}
        status = known.get(self.path, 404)
        body = json.dumps({"status": status}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    """Ends when all its answers have been given."""

    daemon_threads = False
    request_queue_size = 128

    def handle_error(self, request, client_address):
        print(json.dumps({"level": "INFO", "msg": "a client is gone"}), flush=True)


def stop(number, frame):
    # What is on its way is accepted yet.
    threading.Timer(0.5, server.shutdown).start()


server = Server(("", 5000), Handler)
signal.signal(signal.SIGTERM, stop)
print(json.dumps({"level": "INFO", "msg": "started"}), flush=True)
server.serve_forever(0.1)
# And what has arrived, however long this process was not given a core.
server.timeout = 0
while select.select([server], [], [], 0)[0]:
    server.handle_request()
server.server_close()
'''
DOCKERFILE = """ARG RUNTIME_IMAGE=python:3.13-slim
FROM ${RUNTIME_IMAGE}
COPY service/app.py /app/app.py
USER 65532
HEALTHCHECK CMD ["python3", "-c", "pass"]
CMD ["python3", "/app/app.py"]
"""
CONFTEST = '''"""The address."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--base-url")


def pytest_configure(config):
    config.addinivalue_line("markers", "smoke: for a running service")


@pytest.fixture
def url(pytestconfig):
    return pytestconfig.getoption("base_url")
'''
LIVE = '''"""Asks."""

import urllib.request

import pytest


@pytest.mark.smoke
def test_index(url):
    with urllib.request.urlopen(url + "/", timeout=30) as answer:
        assert answer.status == 200


def test_in_process():
    pass
'''
SAMPLE = {
    "Dockerfile": DOCKERFILE,
    "service/app.py": APP,
    "service/requirements.txt": "",
    "service/tests/conftest.py": CONFTEST,
    "service/tests/test_live.py": LIVE,
    ".dockerignore": "service/tests\n",
}
SETTINGS = Settings(
    project=Project(name="container-sample", version="1"),
    audit=Audit(lock="service/requirements.txt"),
    test=ProjectTests(paths=("service/tests",), requirements=("service/requirements.txt",)),
    build=Build(image="container-sample", timeout_s=300),
    # What takes a second on a quiet machine; tests whose service never does it have a shorter time of their own.
    smoke=Smoke(
        paths=("service/tests",), markers="smoke", ready_timeout_s=60, stop_timeout_s=30, random_keys=("SAMPLE_KEY",)
    ),
)


def open_real_engine(timeout_s: float = 60.0) -> DockerEngine:
    """The engine of this machine."""
    found = find_endpoint("", os.environ).found
    assert found is not None, "these tests need a container engine"
    return DockerEngine(found, timeout_s=timeout_s, progress=SilentProgress())


def real_context(
    folder: Path,
    engine: ContainerEngine,
    changes: Mapping[str, str] | None = None,
    results: Mapping[str, StageResult] | None = None,
) -> Context:
    """A context for the sample service with some files changed."""
    tree = write_files(folder / "tree", {**SAMPLE, **(changes or {})})
    processes = real_processes()
    environments = UvEnvironments(ENVIRONMENTS, processes, SilentProgress(), python="3", environ=os.environ)
    context = make_context(folder, tree, SETTINGS, processes=processes, environments=environments)
    ports = replace(
        context.ports,
        engine=lambda: engine,
        bases=LockedBases(CACHE, mirror=""),
        ownership=OWNER,
        cache=CACHE,
        clock=SystemClock(),
        wire=SocketWire(),
    )
    return replace(context, ports=ports, results=results or {})


def only(*stories: str, **more: Any) -> Settings:
    """The settings of the sample service, with these stories alone."""
    others = tuple(Exclusion(path=story, reason="Another test has it.") for story in STORIES if story not in stories)
    return replace(SETTINGS, smoke=replace(SETTINGS.smoke, exclude=others, **more))
