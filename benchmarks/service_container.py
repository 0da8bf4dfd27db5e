"""A container of the service's image to measure: its address, its start's steps, what it used, what wrk says."""

from __future__ import annotations

import http.client
import importlib
import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LIMITS = ("--cpus", "1", "--memory", "256m", "--pids-limit", "64", "--read-only", "--cap-drop", "ALL")
NAME = f"pipeline-benchmark-service-{os.getpid()}"
ECHO, HEALTH = "/echo/hello?lang=en", "/healthz"
# What the log tells of a start, in this order: the server is loaded and reads the settings; the application is loaded.
LANDMARKS = {"server loaded": "there is no service/.env", "application loaded": "Starting gunicorn"}
_FIGURES = re.compile(
    r"99%\s+(?P<p99>[0-9.]+)(?P<unit>us|ms|s)\b.*?(?P<count>\d+) requests in.*?Requests/sec:\s+(?P<rate>[0-9.]+)", re.S
)
_ERRORS = re.compile(
    r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)|Non-2xx or 3xx responses: (\d+)"
)
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def docker(*arguments: str) -> str:
    """What the command says, on either stream; a failure is an error that shows it."""
    done = subprocess.run(
        ("docker", *arguments), check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        raise RuntimeError(f"docker {arguments[0]}: {done.stdout}")
    return done.stdout.strip()


@contextmanager
def container(
    image: str, application: str, options: Sequence[str], folder: Path, extra: Sequence[str] = ()
) -> Iterator[tuple[str, dict[str, float]]]:
    """The address of a running service, and the seconds from ``docker run`` to each step of its start.

    ``options`` are gunicorn's, ``extra`` those of ``docker run``.
    """
    command = ("python3", "-m", "gunicorn", "--config", "service/gunicorn.conf.py", *options, application)
    mounted = ("--volume", f"{folder}:/hello:ro", "--env", "PYTHONPATH=/opt/site-packages:/hello")
    # A key that nobody has; the service does not start without one.
    key = ("--env", f"KEY_PROD={secrets.token_urlsafe(32)}")
    given = (*LIMITS, *extra, *mounted, *key, "--publish", "127.0.0.1::5000")
    clock, begun = time.time(), time.monotonic()
    try:
        docker("run", "--detach", "--name", NAME, *given, image, *command)
        address = f"http://{docker('port', NAME, '5000').splitlines()[0]}"
        while not _answers(address + HEALTH):
            if time.monotonic() - begun > 60:
                raise TimeoutError(docker("logs", NAME))
            time.sleep(0.005)
        first = time.monotonic() - begun
        yield address, {**_steps(clock), "first 200": first}
    finally:
        docker("rm", "--force", NAME)


def _answers(url: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=2)
    try:
        connection.request("GET", urlsplit(url).path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _steps(clock: float) -> dict[str, float]:
    """Seconds after ``clock``, by the engine's word on when the process began and by the times in the log."""
    began = docker("inspect", "--format", "{{.State.StartedAt}}", NAME)
    steps = {"process begun": datetime.fromisoformat(began[:26].rstrip("Z") + "+00:00").timestamp() - clock}
    lines = [json.loads(line) for line in docker("logs", NAME).splitlines()]
    for step, words in LANDMARKS.items():
        told = next(line["time"] for line in lines if words in line["msg"])
        steps[step] = datetime.fromisoformat(told).timestamp() - clock
    return steps


def processor_seconds() -> float:
    """What the container's processes have used of the processor so far, by the engine's account."""
    # Here, so that the module can be looked at where the container library is not installed.
    stats: Any = importlib.import_module("docker").from_env().api.stats(NAME, stream=False, one_shot=True)
    return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def asked(address: str, script: Path, seconds: int) -> dict[str, float]:
    """Requests a second, the 99th percentile in milliseconds, processor time a request in µs, and failed requests."""
    asked_command = ("wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "-s", str(script), address + ECHO)
    before = processor_seconds()
    said = subprocess.run(asked_command, check=True, capture_output=True, text=True).stdout
    used = processor_seconds() - before
    return {**figures(said), "cpu_us": used / int(_found(said)["count"]) * 1e6}


def figures(said: str) -> dict[str, float]:
    """What wrk printed, as numbers. Raises ValueError for a text that is not its own."""
    found = _found(said)
    errors = sum(int(number) for groups in _ERRORS.findall(said) for number in groups if number)
    return {"rate": float(found["rate"]), "p99_ms": float(found["p99"]) * _MS[found["unit"]], "errors": errors}


def _found(said: str) -> re.Match[str]:
    found = _FIGURES.search(said)
    if found is None:
        raise ValueError(said)
    return found
