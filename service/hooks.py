"""What happens around every request: its id, the limits, the security headers and its log line."""

import logging
import re
import time
import uuid

from flask import Flask, Response, abort, current_app, g, request

REQUEST_ID_HEADER = "X-Request-ID"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# The answers are data for programs: nothing may render, frame, sniff or store them.
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_LOG = logging.getLogger("service.request")


def before() -> None:
    """Name the request, then refuse what is too large before anything works on it."""
    g.started = time.perf_counter()
    offered = request.headers.get(REQUEST_ID_HEADER, "")
    g.request_id = offered if _REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex
    limits = current_app.config["SETTINGS"].limits
    if _size((request.view_args or {}).get("item")) > limits.item:
        abort(414)
    if _size(request.args.get("lang")) > limits.lang:
        abort(414)
    # Reading is the only way to measure a body that comes in chunks. One byte more than allowed is
    # asked for, because werkzeug's own limit cuts such a body off there without an error. A larger
    # declared length is refused by werkzeug without reading.
    request.max_content_length = limits.body + 1
    if len(request.get_data(cache=False)) > limits.body:
        abort(413)


def after(response: Response) -> Response:
    """Add the headers and write the request's only log line, which never holds what it carried.

    The route's pattern stands for the path, which would contain the item.
    """
    response.headers[REQUEST_ID_HEADER] = g.request_id
    response.headers.update(SECURITY_HEADERS)
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    fields = {
        "request_id": g.request_id,
        "remote": (request.remote_addr or "")[:64],
        "method": request.method[:16],
        "route": request.url_rule.rule if request.url_rule else None,
        "status": response.status_code,
        "bytes": response.content_length,
        "duration_ms": round((time.perf_counter() - g.started) * 1000, 3),
        **g.get("failure", {}),
    }
    level = logging.ERROR if "failure" in g else logging.INFO
    _LOG.log(level, "request", extra={"fields": fields})
    return response


def register(app: Flask) -> None:
    """Run both hooks around every request of ``app``, the refused ones included."""
    app.before_request(before)
    app.after_request(after)


def _size(text: str | None) -> int:
    """Length in bytes, because that is what the server's own limit counts."""
    return len((text or "").encode())
