"""The real wrapper where Python is not as it needs it: without ensurepip, as on Debian, or too old."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.wrapper_copy import Copy, green, set_up_copy

HIDES = """\
import importlib.machinery, os
real = importlib.machinery.PathFinder.find_spec
def find_spec(name, path=None, target=None):
    hidden = name == "ensurepip" and not os.path.exists(os.environ["ENSUREPIP_INSTALLED"])
    return None if hidden else real(name, path, target)
importlib.machinery.PathFinder.find_spec = find_spec
"""


@pytest.fixture(name="copy")
def _copy_fixture(tmp_path: Path) -> Copy:
    return set_up_copy(tmp_path)


def _without_ensurepip(copy: Copy, apt: str) -> dict[str, str]:
    """An environment as on Debian without python3-venv, where ``apt-get`` is a script of ours."""
    folder = copy.root.parent / "debian"
    (folder / "bin").mkdir(parents=True)
    (folder / "sitecustomize.py").write_text(HIDES, encoding="utf-8")
    (folder / "bin" / "apt-get").write_text(f'#!/bin/sh\necho "$@" >>"{folder}/asked"\n{apt}\n', encoding="utf-8")
    (folder / "bin" / "apt-get").chmod(0o755)
    return {
        "PYTHONPATH": str(folder),
        "ENSUREPIP_INSTALLED": str(folder / "installed"),
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
    }


INSTALL = f"install -y --no-install-recommends python3.{sys.version_info[1]}-venv"


def test_without_ensurepip_the_exact_command_is_printed(copy: Copy) -> None:
    environ = _without_ensurepip(copy, "exit 0")
    code, _, err = copy.run("lint", **environ)
    assert code == 2
    assert err == f"noxw: Python's venv module is missing. Install it, then run again: sudo apt-get {INSTALL}\n"
    assert not (copy.root.parent / "debian" / "asked").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may install packages")
def test_without_ensurepip_it_is_installed_where_that_is_allowed(copy: Copy) -> None:
    (copy.root / "pyproject.toml").write_text("[tool.pipeline.engine]\nprovision = 'auto'\n", encoding="utf-8")
    environ = _without_ensurepip(copy, 'test "$1" = update || touch "$ENSUREPIP_INSTALLED"')
    green(copy, copy.run("lint", **environ))
    asked = (copy.root.parent / "debian" / "asked").read_text(encoding="utf-8")
    assert asked == f"update\n{INSTALL}\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may install packages")
@pytest.mark.parametrize(
    ("apt", "code", "words"), [("exit 0", 2, "not even after"), ("exit 7", 3, "failed (exit code 7)")]
)
def test_an_installation_that_does_not_help_ends(apt: str, code: int, words: str, copy: Copy) -> None:
    environ = _without_ensurepip(copy, apt)
    ended, _, err = copy.run("lint", PIPELINE_ENGINE_PROVISION="auto", **environ)
    assert (ended, words in err) == (code, True)


def _old_python(folder: Path) -> str:
    """A Python that is too old; where the machine has none, this one in disguise."""
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for program in (*sorted(home.glob("versions/3.10.*/bin/python3.10")), Path("/usr/bin/python3.10")):
        if program.exists():
            return str(program)
    disguise = folder / "python3.10"
    code = (
        "import runpy, sys; sys.version_info = (3, 10, 0); sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    disguise.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n', encoding="utf-8")
    disguise.chmod(0o755)
    return str(disguise)


def test_a_python_that_is_too_old_says_which_is_needed(copy: Copy, tmp_path: Path) -> None:
    python = _old_python(tmp_path)
    code, _, err = copy.run("lint", python=python, PATH="")
    assert (code, err) == (2, "noxw: Python 3.11 or newer is needed, and this is 3.10.\n")


def test_a_python_that_is_too_old_finds_one_that_answers(copy: Copy, tmp_path: Path) -> None:
    newer = tmp_path / "bin"
    newer.mkdir()
    # Like pyenv's shim for a version that is installed and not active.
    (newer / "python3.15").write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    (newer / "python3.15").chmod(0o755)
    (newer / f"python3.{sys.version_info[1]}").symlink_to(Path(sys.executable).resolve())
    green(copy, copy.run("lint", python=_old_python(tmp_path), PATH=f"{newer}:/usr/bin:/bin"))


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8"])
def test_even_a_very_old_python_gets_as_far_as_the_sentence(version: str, copy: Copy) -> None:
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted(home.glob(f"versions/{version}.*/bin/python{version}"))
    if not found:
        pytest.skip(f"this machine has no Python {version}")
    code, _, err = copy.run("lint", python=str(found[0]), PATH="")
    assert (code, err) == (2, f"noxw: Python 3.11 or newer is needed, and this is {version}.\n")
