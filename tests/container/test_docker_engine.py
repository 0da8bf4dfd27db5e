"""The adapter against a real engine: what it builds, how it starts, what it says when things go wrong."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base_images import LockedBases
from pipeline.core.bases import RUNTIME_ARGUMENT
from pipeline.core.containers import BuildFault, BuildRequest, ContainerEnded, ContainerRequest
from pipeline.engines.discovery import Endpoint, find_endpoint
from pipeline.engines.docker_engine import DockerEngine
from pipeline.errors import EngineTrouble, TargetFault
from pipeline.images.contents import read_contents
from pipeline.stages.hardening import restrictions
from pipeline.testing import SilentProgress
from tests.container.places import CACHE, OWNER, open_real_engine
from tests.container.registry_kit import LABELS, remove_labelled_images

pytestmark = pytest.mark.container

SERVER = (
    "import http.server, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print('up', flush=True); "
    "http.server.HTTPServer(('', 5000), http.server.SimpleHTTPRequestHandler).serve_forever()"
)
IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)


TAG = f"container-tests:engine-{os.getpid()}"


@pytest.fixture(name="base", scope="module")
def _base(engine: DockerEngine) -> Iterator[str]:
    """The runtime base; what was built on it is removed in the end."""
    yield LockedBases(CACHE, mirror="").ensure(engine, SilentProgress()).arguments[RUNTIME_ARGUMENT]
    remove_labelled_images()


def request_for(folder: Path, dockerfile: str, **files: str) -> BuildRequest:
    """A build of a recipe and files."""
    context = folder / "context.tar"
    with tarfile.open(context, "w") as tar:
        for name, text in {"Dockerfile": dockerfile, **files}.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return BuildRequest(context=context, dockerfile="Dockerfile", tag=TAG, arguments={}, labels=LABELS, timeout_s=300.0)


def container(engine: DockerEngine, base: str, folder: Path, code: str, **changes: object) -> ContainerRequest:
    """A request for a container that runs ``code``."""
    recipe = f'FROM {base}\nCOPY app.py /\nUSER 65532\nCMD ["python3", "/app.py"]\n'
    image, _ = engine.build(request_for(folder, recipe, **{"app.py": code}))
    name = f"container-tests-{time.monotonic_ns()}"
    given = {"image": image, "name": name, "port": 5000, "labels": OWNER.labels, **changes}
    return ContainerRequest(**given)  # type: ignore[arg-type]  # what a test gives


def test_a_build_names_its_image_and_keeps_its_log(engine: DockerEngine, base: str, tmp_path: Path) -> None:
    identity, log = engine.build(request_for(tmp_path, f'FROM {base}\nRUN ["python3", "-c", "print(7 * 191)"]\n'))
    assert "1337" in log or "Using cache" in log
    image = engine.image(TAG)
    assert image is not None
    assert image.id == identity
    assert image.diff_ids[0] in (engine.image(base) or image).diff_ids


def test_an_image_that_lost_its_name_to_a_later_build_can_be_removed(
    engine: DockerEngine, base: str, tmp_path: Path
) -> None:
    label = f"container-tests.nameless-{os.getpid()}"
    first, second = (
        engine.build(request_for(tmp_path, f'FROM {base}\nLABEL {label}="{number}-{time.time_ns()}"\n'))[0]
        for number in (1, 2)
    )
    assert engine.remove_nameless(label, 3600.0) == 0
    assert engine.image(first)
    assert engine.remove_nameless(label, 0.0) == 1
    assert not engine.image(first)
    assert engine.image(second)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("FRM x\n", "unknown instruction"),
        ("", "cannot be empty"),
        ("FROM {base}\nCOPY nothing /\n", "COPY failed"),
        ('FROM {base}\nRUN ["python3", "-c", "import sys; print(\'why\'); sys.exit(3)"]\n', "non-zero code: 3"),
        ('FROM {base}\nRUN ["nothing"]\n', "executable file not found"),
        ("FROM {base}\nRUN --mount=type=cache,target=/x y\n", "requires BuildKit"),
    ],
)
def test_a_faulty_recipe_is_the_recipes_fault(
    engine: DockerEngine, base: str, tmp_path: Path, lines: str, said: str
) -> None:
    with pytest.raises(BuildFault) as caught:
        engine.build(request_for(tmp_path, lines.format(base=base)))
    assert said in str(caught.value)


def test_a_base_that_can_not_be_had_is_not_the_recipes_fault(engine: DockerEngine, tmp_path: Path) -> None:
    with pytest.raises(EngineTrouble):
        engine.build(request_for(tmp_path, "FROM registry.invalid/none:1\nRUN x\n"))


def test_a_build_has_no_network(engine: DockerEngine, base: str, tmp_path: Path) -> None:
    code = "import os; print(sorted(os.listdir('/sys/class/net')))"
    _, log = engine.build(
        request_for(tmp_path, f'FROM {base}\nARG NOW={time.time_ns()}\nRUN ["python3", "-c", "{code}"]\n')
    )
    assert "['lo']" in log


def test_an_image_is_exported_and_read(engine: DockerEngine, base: str, tmp_path: Path) -> None:
    identity, _ = engine.build(request_for(tmp_path, f"FROM {base}\nCOPY app.py /srv/\n", **{"app.py": "APP = 1\n"}))
    engine.export(identity, tmp_path / "image.tar")
    with (tmp_path / "image.tar").open("rb") as stream:
        contents = read_contents(stream)
    assert contents.files["srv/app.py"].size == 8
    assert "libc6" in {name for name, _ in contents.debian_packages()}
    assert not [path for path, file in contents.files.items() if file.gains_rights]


def test_a_container_is_hardened_by_the_engines_own_account(engine: DockerEngine, base: str, tmp_path: Path) -> None:
    started = engine.start(container(engine, base, tmp_path, SERVER, secrets={"KEY": "a-secret-value"}))
    try:
        # What is left is the image's own: this one has none.
        assert [found.what for found in restrictions(started.inspect()) if not found.holds] == ["health check"]
        assert "a-secret-value" not in str(started.inspect())
        host, port = started.base_url.removeprefix("http://").split(":")
        assert host == "127.0.0.1"
        assert int(port) > 1024
        while "up" not in started.logs():
            time.sleep(0.05)
        assert started.stop(10).exit_code == 0
    finally:
        started.remove()
        started.remove()


def test_its_restrictions_are_felt_inside(engine: DockerEngine, base: str, tmp_path: Path) -> None:
    code = (
        "import os\n"
        "for path in ('/x', '/app.py', '/var/tmp/x'):\n"
        "    try: open(path, 'w'); print('wrote', path)\n"
        "    except OSError as error: print(error.errno)\n"
        "open('/tmp/x', 'w').write('x'); os.chmod('/tmp/x', 0o755)\n"
        "try: os.execv('/tmp/x', ['x'])\n"
        "except OSError as error: print('exec', error.errno)\n"
        "status = open('/proc/self/status').read()\n"
        "print([line for line in status.splitlines() if line.startswith(('CapBnd', 'NoNewPrivs'))])\n"
    )
    started = engine.start(container(engine, base, tmp_path, code))
    try:
        while started.state().running:
            time.sleep(0.05)
        log = started.logs()
    finally:
        started.remove()
    assert "wrote" not in log
    assert "exec 13" in log
    assert "CapBnd:\\t0000000000000000" in log
    assert "NoNewPrivs:\\t1" in log


def test_one_that_ignores_sigterm_is_killed(engine: DockerEngine, base: str, tmp_path: Path) -> None:
    started = engine.start(container(engine, base, tmp_path, IGNORES_SIGTERM))
    try:
        while "up" not in started.logs():
            time.sleep(0.05)
        assert started.stop(0.5).exit_code == 137
    finally:
        started.remove()


def test_one_that_dies_at_once_has_no_address_and_its_log_says_why(
    engine: DockerEngine, base: str, tmp_path: Path
) -> None:
    started = engine.start(container(engine, base, tmp_path, "raise SystemExit('out of ideas')"))
    try:
        while started.state().running:
            time.sleep(0.05)
        with pytest.raises(ContainerEnded, match="out of ideas"):
            _ = started.base_url
    finally:
        started.remove()


def test_memory_beyond_the_limit_is_seen(engine: DockerEngine, base: str, tmp_path: Path) -> None:
    started = engine.start(container(engine, base, tmp_path, "x = b'x' * 100_000_000", memory_mb=16, pids=8))
    try:
        while started.state().running:
            time.sleep(0.05)
        assert started.state().exit_code == 137
    finally:
        started.remove()


def test_an_image_without_a_program_is_the_targets_fault(engine: DockerEngine, base: str, tmp_path: Path) -> None:
    image, _ = engine.build(request_for(tmp_path, f'FROM {base}\nCMD ["/nothing"]\n'))
    request = replace(container(engine, base, tmp_path, ""), image=image)
    with pytest.raises(TargetFault, match="could not be started"):
        engine.start(request)
    assert request.name not in engine.remove_leftovers(replace(OWNER, run="another"))


def test_leftovers_of_this_checkout_are_removed_and_nothing_else(
    engine: DockerEngine, base: str, tmp_path: Path
) -> None:
    mine, other = replace(OWNER, checkout=f"mine-{OWNER.run}", run="old"), replace(OWNER, run="old")
    left = engine.start(container(engine, base, tmp_path, SERVER, labels=mine.labels))
    kept = engine.start(container(engine, base, tmp_path, SERVER, labels=other.labels))
    try:
        assert engine.remove_leftovers(mine) == []
        assert len(engine.remove_leftovers(replace(mine, run="new"))) == 1
        assert kept.state().running
    finally:
        left.remove()
        kept.remove()


class StallingProxy:
    """Passes bytes on to an engine's unix socket until it is told to stall: then both sides wait for ever."""

    def __init__(self, path: Path, target: str) -> None:
        self.stalled = threading.Event()
        self._target = target
        self._sockets: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """End every connection; no file is closed before the thread has gone that waits on it."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._server.close()
        self.stalled.set()
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._sockets:
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here = self._server.accept()[0]
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._target)
                self._sockets += [here, there]
                for pair in ((here, there), (there, here)):
                    self._threads.append(threading.Thread(target=self._pump, args=pair))
                    self._threads[-1].start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.stalled.is_set():
                    continue
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def test_an_engine_that_stops_answering_in_the_middle_is_trouble_within_bounds(base: str, tmp_path: Path) -> None:
    real = find_endpoint("", {}).found
    assert real is not None
    proxy = StallingProxy(tmp_path / "proxy.sock", real.address.removeprefix("unix://"))
    endpoint = Endpoint(address=f"unix://{tmp_path}/proxy.sock", named_by="the test")
    engine = DockerEngine(endpoint, timeout_s=1.0, progress=SilentProgress())
    stall = threading.Timer(2.5, proxy.stalled.set)
    stall.start()
    try:
        code = "import time; print('at work', flush=True); time.sleep(5)"
        recipe = f'FROM {base}\nARG NOW={time.time_ns()}\nRUN ["python3", "-c", "{code}"]\n'
        started = time.monotonic()
        with pytest.raises(EngineTrouble, match="stopped answering"):
            engine.build(request_for(tmp_path, recipe))
        assert time.monotonic() - started < 60
    finally:
        stall.cancel()
        stall.join()
        engine.close()
        proxy.close()


def test_a_slow_step_of_a_build_is_waited_for(base: str, tmp_path: Path) -> None:
    engine = open_real_engine(timeout_s=1.0)
    try:
        code = "import time; time.sleep(3)"
        recipe = f'FROM {base}\nARG NOW={time.time_ns()}\nRUN ["python3", "-c", "{code}"]\n'
        assert engine.build(request_for(tmp_path, recipe))[0].startswith("sha256:")
    finally:
        engine.close()
