"""Only a Python that answers counts, wherever its name lies about."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pipeline.core.ports import Outcome, Request
from pipeline.errors import ToolTrouble
from pipeline.execution.interpreters import find_python, running_python
from pipeline.execution.processes import LocalProcesses
from pipeline.testing import outcome


class _Answers:
    """Programs that exist on paper: by path the version that each tells, or none when it does not start."""

    def __init__(self, versions: dict[str, str | None]) -> None:
        self._versions = versions
        self.asked: list[str] = []

    def run(self, request: Request) -> Outcome:
        """What the program says."""
        program = request.argv[0]
        self.asked.append(program)
        if program not in self._versions:
            raise ToolTrouble(f"{program} could not be started.")
        version = self._versions[program]
        return (
            outcome(127, stderr="pyenv: command not found")
            if version is None
            else outcome(0, f"{program}\n{version}\n")
        )


@pytest.fixture(name="in_venv", autouse=True)
def _in_venv_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/a/virtual/environment")


def _plant(*programs: Path) -> None:
    for program in programs:
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch()


def test_a_shim_that_can_not_run_is_passed_over(tmp_path: Path) -> None:
    shim, real = tmp_path / "shims" / "python3.13", tmp_path / "bin" / "python3.13"
    _plant(shim, real)
    answers = _Answers({str(shim): None, str(real): "3.13.1"})
    environ = {"PATH": f"{shim.parent}:{tmp_path / 'nowhere'}:{real.parent}", "HOME": str(tmp_path)}
    assert find_python("3.13", environ, answers, tmp_path) == (real, "3.13.1")


def test_a_shim_of_pyenv_is_asked_last_because_it_takes_long(tmp_path: Path) -> None:
    shim, real = tmp_path / ".pyenv/shims/python3.13", tmp_path / ".pyenv/versions/3.13.1/bin/python3.13"
    _plant(shim, real)
    environ = {"PATH": str(shim.parent), "HOME": str(tmp_path)}
    answers = _Answers({str(shim): "3.13.0", str(real): "3.13.1"})
    assert find_python("3.13", environ, answers, tmp_path) == (real, "3.13.1")
    assert answers.asked == [str(real)]
    real.unlink()
    assert find_python("3.13", environ, answers, tmp_path) == (shim, "3.13.0")


def test_pyenvs_and_uvs_own_are_found_newest_first(tmp_path: Path) -> None:
    versions = {
        f"3.13.{patch}": tmp_path / ".pyenv/versions" / f"3.13.{patch}" / "bin/python3.13" for patch in (2, 9, 10)
    }
    managed = tmp_path / ".local/share/uv/python/cpython-3.12.1-linux/bin/python3.12"
    _plant(*versions.values(), managed)
    answers = _Answers({**{str(path): version for version, path in versions.items()}, str(managed): "3.12.1"})
    environ = {"PATH": "", "HOME": str(tmp_path)}
    assert find_python("3.13", environ, answers, tmp_path) == (versions["3.13.10"], "3.13.10")
    assert find_python("3.13.2", environ, answers, tmp_path) == (versions["3.13.2"], "3.13.2")
    assert find_python("3.12", environ, answers, tmp_path) == (managed, "3.12.1")
    assert find_python("3.11", environ, answers, tmp_path) is None


def test_a_program_that_tells_another_version_does_not_count(tmp_path: Path) -> None:
    program = tmp_path / "python3.1"
    _plant(program)
    answers = _Answers({str(program): "3.13.1"})
    assert find_python("3.1", {"PATH": str(tmp_path), "HOME": str(tmp_path)}, answers, tmp_path) is None


def test_relative_places_are_never_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(tmp_path / "python3.13", tmp_path / "bin" / "python3.13")
    monkeypatch.chdir(tmp_path)
    answers = _Answers({})
    assert find_python("3.13", {"PATH": ":bin:.", "HOME": str(tmp_path)}, answers, tmp_path) is None
    assert not answers.asked


def test_outside_of_an_environment_the_running_one_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    full = ".".join(map(str, sys.version_info[:3]))
    for wanted in (full, full.rpartition(".")[0]):
        assert find_python(wanted, {}, _Answers({}), tmp_path) == (Path(sys.executable), full)


def test_the_running_python_can_be_started_again(tmp_path: Path) -> None:
    path, version = running_python(LocalProcesses(os.environ), tmp_path)
    assert version == ".".join(map(str, sys.version_info[:3]))
    assert path.exists()


def test_a_running_python_that_can_not_be_started_again_is_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "_base_executable", "/gone/python", raising=False)
    with pytest.raises(ToolTrouble, match="can't be started again"):
        running_python(_Answers({}), tmp_path)
