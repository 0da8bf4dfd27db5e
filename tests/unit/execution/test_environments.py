"""Environments made by the real uv from a hashed lock and a folder of wheels; no network is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.ports import Outcome, Request, ToolEnvironment
from pipeline.errors import ConfigurationError, EnvironmentTrouble, StorageTrouble
from pipeline.execution.environments import UvEnvironments, checked_lock, uv_program
from pipeline.execution.processes import LocalProcesses
from pipeline.testing import ScriptedRunner, SilentProgress, outcome
from tests.wheels import lock_line, make_wheel

RUNNING = f"{sys.version_info[0]}.{sys.version_info[1]}"
FULL = ".".join(map(str, sys.version_info[:3]))


@pytest.fixture(name="lock")
def _lock_fixture(tmp_path: Path) -> Path:
    wheel = make_wheel(tmp_path / "wheels", "sample")
    path = tmp_path / "requirements.txt"
    path.write_text(lock_line(wheel), encoding="utf-8")
    return path


def _environments(folder: Path, runner: Any = None) -> UvEnvironments:
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    # A cache of its own: uv links files out of it, so that an edit in an environment would be an edit in the cache.
    environ.update({"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_CACHE_DIR": str(folder / "cache")})
    environ.update({"UV_FIND_LINKS": str(folder / "wheels"), "PIP_CONFIG_FILE": os.devnull})
    processes = runner or LocalProcesses(environ)
    return UvEnvironments(folder / "made here", processes, SilentProgress(), python=RUNNING, environ=environ)


def _version(tools: ToolEnvironment) -> str:
    code = "import sample; print(sample.VERSION, sample.__file__)"
    return subprocess.run((tools.python, "-c", code), check=True, capture_output=True, text=True).stdout


def test_an_environment_holds_exactly_what_the_lock_names_and_is_made_once(tmp_path: Path, lock: Path) -> None:
    runner = _Counting()
    tools = _environments(tmp_path, runner).ensure("sample", [lock])
    assert tools.packages == {"sample": "1.0"}
    assert tools.version.startswith(RUNNING)
    assert _version(tools) == f"1.0 {tools.site_packages / 'sample.py'}\n"
    assert tools.program("python") == str(tools.python)
    assert (tools.root / ".complete").exists()
    asked = len(runner.requests)
    again = _environments(tmp_path, runner).ensure("sample", [lock])
    assert again == tools
    assert not any("pip" in request.argv for request in runner.requests[asked:])


def test_a_half_made_environment_is_made_again(tmp_path: Path, lock: Path) -> None:
    tools = _environments(tmp_path).ensure("sample", [lock])
    (tools.root / ".complete").unlink()
    (tools.site_packages / "sample.py").unlink()
    (tools.site_packages / "stray.py").touch()
    assert _environments(tmp_path).ensure("sample", [lock]) == tools
    assert _version(tools).startswith("1.0 ")
    assert not (tools.site_packages / "stray.py").exists()


@pytest.mark.parametrize("gone", [False, True])
def test_an_environment_in_which_a_file_was_changed_is_made_again(tmp_path: Path, lock: Path, gone: bool) -> None:
    tools = _environments(tmp_path).ensure("sample", [lock])
    module = tools.site_packages / "sample.py"
    module.unlink()
    if not gone:
        module.write_text("VERSION = 'poisoned'\n", encoding="utf-8")
    assert _environments(tmp_path).ensure("sample", [lock]) == tools
    assert _version(tools).startswith("1.0 ")


def test_what_was_changed_in_uvs_cache_is_not_used(tmp_path: Path, lock: Path) -> None:
    tools = _environments(tmp_path).ensure("sample", [lock])
    for module in (*tmp_path.glob("cache/**/sample.py"), tools.site_packages / "sample.py"):
        module.write_text("VERSION = 'poisoned'\n", encoding="utf-8")
    with pytest.raises(EnvironmentTrouble, match=r"sample\.py.*uv cache clean") as caught:
        _environments(tmp_path).ensure("sample", [lock])
    assert "in its cache" in str(caught.value)
    assert not (tools.root / ".complete").exists()


def test_another_lock_is_another_environment_and_markers_choose_the_pin(tmp_path: Path, lock: Path) -> None:
    wheels = [make_wheel(tmp_path / "wheels", "sample", version) for version in ("1.0", "2.0")]
    first = _environments(tmp_path).ensure("sample", [lock])
    old, new = (lock_line(wheel, f"python_full_version {sign} '3.0'") for wheel, sign in zip(wheels, "<>", strict=True))
    lock.write_text(new + old, encoding="utf-8")
    second = _environments(tmp_path).ensure("sample", [lock])
    assert second.root != first.root
    assert second.packages == {"sample": "2.0"}
    assert _version(second).startswith("2.0 ")


def test_a_package_with_another_hash_is_not_installed(tmp_path: Path, lock: Path) -> None:
    with zipfile.ZipFile(tmp_path / "wheels" / "sample-1.0-py3-none-any.whl", "a") as wheel:
        wheel.writestr("evil.py", "")
    with pytest.raises(EnvironmentTrouble, match="The sample environment could not be made") as caught:
        _environments(tmp_path).ensure("sample", [lock])
    assert "hash" in caught.value.why.lower()
    assert not list((tmp_path / "made here").glob("*/.complete"))


def test_a_package_that_is_nowhere_is_trouble_with_uvs_words(tmp_path: Path, lock: Path) -> None:
    lock.write_text(lock.read_text(encoding="utf-8").replace("sample==1.0", "sample==3.0"), encoding="utf-8")
    with pytest.raises(EnvironmentTrouble, match=r"(?s)uv says: .*sample==3\.0"):
        _environments(tmp_path).ensure("sample", [lock])


def test_two_at_once_make_it_once(tmp_path: Path, lock: Path) -> None:
    runner = _Counting()
    made: list[ToolEnvironment] = []
    threads = [
        threading.Thread(target=lambda: made.append(_environments(tmp_path, runner).ensure("sample", [lock])))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3
    assert len([request for request in runner.requests if "install" in request.argv]) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sample==1.0\n", "has no SHA-256 hash"),
        ("sample>=1.0 --hash=sha256:" + "0" * 64, "is not pinned"),
        ("-r other.txt\n", "takes in what this lock does not hold"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (None, "does not exist"),
    ],
)
def test_a_lock_that_is_none_is_refused(text: str | bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError, match=words) as caught:
        _environments(tmp_path, ScriptedRunner([])).ensure("sample", [path])
    assert "--generate-hashes" in caught.value.advice


def test_a_folder_is_no_lock(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read: Is a directory"):
        checked_lock(tmp_path)


def test_uv_that_hangs_is_trouble(tmp_path: Path, lock: Path) -> None:
    probe = outcome(stdout=f"{sys.executable}\n{FULL}\n")
    runner = ScriptedRunner([*([probe] if sys.prefix != sys.base_prefix else []), outcome(0, timed_out=True)])
    with pytest.raises(EnvironmentTrouble):
        _environments(tmp_path, runner).ensure("sample", [lock])


def test_a_place_that_can_not_be_written_is_said(tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    made = _environments(tmp_path)
    assert made.interpreter[1].startswith(RUNNING)
    monkeypatch.setattr(UvEnvironments, "_make", _full)
    with pytest.raises(StorageTrouble, match="The sample environment could not be written: No space left on device"):
        made.ensure("sample", [lock])


def test_a_python_that_is_not_there_is_replaced_by_the_running_one(tmp_path: Path) -> None:
    processes = LocalProcesses(os.environ)
    made = UvEnvironments(tmp_path, processes, SilentProgress(), python="3.99", environ=os.environ)
    assert made.interpreter[1] == FULL
    first = made.interpreter
    assert made.interpreter is first


def test_uv_comes_with_the_package_or_from_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.access(uv_program(), os.X_OK)
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/found/{name}")
    assert uv_program() == "/found/uv"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EnvironmentTrouble, match="uv was not found"):
        uv_program()


class _Counting:
    """Real processes, and a note of each request."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._real = LocalProcesses(os.environ)

    def run(self, request: Request) -> Outcome:
        """Run it."""
        self.requests.append(request)
        return self._real.run(request)
