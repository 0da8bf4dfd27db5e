"""The echo service with a fault: the benchmark's own image, a layer on top of the one that was built.

The fault stands in a module of that layer which wraps the application, and what it is in the container's environment.
The product's image and code know nothing of it.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import docker

VARIABLE = "BENCHMARK_FAULT"
TAG = "pipeline-benchmark/canary:faulty"

MODULE = '''"""The application of service.app behind a fault, which the environment describes in JSON."""

import json
import os
import random
import time

from service.app import APP as REAL

FAULT = json.loads(os.environ["BENCHMARK_FAULT"])
CHANCE = random.Random()
# Workers that are forked from one process would all do the same at the same of their requests.
os.register_at_fork(after_in_child=CHANCE.seed)


def until(deadline):
    """Sleep, and spin for the last part, which a sleep would overshoot."""
    pause = deadline - time.perf_counter() - 0.0002
    if pause > 0:
        time.sleep(pause)
    while time.perf_counter() < deadline:
        pass


def APP(environ, start_response):
    """Wait, or fail, and answer."""
    began = time.perf_counter()
    if FAULT["errors"] and CHANCE.random() < FAULT["errors"]:
        start_response("500 Internal Server Error", [("Content-Length", "0")])
        return [b""]
    answer = REAL(environ, start_response)
    delay = FAULT["delay_ms"].get(environ["REQUEST_METHOD"] + " " + environ["PATH_INFO"], 0.0)
    if FAULT["jitter_ms"]:
        # Around a fixed time, cut off where it would become negative or rare.
        delay += 3 * FAULT["widest_ms"] + FAULT["jitter_ms"] * max(-2.5, min(2.5, CHANCE.gauss(0.0, 1.0)))
    if delay > 0:
        until(time.perf_counter() + delay / 1000)
    return answer
'''
_DOCKERFILE = """FROM {image}
COPY faulty.py /app/faulty.py
CMD ["python3", "-m", "gunicorn", "--config", "service/gunicorn.conf.py", "faulty:APP"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Milliseconds more by method and path; the share of errors; the standard deviation of a wait in milliseconds,
    whose middle is three times the widest of all sides.
    """

    delay_ms: Mapping[str, float] = field(default_factory=dict)
    errors: float = 0.0
    jitter_ms: float = 0.0
    widest_ms: float = 0.0

    @property
    def environment(self) -> dict[str, str]:
        """What the container is given."""
        return {VARIABLE: json.dumps(asdict(self))}


def build_faulty(image: str) -> str:
    """The id of the image with the fault's module on top of ``image``."""
    client = docker.from_env()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in (("Dockerfile", _DOCKERFILE.format(image=image)), ("faulty.py", MODULE)):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
    archive.seek(0)
    try:
        built, _ = client.images.build(fileobj=archive, custom_context=True, tag=TAG, rm=True, network_mode="none")
        return str(built.id)
    finally:
        client.close()
