"""The docker SDK's client of an endpoint, with the SDK's own libraries, which take 0.15 s to load."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Protocol

import docker
import requests
from docker.constants import MINIMUM_DOCKER_API_VERSION
from docker.errors import DockerException
from docker.tls import TLSConfig


class Place(Protocol):
    """Where an engine listens (:class:`pipeline.engines.discovery.Endpoint`)."""

    @property
    def address(self) -> str:
        """Its address, ``unix://…`` or ``tcp://…``."""
        ...

    @property
    def tls_folder(self) -> str:
        """The folder of its TLS files; empty when it has none."""
        ...

    @property
    def tls_verify(self) -> bool:
        """Whether its certificate is checked."""
        ...


def connected(place: Place, timeout_s: float, version: str) -> docker.APIClient:
    """A client that speaks ``version`` of the API, by default the engine's own; somebody listens there."""
    if not version:
        # With the SDK's "auto" it leaves the sockets of an engine open that does not answer as it should.
        with contextlib.closing(_client(place, timeout_s, MINIMUM_DOCKER_API_VERSION)) as asking:
            version = str(asking.version(api_version=False)["ApiVersion"])
    return _client(place, timeout_s, version)


def why_silent(place: Place, timeout_s: float) -> str:
    """Empty when an engine answers within ``timeout_s``, else what the SDK says of it."""
    try:
        client = connected(place, timeout_s, "")
    except (DockerException, requests.RequestException, OSError, ValueError) as error:
        return str(error)
    client.close()
    return ""


def _client(place: Place, timeout_s: float, version: str) -> docker.APIClient:
    return docker.APIClient(base_url=place.address, version=version, timeout=max(1, round(timeout_s)), tls=_tls(place))


def _tls(place: Place) -> TLSConfig | bool:
    if not place.tls_folder:
        return False
    folder = Path(place.tls_folder)
    return TLSConfig(
        client_cert=(str(folder / "cert.pem"), str(folder / "key.pem")),
        ca_cert=str(folder / "ca.pem") if place.tls_verify else None,
        verify=place.tls_verify,
    )
