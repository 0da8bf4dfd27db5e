"""Errors as JSON. The texts are fixed: none repeats what a client sent or says what broke."""

import traceback
from http import HTTPStatus

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError

from service.hooks import FAILURE

MESSAGES = {
    HTTPStatus.BAD_REQUEST: "the request is malformed, or names a host that is not served here",
    HTTPStatus.NOT_FOUND: "there is no such endpoint",
    HTTPStatus.METHOD_NOT_ALLOWED: "this endpoint does not take this method",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is larger than this service accepts",
    HTTPStatus.REQUEST_URI_TOO_LONG: "the item or the language is longer than this service accepts",
    HTTPStatus.INTERNAL_SERVER_ERROR: "the service failed; its log has this answer's X-Request-ID",
    HTTPStatus.SERVICE_UNAVAILABLE: "the service is about to stop",
}


# Where gunicorn keeps what it raises when it reads a body that is none, such as chunks of no size.
# Known by name, so that the application does not depend on its server.
SERVER_REFUSALS = "gunicorn.http.errors"


def answer(error: HTTPException) -> Response:
    """The JSON form of any HTTP error, with the headers that belong to it, such as Allow."""
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    response = jsonify(error="true", msg=MESSAGES.get(status, status.phrase))
    response.status_code = status
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            response.headers.add(name, value)
    return response


def unexpected(error: Exception) -> Response:
    """A fault of the service. What it was goes to the request's log line, nothing to the client.

    The exception's message stays out of the log too: it may hold what the client sent.
    """
    if type(error).__module__ == SERVER_REFUSALS:
        return answer(BadRequest())
    request.environ[FAILURE] = {
        "error": type(error).__name__,
        "where": [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)[-5:]
        ],
    }
    return answer(InternalServerError())


def register(app: Flask) -> None:
    """Answer every error of ``app`` this way."""
    app.register_error_handler(HTTPException, answer)
    app.register_error_handler(Exception, unexpected)
