"""What every test shares: the ``--full`` option, and an environment that no caller's settings reach into."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Timings say nothing on a shared machine; what is to be fast is measured in benchmarks. The same examples each time: a
# gate must not depend on luck. The long dose looks for new ones.
settings.register_profile("any machine", deadline=None, derandomize=True, database=None)
settings.register_profile("long dose", deadline=None, derandomize=False, print_blob=True)

SHAPING = ("PIPELINE_", "GITHUB_", "GITLAB_", "NO_COLOR", "FORCE_COLOR", "COLUMNS")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--full`` runs the long doses too."""
    parser.addoption("--full", action="store_true", help="run the long doses too")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the examples of property tests before the first of them is imported, since each takes note of it then."""
    settings.load_profile("long dose" if config.getoption("--full") else "any machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long doses are left out visibly (deselected, so that pytest counts them) unless they are asked for."""
    if config.getoption("--full"):
        return
    kept = [item for item in items if item.get_closest_marker("full") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting, CI system or terminal of the caller changes a test's outcome, and no test changes the caller's."""
    before = _environment()
    for name in before:
        if name.startswith(SHAPING) and name != "PIPELINE_SELFTEST_ADVISORIES":
            monkeypatch.delenv(name)
    yield
    monkeypatch.undo()
    assert _environment() == before, "the test has left the environment changed"


@pytest.fixture(autouse=True)
def put_back_handlers() -> Iterator[None]:
    """A command that a test carries out in this process may leave requests to stop handled as suits its own end."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def _environment() -> dict[str, str]:
    """The environment but for pytest's own note of the running test."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
