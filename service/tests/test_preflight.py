"""Fit to receive traffic: asked of a new deployment before anybody is sent there."""

import time

import pytest

from service.routes import OPENAPI
from service.tests.target import Remote

pytestmark = pytest.mark.preflight


def test_it_is_ready(remote: Remote) -> None:
    """By its own account."""
    assert remote.get("/readyz").json() == {"status": "ready"}


def test_it_is_the_version_that_was_tested(remote: Remote) -> None:
    """The interface it describes is this tree's, to the byte."""
    assert remote.get("/openapi.json").body == OPENAPI


def test_its_clock_is_right(remote: Remote) -> None:
    """Time stamps are part of the interface; a minute is generous."""
    assert abs(remote.get("/").json()["tstamp"] - time.time()) < 60


def test_it_names_itself_by_the_address_it_was_asked_at(remote: Remote) -> None:
    """Wrong when trusted hosts or proxies are not set for this place."""
    assert remote.get("/").json()["endpoints"] == {"url_echo": f"{remote.base_url}/echo"}


def test_it_refuses_to_speak_for_another_host(remote: Remote) -> None:
    """Wrong when every host is trusted; some proxies refuse it themselves, with other statuses."""
    answer = remote.request("GET", "/", headers={"Host": "untrusted.example"})
    assert 400 <= answer.status < 500


def test_it_is_not_in_debug_mode(remote: Remote) -> None:
    """Neither the development server nor its console."""
    answer = remote.get("/?__debugger__=yes&cmd=resource&f=debugger.js")
    assert answer.headers["content-type"] == "application/json"
    assert "werkzeug" not in answer.headers.get("server", "").lower()
