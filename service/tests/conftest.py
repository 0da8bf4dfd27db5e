"""What the suite runs against and which tests that leaves: ``--base-url`` decides both."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import pytest
from dotenv import dotenv_values
from environs import Env
from flask import Flask
from hypothesis.configuration import set_hypothesis_home_dir

from service.factory import create_app
from service.logs import JsonFormatter
from service.settings import Config, Testing
from service.tests.server import Server
from service.tests.target import InProcess, Remote, Target

HERE = Path(__file__).parent

MARKERS = {
    "unit": "one part alone, in process",
    "integration": "parts together: application, server process, health check; starts them itself",
    "smoke": "does it answer at all; the first thing to run",
    "regression": "a mistake that was made once, here or elsewhere, and must not come back",
    "acceptance": "the promised interface, as a client sees it",
    "system": "the deployed whole, server and network included; needs --base-url",
    "preflight": "fit to receive traffic; needs --base-url",
    "canary": "changes nothing and is safe against production",
}
IN_PROCESS_ONLY = {"unit", "integration"}
ADDRESS_ONLY = {"system", "preflight"}

# The same examples each time: a gate must not depend on luck.
hypothesis.settings.register_profile("gate", derandomize=True, deadline=None, max_examples=60, database=None)
hypothesis.settings.load_profile("gate")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer ``--base-url``."""
    parser.addoption(
        "--base-url",
        metavar="URL",
        help="test the echo service at this address instead of one in this process",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, judge the address, and give hypothesis a folder that goes away.

    It would otherwise leave one in whatever directory the suite is started from.
    """
    home = mkdtemp(prefix="hypothesis-")
    config.add_cleanup(lambda: rmtree(home))
    set_hypothesis_home_dir(home)
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    config.option.strict_markers = True
    url = config.getoption("base_url")
    if url is not None and not (urlsplit(url).scheme in {"http", "https"} and urlsplit(url).netloc):
        raise pytest.UsageError(f"--base-url {url!r} is no address: give http://HOST[:PORT].")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, and so count, what the chosen kind of target can't run.

    Deselected and not skipped: a skip would say that something was meant to run and did not.
    """
    impossible = IN_PROCESS_ONLY if config.getoption("base_url") else ADDRESS_ONLY
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        names = {marker.name for marker in item.iter_markers()}
        if HERE in item.path.parents and not names & MARKERS.keys():
            raise pytest.UsageError(f"{item.nodeid} has none of the markers {', '.join(MARKERS)}.")
        (dropped if names & impossible else kept).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def pytest_report_header(config: pytest.Config) -> str:
    """Say what is tested, and what that leaves out."""
    url = config.getoption("base_url")
    if url:
        return f"echo service at {url}; unit and integration tests are deselected"
    return "echo service in process; system and preflight tests need --base-url and are deselected"


@pytest.fixture(name="config", scope="session")
def _config() -> Config:
    """The settings of the Testing mode with nothing set, whatever this machine has set."""
    with pytest.MonkeyPatch.context() as environment:
        for name in dotenv_values(HERE.parent / ".env.example"):
            environment.delenv(name, raising=False)
        return Testing.from_environment(Env())


@pytest.fixture(name="app")
def _app(config: Config) -> Flask:
    """An application of the test's own, which it may break."""
    return create_app(config)


@pytest.fixture(name="target", scope="session")
def _target(config: Config, pytestconfig: pytest.Config) -> Target:
    """The service under test: at ``--base-url``, or in this process."""
    url = pytestconfig.getoption("base_url")
    return Remote(url) if url else InProcess(create_app(config).test_client())


@pytest.fixture(name="remote", scope="session")
def _remote(pytestconfig: pytest.Config) -> Remote:
    """The service at ``--base-url``, for tests of connections."""
    return Remote(pytestconfig.getoption("base_url"))


@pytest.fixture(name="server", scope="session")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real server that tests may share as long as they don't stop it."""
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(name="log_lines")
def _log_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the service wrote to its log in this test, read back from the text of its lines."""
    lines: list[str] = []

    class Keep(logging.Handler):
        """Formats as in production, into a list."""

        def emit(self, record: logging.LogRecord) -> None:
            lines.extend(self.format(record).splitlines())

    handler = Keep()
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("service")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)
    before = logger.level
    logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in lines]
    logger.setLevel(before)
