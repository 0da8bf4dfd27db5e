"""A question to an engine on a unix socket, by plain HTTP: the docker SDK takes longer to load than the answer.

Only for what a run asks in which nothing has changed. Whatever is no plain answer is asked again by the SDK, so that
its faults are told in one place.
"""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

_SCHEME = "unix://"
_OK = 200
_VERSION = re.compile(r"(\d+)\.(\d+)")
_OLDEST = (1, 24)
"""The oldest version of the API that the docker SDK speaks (its ``MINIMUM_DOCKER_API_VERSION``)."""
_LARGEST_BYTES = 2**24


class NoPlainAnswer(Exception):
    """The engine did not answer as it usually does."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP status, and the JSON that came with it; none with a refusal."""

    status: int
    content: Any


class _Connection(HTTPConnection):
    """To a unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect; what fails leaves no socket open."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.timeout)
            connection.connect(self._path)
        except BaseException:
            connection.close()
            raise
        self.sock = connection


def asked(address: str, path: str, timeout_s: float) -> Answer:
    """What the engine at ``unix://…`` answers to ``GET path``; ``timeout_s`` bounds each silence.

    Raises:
        TimeoutError: it said nothing for that long.
        NoPlainAnswer: the address is none of a unix socket, nobody answers there, or what came is no JSON.
    """
    if not address.startswith(_SCHEME):
        raise NoPlainAnswer(address)
    connection = _Connection(address.removeprefix(_SCHEME), timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read(_LARGEST_BYTES)
        return Answer(response.status, json.loads(text) if response.status == _OK else None)
    except TimeoutError:
        raise
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        raise NoPlainAnswer(str(error)) from error
    finally:
        connection.close()


def version_of(address: str, timeout_s: float) -> dict[str, Any]:
    """What the engine says of itself, if its API is one that the docker SDK speaks too.

    Raises:
        TimeoutError: it said nothing for so long.
        NoPlainAnswer: it did not say it.
    """
    answer = asked(address, "/version", timeout_s)
    about = answer.content
    told = isinstance(about, dict) and all(isinstance(about.get(key), str) for key in ("Version", "Arch", "ApiVersion"))
    if not told or api_version(about) < _OLDEST:
        raise NoPlainAnswer(f"GET /version: {answer.status}")
    return dict(about)


def api_version(about: dict[str, Any]) -> tuple[int, int]:
    """The version of the API, ``1.41`` as ``(1, 41)``; one that can't be read is older than any."""
    match = _VERSION.fullmatch(about["ApiVersion"])
    return (int(match[1]), int(match[2])) if match else (0, 0)
