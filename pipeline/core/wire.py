"""Bytes on a connection, as a check sends them and as they are answered: values, and the Protocol behind which sockets
stand.

Ordinary clients refuse to send what is malformed, and don't tell when the last byte of a request had left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r?\n)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back on a connection. Texts are ISO 8859-1, as HTTP's fields are, so that no byte is lost.

    ``closed``: the other side ended the connection. ``error`` is why nothing could be sent or read (refused, reset),
    ``seconds`` when the last of it had come.
    """

    text: str = ""
    closed: bool = False
    error: str = ""
    seconds: float = 0.0

    @property
    def status(self) -> int:
        """The first answer's status, 0 without one. A server may still speak HTTP/0.9 to what it does not understand;
        that is none.
        """
        return next(iter(self.statuses), 0)

    @property
    def statuses(self) -> tuple[int, ...]:
        """The statuses of all answers on the connection, interim ones (1xx) left out."""
        found = (int(match[1]) for match in _STATUS.finditer(self.text.encode("iso-8859-1")))
        return tuple(status for status in found if status >= 200)

    @property
    def body(self) -> str:
        """What follows the first empty line."""
        return self.text.partition("\r\n\r\n")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request of a load. Times are seconds of a monotonic clock; ``whole_s`` is when its last byte had been handed
    over, 0 when it never was, and ``status`` is 0 without a whole answer.
    """

    request: str
    whole_s: float
    ended_s: float
    status: int
    error: str = ""


class RunningLoad(Protocol):
    """Requests that are being sent, each client its next one as soon as it has the answer to the last."""

    def now(self) -> float:
        """The time of the clock by which requests are timed."""
        ...

    def waiting(self) -> int:
        """How many clients have sent a whole request and have no answer yet."""
        ...

    def sent(self) -> int:
        """How many requests have come to an end."""
        ...

    def ease(self) -> None:
        """From now on each client pauses between its requests, so that others get their share of the machine."""
        ...

    def finish(self, within_s: float) -> tuple[Sent, ...]:
        """Begin no further request, wait so long for the answers, and tell of all that were sent, in order."""
        ...


class Wire(Protocol):
    """Connections to an address like ``http://127.0.0.1:5000``; what goes wrong on them becomes a value."""

    def exchange(self, address: str, parts: Sequence[bytes], *, within_s: float, pause_s: float = 0.0) -> Reply:
        """Send the parts with pauses between them, and read until the other side closes or the time is up.

        An answer that says how long it is ends the reading too, a moment after it is whole.
        """
        ...

    def stalled(self, address: str, parts: Sequence[bytes]) -> AbstractContextManager[Stalled]:
        """Connections of clients that send one part each and then nothing more, for as long as the context lasts."""
        ...

    def load(self, address: str, requests: Sequence[str], connections: int) -> AbstractContextManager[RunningLoad]:
        """So many clients that send the requests (``GET /path``) in turn for as long as the context lasts."""
        ...

    def silence(self) -> AbstractContextManager[str]:
        """An address where nobody listens, and nobody else can, for as long as the context lasts."""
        ...


class Stalled(Protocol):
    """Connections on which nothing is sent any more."""

    def ended(self, within_s: float) -> tuple[Reply, ...]:
        """Wait until the other side has ended all of them, or the time is up; how each of them stands."""
        ...


def request_bytes(method: str, path: str, *, host: str = "localhost", close: bool = False) -> bytes:
    """An ordinary request without a body."""
    length = "" if method in ("GET", "HEAD") else "Content-Length: 0\r\n"
    end = "Connection: close\r\n" if close else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}{end}\r\n".encode("ascii")
