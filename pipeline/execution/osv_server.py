"""Answering OSV queries on loopback from a snapshot, so that pip-audit works without the network (``--osv-url``).

The interface is https://google.github.io/osv.dev/post-v1-query/. pip-audit reads an empty answer as "not vulnerable",
ignores ``next_page_token``, skips records of a schema it does not know, and stops at versions that PEP 440 does not; so
whatever can't be answered in full is an error with a status, each vulnerability is one record whatever its names, and
all come on one page.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from packaging.utils import canonicalize_name

from pipeline.core.advisories import AdvisoryIndex, Vulnerability
from pipeline.core.osv import ECOSYSTEM
from pipeline.core.version_order import normal, pep440
from pipeline.execution.advisories import read_export

QUERY = "/v1/query"
_LOOPBACK = "127.0.0.1"
_SILENCE_S = 5.0
_POLL_S = 0.02
_LONGEST_QUERY = 64 * 2**10


class Unanswerable(Exception):
    """A query that can't be answered, with the status that says so."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


class OsvServer:
    """The AdvisorySource that listens while its context lasts.

    ``page_size`` limits the vulnerabilities of an answer; the default gives all at once, which is the only way that a
    client which ignores ``next_page_token`` gets them.
    """

    def __init__(self, index: AdvisoryIndex, *, page_size: int | None = None) -> None:
        self.index = index
        self._page_size = page_size
        self._answered: set[str] = set()
        self._server = _Listener(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="osv-server", daemon=True
        )

    @property
    def url(self) -> str:
        """The address of the query endpoint."""
        return f"http://{_LOOPBACK}:{self._server.server_address[1]}{QUERY}"

    @property
    def answered(self) -> frozenset[str]:
        """The packages, as ``name==version``, whose last page has been asked for."""
        return frozenset(self._answered)

    @property
    def faults(self) -> tuple[str, ...]:
        """What went wrong while answering."""
        return tuple(self._server.faults)

    def __enter__(self) -> OsvServer:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Answer what is under way, and stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reply(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a query: ``vulns`` and perhaps ``next_page_token``, or nothing for a version without
        vulnerabilities.

        Raises:
            Unanswerable: it is not about a version of a PyPI package.
        """
        name, version = _subject(query)
        found = self.index.vulnerabilities(name, version)
        start = _offset(query.get("page_token", ""), len(found))
        end = len(found) if self._page_size is None else min(start + self._page_size, len(found))
        answer: dict[str, Any] = {"vulns": [_record(v, name, self.index) for v in found[start:end]]} if found else {}
        if end < len(found):
            answer["next_page_token"] = str(end)
        else:
            self._answered.add(f"{name}=={normal(version)}")
        return answer


@contextmanager
def served(path: Path) -> Iterator[OsvServer]:
    """The AdvisoryOpener: reads the export zip at ``path`` and answers from it while the context lasts.

    Raises:
        StorageTrouble: the zip can't be believed (see :func:`pipeline.execution.advisories.read_export`).
    """
    with OsvServer(read_export(path)) as server:
        yield server


class _Listener(ThreadingMixIn, HTTPServer):
    """Listens on a port of the system's choice. Its threads end before it is closed."""

    # socketserver's five are too few for clients that ask in parallel.
    request_queue_size = 128

    def __init__(self, source: OsvServer) -> None:
        self.source = source
        self.faults: list[str] = []
        super().__init__((_LOOPBACK, 0), _Handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's name, which can take seconds without a name server."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = _LOOPBACK, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Remember what socketserver would print; to the client a connection without an answer is an error."""
        del request, client_address
        self.faults.append(f"The advisory server failed to answer: {sys.exc_info()[1]!r}.")


class _Handler(BaseHTTPRequestHandler):
    """One connection, one query."""

    server: _Listener
    timeout = _SILENCE_S

    def do_POST(self) -> None:  # pylint: disable=invalid-name  # the name that http.server looks for
        """Answer a query."""
        try:
            self._send(HTTPStatus.OK, self.server.source.reply(self._query()))
        except Unanswerable as refusal:
            self._send(refusal.status, {"code": int(refusal.status), "message": refusal.text})

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what was asked is in ``answered``."""

    def _query(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Unanswerable(HTTPStatus.LENGTH_REQUIRED, "A query comes with its length.")
        if int(length) > _LONGEST_QUERY:
            raise Unanswerable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The query is too long.")
        # Read before anything else is judged: with unread data left, the end of the connection can overtake the answer.
        body = self.rfile.read(int(length))
        if self.path != QUERY:
            raise Unanswerable(HTTPStatus.NOT_FOUND, f"Only {QUERY} is served.")
        try:
            query = json.loads(body)
        except ValueError as error:
            raise Unanswerable(HTTPStatus.BAD_REQUEST, "The query is not JSON.") from error
        if not isinstance(query, dict):
            raise Unanswerable(HTTPStatus.BAD_REQUEST, "The query is not an object.")
        return query

    def _send(self, status: HTTPStatus, answer: Mapping[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _subject(query: Mapping[str, Any]) -> tuple[str, str]:
    package, version = query.get("package"), query.get("version")
    name = package.get("name") if isinstance(package, dict) else None
    if not (isinstance(package, dict) and isinstance(name, str) and name and package.get("ecosystem") == ECOSYSTEM):
        raise Unanswerable(HTTPStatus.BAD_REQUEST, f"The query names no package of {ECOSYSTEM}.")
    if not isinstance(version, str) or pep440(version) is None:
        raise Unanswerable(HTTPStatus.BAD_REQUEST, "The query names no version of PEP 440.")
    return canonicalize_name(name), version


def _offset(token: object, count: int) -> int:
    """Where a page begins; without a token at the first."""
    if not token:
        return 0
    if not (isinstance(token, str) and token.isascii() and token.isdigit() and 0 < int(token) < count):
        raise Unanswerable(HTTPStatus.BAD_REQUEST, "The page token was not given out by this server.")
    return int(token)


def _record(found: Vulnerability, name: str, index: AdvisoryIndex) -> dict[str, Any]:
    """The vulnerability as one OSV record with what pip-audit reads of it."""
    events = [{"introduced": "0"}, *({"fixed": version} for version in found.fixed)]
    return {
        "schema_version": "1.6.0",
        "id": found.id,
        "modified": index.newest.isoformat().replace("+00:00", "Z"),
        "aliases": list(found.aliases),
        "summary": found.text or found.id,
        "affected": [
            {"package": {"ecosystem": ECOSYSTEM, "name": name}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
        ],
    }
