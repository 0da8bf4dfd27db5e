"""The log line, the limits and the answers to faults: what a client can't see from outside."""

import dataclasses
import json
import logging
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask import Flask

from service import errors, hooks
from service.factory import create_app
from service.logs import JsonFormatter, configure
from service.settings import Config, Limits
from service.tests.target import InProcess

pytestmark = pytest.mark.unit

LogLines = Callable[[], list[dict[str, Any]]]


def serving(config: Config, **changes: Any) -> Config:
    """``config`` with some of what it says about serving changed."""
    return dataclasses.replace(config, serving=dataclasses.replace(config.serving, **changes))


def test_a_request_writes_one_line_without_what_it_carried(app: Flask, log_lines: LogLines) -> None:
    """Structured, and with the route's pattern where the path would show the item."""
    target = InProcess(app.test_client())
    target.request("POST", "/echo/personal?lang=private", headers={"X-Request-ID": "id-1"}, body=b"intimate")
    (line,) = log_lines()
    assert line["logger"] == "service.request"
    assert line["level"] == "INFO"
    assert line["request_id"] == "id-1"
    assert line["method"] == "POST"
    assert line["route"] == "/echo/<string:item>"
    assert line["status"] == 200
    assert line["remote"] == "127.0.0.1"
    assert line["bytes"] > 0
    assert line["duration_ms"] >= 0
    for carried in ("personal", "private", "intimate"):
        assert carried not in json.dumps(line)


@pytest.mark.parametrize(
    ("path", "status", "route"),
    [("/echo/" + "x" * 1025, 414, "/echo/<string:item>"), ("/?x", 405, None)],
)
def test_a_refused_request_writes_its_line_too(
    app: Flask, log_lines: LogLines, path: str, status: int, route: str | None
) -> None:
    """Otherwise an attack would be invisible."""
    InProcess(app.test_client()).post(path)
    (line,) = log_lines()
    assert (line["status"], line["route"]) == (status, route)


@pytest.mark.regression
def test_no_client_can_break_the_line(config: Config, log_lines: LogLines) -> None:
    """Line breaks and escape sequences forge log entries and run on terminals (CWE-117)."""
    app = create_app(serving(config, proxy_hops=1))
    poison = 'A\n{"FORGED": 1}\r\x1b[2J\x7f\u2028'
    headers = {"HTTP_X_FORWARDED_FOR": poison, "HTTP_X_REQUEST_ID": poison}
    app.test_client().open("/", method=poison, environ_overrides=headers)
    (line,) = log_lines()
    assert line["method"] == poison[:16]
    assert line["remote"].startswith("A\n")
    assert poison not in line["request_id"]


@pytest.mark.regression
def test_a_fault_tells_the_client_nothing_and_the_log_where(app: Flask, log_lines: LogLines) -> None:
    """Neither the exception's message nor its type reaches the client; the message, which may
    hold the client's data, does not reach the log either."""

    def broken(item: str) -> str:
        raise LookupError(f"no {item} in /etc/hidden")

    app.view_functions["api.echo"] = broken
    answer = InProcess(app.test_client()).post("/echo/personal")
    assert answer.status == 500
    assert answer.json()["error"] == "true"
    for inside in (b"LookupError", b"hidden", b"personal", b"Traceback", b".py"):
        assert inside not in answer.body
    (line,) = log_lines()
    assert (line["level"], line["status"], line["error"]) == ("ERROR", 500, "LookupError")
    assert "test_hooks.py" in line["where"][-1]
    assert "personal" not in json.dumps(line)


def test_what_the_server_refuses_is_no_fault_of_the_service(app: Flask, log_lines: LogLines) -> None:
    """gunicorn raises it while a body is read; test_server.py has the real thing."""

    def refusing() -> str:
        raise type("InvalidChunkSize", (Exception,), {"__module__": errors.SERVER_REFUSALS})

    app.view_functions["api.echo"] = refusing
    assert InProcess(app.test_client()).post("/echo").status == 400
    assert [line["level"] for line in log_lines()] == ["INFO"]


def test_a_log_that_is_turned_down_costs_no_line(app: Flask, log_lines: LogLines) -> None:
    """Faults still write theirs."""
    logger = logging.getLogger("service.request")
    logger.setLevel(logging.ERROR)
    try:
        target = InProcess(app.test_client())
        assert target.get("/").status == 200
        app.view_functions["api.index"] = lambda: str(1 // 0)
        assert target.get("/").status == 500
    finally:
        logger.setLevel(logging.NOTSET)
    assert [line["error"] for line in log_lines()] == ["ZeroDivisionError"]


def test_a_body_of_any_declared_length_is_measured_and_only_none_is_not_read(config: Config) -> None:
    """A length that is no number, or one beside chunks, is a body until it was read."""
    target = create_app(dataclasses.replace(config, limits=Limits(item=3, lang=2, body=1))).test_client()
    chunks = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    for given in ({"CONTENT_LENGTH": "2"}, {"CONTENT_LENGTH": "02"}, {**chunks, "CONTENT_LENGTH": "0"}, chunks):
        environ = {"CONTENT_LENGTH": None, "wsgi.input": BytesIO(b"xx"), **given}
        assert target.post("/echo", environ_overrides=environ).status_code == 413, given
    assert target.post("/echo", environ_overrides={"CONTENT_LENGTH": "0"}).status_code == 200


def test_an_unknown_host_is_refused_before_anything_else(config: Config) -> None:
    """And what was said of one host is not taken for another, however often it was asked."""
    target = InProcess(create_app(config).test_client())
    for number in range(200):
        evil = {"Host": f"evil-{number % 3}.example"}
        assert target.request("POST", f"/echo/{'x' * 2000}", headers=evil).status == 400
    assert target.get("/healthz").status == 200


def test_the_headers_are_added_to_those_of_the_answer_and_never_shared(app: Flask) -> None:
    """Two answers at once must not see each other's id."""
    target = InProcess(app.test_client())
    first = target.request("GET", "/", headers={"X-Request-ID": "one"}).headers
    second = target.request("GET", "/nope", headers={"X-Request-ID": "two"}).headers
    assert (first["x-request-id"], second["x-request-id"]) == ("one", "two")
    assert first.keys() == second.keys()
    assert len(hooks.SECURITY_HEADERS) == len({name.lower() for name, _ in hooks.SECURITY_HEADERS}) == 6


def test_the_limits_are_configuration(config: Config) -> None:
    """Each on its own."""
    small = dataclasses.replace(config, limits=Limits(item=3, lang=2, body=1))
    target = InProcess(create_app(small).test_client())
    assert target.request("POST", "/echo/abc?lang=de", body=b"x").status == 200
    assert target.post("/echo/abcd").status == 414
    assert target.post("/echo/%C3%A4%C3%A4").status == 414
    assert target.post("/echo?lang=deu").status == 414
    assert target.request("POST", "/echo", body=b"xx").status == 413


def test_trusted_hosts_are_configuration(config: Config) -> None:
    """Any port goes; a leading dot takes the subdomains in."""
    hosts = [*config.serving.trusted_hosts, "echo.example", ".cloud.example"]
    target = InProcess(create_app(serving(config, trusted_hosts=hosts)).test_client())
    for host in ("localhost:5000", "127.0.0.1:49152", "echo.example", "a.cloud.example:8443"):
        answer = target.request("GET", "/", headers={"Host": host})
        assert answer.json()["endpoints"] == {"url_echo": f"http://{host}/echo"}
    for host in ("other.example", "a.echo.example", "localhost:0", "localhost:99999", ""):
        assert target.request("GET", "/", headers={"Host": host}).status == 400


def test_a_configured_proxy_is_believed_but_its_host_still_checked(config: Config) -> None:
    """Only as many hops as configured, counted from the nearest."""
    hosts = [*config.serving.trusted_hosts, "echo.example"]
    proxied = serving(config, trusted_hosts=hosts, proxy_hops=1)
    target = InProcess(create_app(proxied).test_client())
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example, echo.example"}
    answer = target.request("GET", "/", headers=forwarded)
    assert answer.json()["endpoints"] == {"url_echo": "https://echo.example/echo"}
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    forwarded["X-Forwarded-Host"] = "evil.example"
    assert target.request("GET", "/", headers=forwarded).status == 400


def test_no_https_no_transport_security_header(app: Flask) -> None:
    """RFC 6797 forbids it over plain HTTP."""
    answer = InProcess(app.test_client()).get("/")
    assert "strict-transport-security" not in answer.headers


def test_an_exception_in_the_log_stays_one_line() -> None:
    """The server's own messages pass through the same format."""
    fault = (ValueError, ValueError("two\nlines"), None)
    record = logging.LogRecord("gunicorn.error", logging.ERROR, "x.py", 1, "%s\n", ("a",), fault)
    text = JsonFormatter().format(record)
    assert "\n" not in text
    assert "two\nlines" in json.loads(text)["exception"]


def test_configuring_the_log_twice_writes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server and the application both do."""
    logger = logging.getLogger("service")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)
    configure()
    configure()
    (handler,) = logger.handlers
    assert isinstance(handler.formatter, JsonFormatter)
    assert not logger.propagate
