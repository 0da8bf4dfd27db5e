"""What the application keeps from one request to the next must change no answer."""

import os
import runpy
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder

from service import hooks
from service.application import Service
from service.factory import create_app
from service.settings import Config
from service.tests.target import InProcess

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("base_url", "path", "environ"),
    [
        ("http://localhost", "/echo/a?lang=en", {}),
        ("http://localhost", "/", {}),
        ("https://LOCALHOST:443", "/echo/%C3%A4", {}),
        ("http://127.0.0.1:5000/mounted", "/echo//x", {}),
        ("http://localhost", "/", {"HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "websocket"}),
        ("http://localhost", "/", {"HTTP_HOST": None}),
        ("http://localhost", "/", {"HTTP_HOST": "not a host"}),
    ],
)
def test_what_is_known_of_a_host_is_what_flask_would_find_out(
    config: Config, base_url: str, path: str, environ: dict[str, str]
) -> None:
    """The first time and every other."""
    app = create_app(config)
    assert isinstance(app, Service)
    given = EnvironBuilder(path, base_url, method="POST").get_environ()
    given.update(environ)
    given = {name: value for name, value in given.items() if value is not None}
    expected = Flask.create_url_adapter(app, app.request_class(given))
    other = app.create_url_adapter(app.request_class({**given, "PATH_INFO": "/other", "QUERY_STRING": "other"}))
    for _ in range(2):
        request = app.request_class(dict(given))
        adapter = app.create_url_adapter(request)
        assert adapter is not other
        assert vars(adapter) == vars(expected)
        assert request.host == app.request_class(given).host


def test_only_so_many_names_are_kept(app: Flask) -> None:
    """A client can offer any number of them."""
    target = InProcess(app.test_client())
    for number in range(3 * Service.KEPT):
        answer = target.request("GET", "/", headers={"Host": f"localhost:{number + 1000}"})
        assert answer.json()["endpoints"] == {"url_echo": f"http://localhost:{number + 1000}/echo"}
    assert len(vars(app)["_known"]) <= Service.KEPT


def test_outside_a_request_there_is_no_address(app: Flask) -> None:
    """As with Flask, which then asks for a configured name."""
    assert app.create_url_adapter(None) is None


def test_no_two_requests_have_the_same_id(app: Flask) -> None:
    """Bytes are taken from the operating system for many at a time."""
    target = InProcess(app.test_client())
    ids = [target.get("/healthz").headers["x-request-id"] for _ in range(600)]
    assert len(set(ids)) == 600
    assert {len(one) for one in ids} == {32}


def test_a_forked_worker_takes_over_no_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or several would give the same."""
    kept: dict[str, Callable[[], None]] = {}
    monkeypatch.setattr(os, "register_at_fork", lambda **given: kept.update(given))
    names = runpy.run_path(hooks.__file__)
    names["_IDS"].append("made before")
    kept["after_in_child"]()
    assert not names["_IDS"]
