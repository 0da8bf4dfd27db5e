"""For tests with a real registry and engine: an image of a small service, contexts for stages, guarded registries."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import re
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import docker

from pipeline.attestation.signing import Signing
from pipeline.base_images import LockedBases
from pipeline.core.bases import RUNTIME_ARGUMENT
from pipeline.core.containers import BuildRequest, ContainerEngine, Ownership
from pipeline.core.evidence import Evidence
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Metric, StageResult, Status
from pipeline.engine_opening import open_engine
from pipeline.errors import RegistryTrouble
from pipeline.execution.clock import SystemClock
from pipeline.execution.processes import Companion
from pipeline.execution.redaction import SecretRedactor
from pipeline.execution.registry_program import find_program
from pipeline.execution.releases import ReleaseFile
from pipeline.execution.traffic import HttpTraffic
from pipeline.registry_opening import OpenedRegistries, open_registries
from pipeline.settings import Canary, Engine, Project, Settings, Smoke
from pipeline.settings_push import Push
from pipeline.signing_opening import open_signing
from pipeline.stages.context import Context
from pipeline.testing import SilentProgress
from tests.support import make_context, real_processes, write_files

ROOT = Path(__file__).parents[2]
PORT = 8000
PATHS = ("GET /", "POST /work")
APP = '''"""Answers after DELAY_MS, with a 500 to one request in FAIL_EACH, and is ready unless NOT_READY is set."""
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
TEXT = os.environ.get("ANSWER", "ok").encode() + b"\\n"
DELAY, EACH = float(os.environ.get("DELAY_MS", "0")) / 1000, int(os.environ.get("FAIL_EACH", "0"))
READY = 503 if os.environ.get("NOT_READY") else 200
COUNT = [0]
class Handler(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True
    def log_message(self, *a): pass
    def answer(self):
        status = READY
        if self.path != "/readyz":
            COUNT[0] += 1
            time.sleep(DELAY)
            status = 500 if EACH and COUNT[0] % EACH == 0 else 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(TEXT)))
        self.end_headers()
        self.wfile.write(TEXT)
    do_GET = do_POST = answer
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
'''


LABELS = {"pipeline.test": f"registry-{os.getpid()}"}
"""On the images that are built here, so that they are found again and removed."""

_LISTENS = re.compile(r"listening on (127\.0\.0\.1:[0-9]+)")


class QuickClock(SystemClock):
    """Waits a fiftieth of what it is told, so that repeated requests cost a test no seconds."""

    def sleep(self, seconds: float) -> None:
        """Hardly wait."""
        super().sleep(seconds / 50)


@contextlib.contextmanager
def real_engine() -> Iterator[ContainerEngine]:
    """The engine that the environment names; the images that tests built in it are removed in the end."""
    engine = open_engine(Engine(), os.environ, real_processes(), SilentProgress())
    try:
        yield engine
    finally:
        engine.close()
        remove_labelled_images()


def remove_labelled_images() -> None:
    """Those with :data:`LABELS`, and what they alone were made from."""
    with contextlib.closing(docker.from_env()) as client:
        (label,) = LABELS.items()
        for image in client.images.list(filters={"label": "=".join(label)}):
            client.images.remove(str(image.id), force=True)


def runtime(engine: ContainerEngine) -> str:
    """The locked runtime base, made from the repository's cache of packages."""
    cache = Path(os.environ.get("TEST_PACKAGE_CACHE", ROOT / ".pipeline" / "cache"))
    return LockedBases(cache, mirror="").ensure(engine, SilentProgress()).arguments[RUNTIME_ARGUMENT]


def build_service(engine: ContainerEngine, folder: Path, tag: str, **environment: str) -> str:
    """The id of an image of the small service with this environment baked in."""
    lines = [f"FROM {runtime(engine)}", "COPY app.py /app.py", "USER 65532:65532"]
    lines += [f"ENV {name}={value}" for name, value in environment.items()]
    lines += ['CMD ["python3", "/app.py"]', ""]
    context = folder / f"{tag}.tar"
    with tarfile.open(context, "w") as archive:
        for name, text in (("Dockerfile", "\n".join(lines)), ("app.py", APP)):
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(text.encode()))
    request = BuildRequest(
        context=context,
        dockerfile="Dockerfile",
        tag=f"pipeline-test/{tag}:1",
        arguments={},
        labels=LABELS,
        timeout_s=300,
    )
    return engine.build(request)[0]


def engine_push(image: str, reference: str, credentials: Mapping[str, str] | None = None) -> str:
    """Let the engine itself bring an image there, as anybody else may do it; the digest that the registry tells."""
    name, _, tag = reference.rpartition(":")
    with contextlib.closing(docker.from_env().api) as client:
        client.tag(image, name, tag)
        said = list(client.push(reference, stream=True, decode=True, auth_config=dict(credentials or {})))
    faults = [str(message["error"]) for message in said if "error" in message]
    if faults:
        raise RegistryTrouble(faults[0])
    return str(next(message["aux"]["Digest"] for message in said if "aux" in message))


def result(name: str, snapshot: Snapshot, **metrics: Metric) -> StageResult:
    """A stage that passed for this snapshot."""
    return StageResult(
        name=name,
        status=Status.PASS,
        reasons=(),
        snapshot=snapshot.digest,
        evidence=Evidence.of("things", expected=("a",), checked=("a",)),
        metrics=metrics,
    )


@dataclass
class Bench:
    """A checkout of a test's own: what its stages are given, and what they leave in ``folder``."""

    engine: ContainerEngine
    folder: Path
    push: Push = field(default_factory=lambda: Push(repository="team/service", timeout_s=300))
    canary: Canary = field(
        default_factory=lambda: Canary(
            paths=PATHS, requests=120, rate=150.0, tolerance=0.5, slowdown_tolerance=1.0, error_tolerance=0.05
        )
    )
    environ: Mapping[str, str] = field(default_factory=dict)
    runs: int = 0
    redact: SecretRedactor = field(default_factory=lambda: SecretRedactor({}))
    progress: SilentProgress = field(default_factory=SilentProgress)
    opened: list[OpenedRegistries] = field(default_factory=list)

    @property
    def own(self) -> Path:
        """The checkout's ``.pipeline`` folder, which lasts from run to run."""
        return self.folder / ".pipeline"

    @property
    def releases(self) -> ReleaseFile:
        """What was released."""
        return ReleaseFile(self.own / "state" / "releases.json", SystemClock())

    def registries(self) -> OpenedRegistries:
        """As the composition root opens them; closed by :meth:`close`."""
        if not self.opened:
            self.opened.append(
                open_registries(
                    self.push,
                    self.own,
                    releases=self.releases,
                    clock=QuickClock(),
                    progress=self.progress,
                    redact=self.redact,
                    environ=self.environ,
                )
            )
        return self.opened[0]

    def signing(self) -> Signing:
        """As the composition root does."""
        return open_signing(self.push, self.environ, self.redact, run=f"run-{self.runs}", version="test 1")

    def context(self, image: str, *, dirty: bool = False, arguments: tuple[str, ...] = ()) -> Context:
        """A new run about ``image``."""
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        tree = write_files(folder / "tree", {"service/app.py": APP})
        settings = Settings(
            project=Project(name="service", version="1.2.3+local"),
            smoke=Smoke(port=PORT, ready_timeout_s=60.0, memory_mb=64, random_keys=("SERVICE_KEY",)),
            push=self.push,
            canary=self.canary,
        )
        context = make_context(folder, tree, settings)
        snapshot = replace(context.snapshot, dirty=dirty)
        ports = replace(
            context.ports,
            clock=SystemClock(),
            progress=self.progress,
            redact=self.redact,
            engine=lambda: self.engine,
            registries=self.registries,
            signing=self.signing,
            releases=self.releases,
            traffic=HttpTraffic(),
            cache=self.own / "cache",
            ownership=Ownership(checkout="test-registry-kit", run=f"run-{self.runs}"),
        )
        stages = {name: result(name, snapshot, image_id=image) for name in ("build", "smoke", "canary")}
        return replace(
            context,
            snapshot=snapshot,
            ports=ports,
            results={**stages, "test": result("test", snapshot)},
            arguments=arguments,
        )

    def close(self) -> None:
        """Stop what was opened."""
        while self.opened:
            self.opened.pop().close()


def bcrypt(password: str) -> str:
    """A hash for an htpasswd file, made by the system's libcrypt (crypt(5), method ``$2b$``)."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    hashed: bytes = library.crypt(password.encode(), b"$2b$05$abcdefghijklmnopqrstuu")
    return hashed.decode()


@contextlib.contextmanager
def registry_with(folder: Path, change: Callable[[dict[str, Any]], None]) -> Iterator[str]:
    """A ``docker-registry`` whose configuration ``change`` has changed; ``host:port``."""
    configuration: dict[str, Any] = {
        "version": "0.1",
        # It says then which port it has been given.
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
        "http": {"addr": "127.0.0.1:0", "secret": token_hex(8)},
    }
    change(configuration)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "registry.json"
    path.write_text(json.dumps(configuration), encoding="utf-8")
    argv = [find_program(), "serve", str(path)]
    registry = Companion(argv, cwd=folder, log=folder / "registry.log", env={"PATH": os.defpath})
    try:
        deadline = time.monotonic() + 60
        while not (said := _LISTENS.search((folder / "registry.log").read_text(encoding="utf-8"))):
            assert registry.running and time.monotonic() < deadline, (folder / "registry.log").read_text()
            time.sleep(0.05)
        yield said[1]
    finally:
        registry.stop()
