"""The rehearsal and the registry client against the real ``docker-registry`` and a real engine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.containers import ContainerEngine, Manifest
from pipeline.core.oci_manifest import digest_of, image_content
from pipeline.engines.registry_auth import Credentials
from pipeline.engines.registry_client import RegistryClient
from pipeline.engines.registry_transport import Address, RegistryTransport
from pipeline.errors import ConfigurationError, RegistryTrouble
from pipeline.execution.clock import SystemClock
from pipeline.execution.processes import process_started
from pipeline.execution.rehearsal import RehearsalRegistry
from pipeline.testing import SilentProgress
from tests.container.registry_kit import (
    ROOT,
    QuickClock,
    bcrypt,
    build_service,
    engine_push,
    real_engine,
    registry_with,
)
from tests.fault_proxy import Fault, corrupt, cut, fault_proxy, header, status

pytestmark = pytest.mark.container

NOBODY = Credentials()
LOGIN = Credentials(username="somebody", password="-".join(("not", "to", "be", "seen")))


def rehearsal(folder: Path, **more: Any) -> RehearsalRegistry:
    return RehearsalRegistry(
        folder / "registry", folder / "state", clock=SystemClock(), progress=SilentProgress(), **more
    )


def client(host: str, credentials: Credentials = NOBODY, ca_file: str = "") -> RegistryClient:
    transport = RegistryTransport(
        Address(host=host, ca_file=ca_file), credentials, clock=QuickClock(), timeout_s=300, hide=lambda secret: None
    )
    return RegistryClient(transport, "team/service", rehearsal=False, credentials=credentials.for_engine)


@pytest.fixture(name="engine", scope="module")
def engine_fixture() -> Iterator[ContainerEngine]:
    with real_engine() as engine:
        yield engine


@pytest.fixture(name="image", scope="module")
def image_fixture(engine: ContainerEngine, tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_service(engine, tmp_path_factory.mktemp("image"), "plain")


@pytest.fixture(name="held", scope="module")
def held_fixture(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Manifest]]:
    """A registry that holds the image: its address, and the image's manifest."""
    with rehearsal(tmp_path_factory.mktemp("rehearsal")) as registry:
        host = registry.start()
        one = client(host)
        manifest = one.manifest(engine_push(image, f"{one.reference}:staging"))
        one.close()
        assert manifest is not None
        yield host, manifest


def test_what_the_engine_pushed_is_read_back_and_tagged(image: str, held: tuple[str, Manifest]) -> None:
    host, manifest = held
    one = client(host)
    content = image_content(manifest)
    assert content.configuration.digest == image
    assert one.verify_blobs(manifest) == content.size > 1_000_000
    one.put_manifest("1.0", manifest)
    assert one.manifest("1.0") == manifest
    assert one.tags() == ("1.0", "staging")
    assert one.manifest("2.0") is None
    assert one.manifest(digest_of(b"never pushed")) is None
    one.close()


def test_the_storage_and_the_port_last(tmp_path: Path) -> None:
    with rehearsal(tmp_path) as registry:
        first = registry.start()
        assert registry.start() == first
    with rehearsal(tmp_path) as registry:
        assert registry.start() == first
    port = int(first.partition(":")[2])
    with socket.create_server(("127.0.0.1", port)), rehearsal(tmp_path) as registry:
        assert registry.start() != first
    assert not list((tmp_path / "state" / "rehearsal").glob("child-*.json"))


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with rehearsal(tmp_path) as registry, pytest.raises(ConfigurationError, match=f"Port {port} .* is taken"):
            registry.start(port)


def test_a_missing_program_is_told_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.execution.registry_program.PROGRAM", "no-such-registry")
    with pytest.raises(RegistryTrouble, match="apt-get install -y docker-registry"):
        rehearsal(tmp_path).start()


def test_a_program_that_does_not_serve_is_told_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(RegistryTrouble, match="could not start"):
        rehearsal(tmp_path, program=lambda: "/bin/false").start()
    with pytest.raises(RegistryTrouble, match="could not be started"):
        rehearsal(tmp_path, program=lambda: "/no/such/program").start()


def test_a_killed_owner_takes_its_registry_along_and_its_record_is_ignored(tmp_path: Path) -> None:
    script = (
        "import time; from pathlib import Path; from pipeline.execution.rehearsal import RehearsalRegistry\n"
        "from pipeline.execution.clock import SystemClock; from pipeline.testing import SilentProgress\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "r = RehearsalRegistry(folder / 'registry', folder / 'state', clock=SystemClock(), progress=SilentProgress())\n"
        "print(r.start(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().startswith("127.0.0.1:")
        (record,) = (tmp_path / "state" / "rehearsal").glob("child-*.json")
        owner.kill()
        owner.wait()
    pid = json.loads(record.read_text(encoding="utf-8"))["pid"]
    deadline = time.monotonic() + 60
    while process_started(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not process_started(pid)
    # A record whose pid now belongs to somebody else: to this test.
    stale = record.with_name(f"child-{os.getpid()}.json")
    stale.write_text(json.dumps({"pid": os.getpid(), "started": "boot:1", "owner": 1, "owner_started": "boot:1"}))
    with rehearsal(tmp_path) as registry:
        registry.start()
        assert not record.exists()
        assert not stale.exists()


def test_serving_ends_with_an_interrupt_and_leaves_nothing(tmp_path: Path) -> None:
    class Impatient(SystemClock):
        """Presses Ctrl-C when it is served."""

        def sleep(self, seconds: float) -> None:
            """Interrupted in the long sleeps, not while it starts."""
            if seconds >= 0.5:
                raise KeyboardInterrupt
            super().sleep(seconds)

    progress = SilentProgress()
    registry = RehearsalRegistry(tmp_path / "registry", tmp_path / "state", clock=Impatient(), progress=progress)
    with pytest.raises(KeyboardInterrupt):
        registry.serve()
    assert "Ctrl-C" in progress.said[0]
    assert not list((tmp_path / "state" / "rehearsal").glob("child-*.json"))


def test_a_registry_with_a_password(engine: ContainerEngine, image: str, tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(f"{LOGIN.username}:{bcrypt(LOGIN.password)}\n", encoding="utf-8")

    def locked(configuration: dict[str, Any]) -> None:
        configuration["auth"] = {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}}

    with registry_with(tmp_path, locked) as host:
        wrong = Credentials(username="somebody", password=LOGIN.password[::-1])
        for credentials, sentence in ((wrong, "refuses the login of 'somebody'"), (Credentials(), "no credentials")):
            with pytest.raises(RegistryTrouble, match=sentence) as caught:
                client(host, credentials).manifest("1.0")
            assert "a-wrong-password" not in str(caught.value)
        one = client(host, LOGIN)
        with pytest.raises(RegistryTrouble):
            engine_push(image, f"{one.reference}:staging", wrong.for_engine)
        manifest = one.manifest(engine_push(image, f"{one.reference}:staging", one.credentials))
        assert manifest is not None
        assert one.verify_blobs(manifest)
        assert engine.pull(f"{one.reference}@{manifest.digest}", one.credentials) == image
        one.close()


def test_a_registry_with_a_certificate_of_a_private_authority(tmp_path: Path) -> None:
    command = (
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "ca.pem"),
    )  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)

    def encrypted(configuration: dict[str, Any]) -> None:
        configuration["http"]["tls"] = {"certificate": str(tmp_path / "ca.pem"), "key": str(tmp_path / "key.pem")}

    with registry_with(tmp_path, encrypted) as host:
        assert not client(host, ca_file=str(tmp_path / "ca.pem")).tags()
        other = tmp_path / "other.pem"
        subprocess.run([*command[:-1], str(other)], check=True, capture_output=True)
        with pytest.raises(RegistryTrouble, match=r"TLS says: .*push\.ca_file"):
            client(host, ca_file=str(other)).tags()
    with rehearsal(tmp_path) as registry, pytest.raises(RegistryTrouble, match=r"set push\.insecure"):
        client(registry.start(), ca_file=str(tmp_path / "ca.pem")).tags()


@pytest.mark.parametrize(
    ("part", "fault", "sentence"),
    [
        ("/manifests/", status(500), "answered 500"),
        ("/manifests/", status(403), "refuses"),
        ("/manifests/", cut, "closed the connection"),
        ("/manifests/", corrupt, "digest"),
        ("/manifests/", header("Docker-Content-Digest", digest_of(b"other")), "its header says"),
        ("/blobs/", status(500), "answered 500"),
        ("/blobs/", status(404), "does not hold"),
        ("/blobs/", cut, "closed the connection"),
        ("/blobs/", corrupt, "the manifest says"),
        ("/blobs/", status(200), "has 0 bytes"),
    ],
)
def test_no_fault_on_the_way_goes_unnoticed(held: tuple[str, Manifest], part: str, fault: Fault, sentence: str) -> None:
    host, manifest = held
    with fault_proxy(host) as proxy:
        proxy.spoil("GET", part, fault)
        one = client(proxy.address)
        with pytest.raises(RegistryTrouble, match=sentence):
            one.manifest(manifest.digest)
            one.verify_blobs(manifest)
        one.close()


@pytest.mark.parametrize("fault", [status(500), status(429, ("Retry-After", "1")), cut])
def test_a_fault_that_passes_is_got_over(held: tuple[str, Manifest], fault: Fault) -> None:
    host, manifest = held
    with fault_proxy(host) as proxy:
        proxy.spoil("GET", "/manifests/", fault, times=1)
        proxy.spoil("GET", "/blobs/", fault, times=1)
        one = client(proxy.address)
        assert one.manifest(manifest.digest) == manifest
        assert one.verify_blobs(manifest)
        one.close()
