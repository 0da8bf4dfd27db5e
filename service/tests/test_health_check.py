"""The health check of the image: a process that asks the service and tells by its exit code."""

import runpy
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest

from service import health
from service.tests.server import Server

pytestmark = pytest.mark.integration


def test_the_health_check_passes_while_the_service_lives(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """The command that the image's HEALTHCHECK runs."""
    monkeypatch.setenv("PORT", str(urlsplit(server.remote.base_url).port))
    assert health.main() == 0
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(health.__file__, run_name="__main__")
    assert stop.value.code == 0


def test_the_health_check_fails_where_nothing_or_something_else_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the reason."""
    with _something_else() as port:
        monkeypatch.setenv("PORT", str(port))
        assert health.main() == 1
        assert "501" in capsys.readouterr().err
    # Taken, so that nobody else can listen there.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))
        assert health.main() == 1
        assert "refused" in capsys.readouterr().err
    monkeypatch.setenv("PORT", "http")
    assert health.main() == 1
    assert "http" in capsys.readouterr().err


@contextmanager
def _something_else() -> Iterator[int]:
    """A server that knows no method, on a port of its own."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield other.server_port
        other.shutdown()
        thread.join()
