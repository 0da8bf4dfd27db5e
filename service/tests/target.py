"""The one interface behind which the tests meet the service, and its two kinds.

The remote kind uses the standard library's client, because it sends a path and a header exactly
as given; friendlier clients tidy them up first, and what is untidy is what these tests are about.
"""

import http.client
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, which must say that it is JSON and be it."""
        assert self.headers["content-type"] == "application/json", self
        return json.loads(self.body)


class Target(ABC):
    """A running echo service."""

    base_url: str

    @abstractmethod
    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request; ``path`` is percent-encoded already and may hold a query."""

    def get(self, path: str) -> Answer:
        """A GET without more."""
        return self.request("GET", path)

    def post(self, path: str) -> Answer:
        """A POST without more."""
        return self.request("POST", path)


class InProcess(Target):
    """The application itself, called without a network."""

    base_url = "http://localhost"

    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        response = self._client.open(
            path, base_url=self.base_url, method=method, headers=dict(headers or {}), data=body
        )
        return Answer(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=response.data,
        )


class Remote(Target):
    """A service at an address: a local server, a container or a live deployment."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._prefix = urlsplit(self.base_url).path

    def connect(self) -> http.client.HTTPConnection:
        """A connection of the caller's own, for tests of what connections do."""
        url = urlsplit(self.base_url)
        secure = url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        return kind(url.hostname or "", url.port, timeout=TIMEOUT_SECONDS)

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Answer:
        connection = self.connect()
        try:
            connection.request(method, self._prefix + path, body=body, headers=dict(headers or {}))
            return read(connection.getresponse())
        finally:
            connection.close()


def read(response: http.client.HTTPResponse) -> Answer:
    """The whole of a response that the standard library's client received."""
    return Answer(
        status=response.status,
        headers={name.lower(): value for name, value in response.getheaders()},
        body=response.read(),
    )
