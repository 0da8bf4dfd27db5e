"""What the tests with real tools share: their environments, made once for all tests of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.ports import Environments
from tests.support import real_environments, real_processes


@pytest.fixture(name="tool_environments", scope="session")
def tool_environments_fixture(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    """Real environments, in a folder with a space in its name."""
    folder: Path = tmp_path_factory.mktemp("tools") / "with space"
    return real_environments(folder, real_processes())
