"""What happens around every request: its id, the limits, the security headers and its log line.

The id, the headers and the line are WSGI around the application: they are the same for every answer, and in Flask's own
objects they cost more than the answer. The limits are about what Flask has taken apart already, so they are its hook.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, abort, request
from werkzeug.sansio.utils import host_is_trusted

from service.logs import as_json
from service.settings import Config

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_ID_HEADER = "X-Request-ID"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# The answers are data for programs: nothing may render, frame, sniff or store them.
SECURITY_HEADERS = [
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
]
TRANSPORT_SECURITY = ("Strict-Transport-Security", "max-age=31536000")

# Where, in a request's environment, an error handler leaves what the log line is to tell of a fault.
FAILURE = "service.failure"

_LOG = logging.getLogger("service.request")

_IDS: deque[str] = deque()
# No two workers may have the same.
os.register_at_fork(after_in_child=_IDS.clear)


class Envelope:
    """The WSGI application inside, with an id and security headers on each answer and a log line for it."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on; its id is the client's if that is harmless, else a fresh one."""
        started = time.perf_counter()
        offered = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = offered if _REQUEST_ID.fullmatch(offered) else _fresh_id()

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            _log(_said(environ, status, headers, request_id, started), environ.get(FAILURE))
            headers.append((REQUEST_ID_HEADER, request_id))
            headers.extend(SECURITY_HEADERS)
            if environ["wsgi.url_scheme"] == "https":
                headers.append(TRANSPORT_SECURITY)
            return start_response(status, headers, *error)

        return self._application(environ, start)


def _fresh_id() -> str:
    """Sixteen random bytes of the operating system's. To ask it gives other threads the lock, so it is asked rarely."""
    try:
        return _IDS.popleft()
    except IndexError:
        text = os.urandom(16 * 256).hex()
        _IDS.extend(text[at : at + 32] for at in range(32, len(text), 32))
        return text[:32]


class _Record(logging.LogRecord):
    """Made by hand, because a logger would look through the stack for the line of code, which no log line tells."""

    def __init__(self, level: int, members: str) -> None:
        super().__init__(_LOG.name, level, "", 0, "request", None, None)
        self.members = members


def _said(
    environ: WSGIEnvironment, status: str, headers: list[tuple[str, str]], request_id: str, started: float
) -> str:
    """What the log line says of an exchange, as members of a JSON object: never what it carried.

    The route's pattern stands for the path, which would contain the item. Flask's request is still there when the
    answer starts.
    """
    rule = request.url_rule
    length = dict(headers).get("Content-Length")
    return (
        f'"request_id": "{request_id}", "remote": {as_json(environ.get("REMOTE_ADDR", "")[:64])}, '
        f'"method": {as_json(environ["REQUEST_METHOD"][:16])}, "route": {as_json(rule.rule) if rule else "null"}, '
        f'"status": {int(status[:3])}, "bytes": {"null" if length is None else int(length)}, '
        f'"duration_ms": {(time.perf_counter() - started) * 1000:.3f}'
    )


def _log(members: str, failure: dict[str, Any] | None) -> None:
    level = logging.ERROR if failure else logging.INFO
    if _LOG.isEnabledFor(level):
        _LOG.handle(_Record(level, f"{members}, {as_json(failure)[1:-1]}" if failure else members))


def refusals(config: Config) -> Callable[[], None]:
    """The hook that refuses an untrusted host and what is too large, before anything works on it.

    Flask would check the host itself if it were told TRUSTED_HOSTS, by working out each name anew for every request.
    """
    limits, hosts = config.limits, config.serving.trusted_hosts

    @lru_cache(maxsize=64)
    def trusted(host: str) -> bool:
        return host_is_trusted(host, hosts)

    # What the first check loads is loaded now, once for all workers, and not while a client waits.
    trusted(hosts[0])

    def refuse() -> None:
        # The request itself: each look through Flask's stand-in for it searches for the context that it belongs to.
        asked: Request = request.environ["werkzeug.request"]
        if not trusted(asked.host):
            abort(400)
        if _size((asked.view_args or {}).get("item")) > limits.item or _size(asked.args.get("lang")) > limits.lang:
            abort(414)
        if not _empty(asked.environ):
            # Reading is the only way to measure a body that comes in chunks. One byte more than allowed is asked for,
            # because werkzeug's own limit cuts such a body off there without an error. A larger declared length is
            # refused by werkzeug without reading.
            asked.max_content_length = limits.body + 1
            if len(asked.get_data(cache=False)) > limits.body:
                abort(413)

    return refuse


def _size(text: str | None) -> int:
    """Length in bytes, because that is what the server's own limit counts."""
    return len((text or "").encode())


def _empty(environ: WSGIEnvironment) -> bool:
    """Whether the request says that it has no body: then there is none to measure (RFC 9112, section 6.3)."""
    return environ.get("CONTENT_LENGTH", "0") == "0" and "HTTP_TRANSFER_ENCODING" not in environ


def register(app: Flask, config: Config) -> WSGIApplication:
    """Limit the requests of ``app``; what is returned is to be served in the place of its ``wsgi_app``."""
    app.before_request(refusals(config))
    return Envelope(app.wsgi_app)
