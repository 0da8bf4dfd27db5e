"""Finds the container engine: the places where one may be named or listening, each asked with a short time-out.

A file that looks like a socket is no engine: only an answer counts, so what a killed engine left behind is passed over.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.engines.unix_socket import NoPlainAnswer, version_of

if TYPE_CHECKING:
    import docker

STANDARD_SOCKET = "/var/run/docker.sock"
REFUSED = "this user may not use it"
_PING_S = 3
_TOO_LATE = f"it did not answer within {_PING_S} seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An engine's address (``unix://…``, ``tcp://…``), who named it, and the folder of its TLS files, if it has any.

    ``explicit`` says that the user named just this one: when it does not answer, no other is taken in its place.
    """

    address: str
    named_by: str
    tls_folder: str = ""
    tls_verify: bool = True
    explicit: bool = False

    @property
    def local(self) -> bool:
        """Whether a port that the engine publishes on its loopback interface is on ours."""
        host = self.address.partition("://")[2].rpartition(":")[0]
        return self.address.startswith("unix://") or host in ("localhost", "127.0.0.1", "[::1]")

    def connect(self, timeout_s: float, version: str = "") -> docker.APIClient:
        """A client of it, which speaks ``version`` of the API, by default the engine's own.

        ``timeout_s`` bounds each silence. Raises what the docker SDK raises when nobody answers.
        """
        if trouble := _silence(self.address):
            # Asked before, because the SDK leaves a socket open on which nobody listens.
            raise ConnectionError(f"{self.address}: {trouble}")
        client: docker.APIClient = _sdk().connected(self, timeout_s, version)
        return client


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What came of it: the endpoint that answered, or none; and a line for each place that did not."""

    found: Endpoint | None
    tried: tuple[str, ...]
    explicit: str = ""
    """The one address that the user named, if that is why no other was asked."""


def find_endpoint(
    setting: str,
    environ: Mapping[str, str],
    ask: Callable[[Endpoint], str] | None = None,
    places: tuple[str, ...] | None = None,
) -> Search:
    """The first place where an engine answers.

    ``setting`` is ``engine.host``. ``ask`` returns an empty text for an answer, else why there is none; ``places``
    stand in for the usual sockets.
    """
    tried: list[str] = []
    for endpoint in _candidates(setting, environ, _usual_sockets(environ) if places is None else places):
        trouble = (ask or why_silent)(endpoint) if endpoint.address else "it can't be read"
        if not trouble:
            return Search(found=endpoint, tried=tuple(tried))
        tried.append(f"{endpoint.address or endpoint.named_by} ({trouble})")
        if endpoint.explicit:
            return Search(found=None, tried=tuple(tried), explicit=endpoint.address)
    return Search(found=None, tried=tuple(tried))


def why_silent(endpoint: Endpoint) -> str:
    """Empty when an engine answers at ``endpoint`` within three seconds, else the reason in a few words."""
    if trouble := _silence(endpoint.address):
        return trouble
    try:
        version_of(endpoint.address, _PING_S)
    except TimeoutError:
        return _TOO_LATE
    except NoPlainAnswer:
        # No unix socket, or trouble, which the SDK puts in words.
        return _in_few_words(_sdk().why_silent(endpoint, _PING_S))
    return ""


def _candidates(setting: str, environ: Mapping[str, str], places: tuple[str, ...]) -> Iterator[Endpoint]:
    if setting:
        yield Endpoint(address=setting, named_by="the setting engine.host", explicit=True, **_tls_of(setting, environ))
    if environ.get("DOCKER_HOST"):
        host = environ["DOCKER_HOST"]
        yield Endpoint(address=host, named_by="DOCKER_HOST", explicit=True, **_tls_of(host, environ))
    yield from _context_endpoint(environ)
    for path in places:
        yield Endpoint(address=f"unix://{path}", named_by="its usual place")


def _tls_of(address: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Docker's own variables; see "Environment variables" in the reference of the docker command."""
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    folder = environ.get("DOCKER_CERT_PATH", "")
    if address.startswith("unix://") or not (verify or folder):
        return {}
    return {"tls_folder": folder or str(_docker_folder(environ)), "tls_verify": verify}


def _context_endpoint(environ: Mapping[str, str]) -> Iterator[Endpoint]:
    """The engine of the Docker context that is in use, unless that is the default one."""
    folder = _docker_folder(environ)
    name = environ.get("DOCKER_CONTEXT") or _json(folder / "config.json").get("currentContext") or "default"
    if name == "default":
        return
    identity = hashlib.sha256(str(name).encode()).hexdigest()
    described = _json(folder / "contexts" / "meta" / identity / "meta.json").get("Endpoints")
    engine = described.get("docker") if isinstance(described, dict) else None
    facts: dict[str, Any] = engine if isinstance(engine, dict) else {}
    tls = folder / "contexts" / "tls" / identity / "docker"
    yield Endpoint(
        address=str(facts.get("Host") or ""),
        named_by=f"the Docker context {name!r}",
        tls_folder=str(tls) if (tls / "cert.pem").exists() else "",
        tls_verify=not facts.get("SkipTLSVerify", False),
    )


def _usual_sockets(environ: Mapping[str, str]) -> tuple[str, ...]:
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return (
        STANDARD_SOCKET,
        f"{runtime}/docker.sock",
        str(Path(environ.get("HOME", "/")) / ".docker/run/docker.sock"),
        f"{runtime}/podman/podman.sock",
        "/run/podman/podman.sock",
    )


def _docker_folder(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")


def _json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty when there is none that can be read, as the docker command has it."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _silence(address: str) -> str:
    """Why nobody listens on a unix socket; empty for one on which somebody does, and for any other address."""
    path = address.removeprefix("unix://")
    if path == address:
        return ""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PING_S)
        try:
            probe.connect(path)
        except FileNotFoundError:
            return "there is no such socket"
        except ConnectionRefusedError:
            return "a left-over socket on which nobody listens"
        except PermissionError:
            return REFUSED
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _in_few_words(text: str) -> str:
    if "timed out" in text.lower():
        return _TOO_LATE
    return text if len(text) <= 200 else text[:200] + "…"


def _sdk() -> Any:
    """The docker SDK's part, which takes longer to load than most engines to answer."""
    return import_module("pipeline.engines.docker_client")
