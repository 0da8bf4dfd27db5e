"""What a start loads: the libraries that take long are loaded by what needs them, and not by every command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# For the container engine, registries, signatures, terminals, bills of materials and Nox.
HEAVY = frozenset(
    {
        "asyncio", "charset_normalizer", "cryptography", "cyclonedx", "docker", "jinja2", "multiprocessing", "nox",
        "requests", "rich", "urllib3", "uv", "xml.etree",
    }
)  # fmt: skip
OF_REPORTS = frozenset({"lxml", "msgspec", "packaging", "cvss", "email"})


def loaded(code: str) -> set[str]:
    """The modules that are there after ``code``, in an interpreter of its own."""
    command = (sys.executable, "-c", f"import sys; {code}; print(*sys.modules)")
    return set(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split())


def heavy(code: str, names: frozenset[str]) -> set[str]:
    return loaded(code) & names


def test_the_package_itself_loads_nothing_of_ours_and_nothing_heavy() -> None:
    found = loaded("import pipeline")
    assert {name for name in found if name.startswith("pipeline.")} == set()
    assert not found & (HEAVY | OF_REPORTS)


def test_the_command_line_loads_neither_stages_nor_settings_before_a_command_is_known() -> None:
    found = loaded("import pipeline.cli")
    assert not found & (HEAVY | OF_REPORTS)
    assert not {name for name in found if name.startswith(("pipeline.stages", "pipeline.run", "pipeline.workplace"))}


@pytest.mark.parametrize("module", ["workplace", "stages.registry", "run", "run_command", "reporters"])
def test_what_every_run_loads_is_free_of_what_only_some_stages_need(module: str) -> None:
    assert heavy(f"import pipeline.{module}", HEAVY) == set()


def test_a_planted_import_is_seen() -> None:
    assert heavy("import requests", HEAVY) >= {"requests", "urllib3"}
