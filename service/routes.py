"""The endpoints. What a client sends is one opaque string here: repeated, never interpreted."""

import time
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, request, url_for

from service import drain

OPENAPI = Path(__file__).with_name("openapi.json").read_bytes()

API = Blueprint("api", __name__)


@API.get("/")
def index() -> dict[str, Any]:
    """Where to go from here."""
    return {
        "msg": "this is index endpoint",
        "tstamp": time.time(),
        "endpoints": {"url_echo": url_for(".echo", _external=True)},
    }


@API.post("/echo")
@API.post("/echo/<string:item>")
def echo(item: str = "none") -> dict[str, Any]:
    """Give back the item and the language; an empty language counts as none."""
    return {
        "msg": "this is an echo endpoint",
        "tstamp": time.time(),
        "namespace_params": {
            "content_received": item,
            "language": request.args.get("lang") or "none",
        },
        "endpoints": {"url_index": url_for(".index", _external=True)},
    }


@API.get("/healthz")
def healthz() -> dict[str, str]:
    """Alive: restarting would not help."""
    return {"status": "ok"}


@API.get("/readyz")
def readyz() -> dict[str, str]:
    """Ready for new work: not while the service drains before a stop."""
    if drain.active():
        abort(503)
    return {"status": "ready"}


@API.get("/openapi.json")
def openapi() -> Response:
    """The description of this interface, as it lies beside the code."""
    return Response(OPENAPI, content_type="application/json")
