"""The real wrapper, in copies of the checkout: it makes its environment whatever happened before, and no other."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.wheels import lock_line, make_wheel

ROOT = Path(__file__).parents[2]
# A package in the place of ours, for what concerns the set-up alone: it only says what it was called with.
STUB = "import sample, sys\nprint('pipeline', sys.argv[1:], sample.VERSION, sys.prefix)\n"
HIDES = """\
import importlib.machinery, os
real = importlib.machinery.PathFinder.find_spec
def find_spec(name, path=None, target=None):
    hidden = name == "ensurepip" and not os.path.exists(os.environ["ENSUREPIP_INSTALLED"])
    return None if hidden else real(name, path, target)
importlib.machinery.PathFinder.find_spec = find_spec
"""


@dataclass(frozen=True)
class _Copy:
    """A checkout that only has what the set-up needs, and the environment in which it is run."""

    root: Path
    environ: dict[str, str]

    @property
    def venv(self) -> Path:
        """The environment that noxw makes."""
        return self.root / ".pipeline" / "venv"

    def start(self, *arguments: str, python: str = sys.executable, **environ: str) -> subprocess.Popen[str]:
        """Begin to run it."""
        command = [python, str(self.root / "noxw"), *arguments]
        return subprocess.Popen(
            command, env={**self.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str, python: str = sys.executable, **environ: str) -> tuple[int, str, str]:
        """Run it: exit code and both outputs."""
        process = self.start(*arguments, python=python, **environ)
        out, err = process.communicate(timeout=180)
        return process.returncode, out, err


def _environ(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINE_", "PYTHON"))}
    return {**kept, **more}


@pytest.fixture(name="copy")
def _copy_fixture(tmp_path: Path) -> _Copy:
    root = tmp_path / "a check out"
    (root / "pipeline" / "locks").mkdir(parents=True)
    shutil.copy2(ROOT / "noxw", root)
    (root / "pipeline" / "__init__.py").touch()
    (root / "pipeline" / "__main__.py").write_text(STUB, encoding="utf-8")
    (root / "pyproject.toml").write_text("", encoding="utf-8")
    wheels = tmp_path / "wheels"
    (root / "pipeline" / "locks" / "runtime.txt").write_text(lock_line(make_wheel(wheels, "sample")), encoding="utf-8")
    return _Copy(root, _environ(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels), PIP_CONFIG_FILE=os.devnull))


def _green(copy: _Copy, ran: tuple[int, str, str], version: str = "1.0") -> None:
    assert ran[:2] == (0, f"pipeline ['lint'] {version} {copy.venv}\n"), ran[2]


@pytest.fixture(name="checkout", scope="module")
def _checkout_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Copy]:
    """The working tree as it is, new files included, in a path with a space."""
    root = tmp_path_factory.mktemp("real") / "with space"
    listing = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listing.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    yield _Copy(root, _environ())
    shutil.rmtree(root, ignore_errors=True)


def test_from_nothing_to_the_list_of_stages_and_then_without_delay(checkout: _Copy) -> None:
    code, out, err = checkout.run("stages")
    assert code == 0, err
    names = [line.split()[0] for line in out.splitlines()]
    assert names == ["lint", "scan", "secrets", "audit", "test", "build", "smoke", "canary", "push"]
    assert "noxw: making .pipeline/venv\n" in err
    assert "noxw: installing what pipeline/locks/runtime.txt names\n" in err
    code, again, err = checkout.run("stages")
    assert (code, again, err) == (0, out, ""), "the second time there is nothing to set up"
    code, out, err = checkout.run("-l")
    assert (code, "* lint" in out) == (0, True), err
    assert checkout.run("help")[0] == 0


def test_words_go_to_the_package_and_the_environment_is_its_own(copy: _Copy) -> None:
    _green(copy, copy.run("lint"))
    code, _, err = copy.run("-l")
    assert (code, "No module named nox" in err) == (1, True)


@pytest.mark.parametrize("moment", ["making .pipeline/venv", "installing what"])
def test_after_a_kill_in_the_middle_the_next_run_makes_it_anew(moment: str, copy: _Copy) -> None:
    process = copy.start("lint")
    assert process.stderr is not None
    while moment not in process.stderr.readline():
        pass
    time.sleep(0.3)
    process.kill()
    process.communicate()
    assert not (copy.venv / ".made-by-noxw").read_text(encoding="utf-8")
    _green(copy, copy.run("lint"))


@pytest.mark.full
def test_a_removal_that_was_killed_is_no_obstacle(copy: _Copy) -> None:
    discarded = copy.root / ".pipeline" / "venv-discarded"
    (discarded / "bin").mkdir(parents=True)
    (discarded / "bin" / "python").touch()
    _green(copy, copy.run("lint"))
    assert not discarded.exists()


def test_a_new_lock_makes_it_anew_and_nothing_of_the_old_stays(copy: _Copy) -> None:
    _green(copy, copy.run("lint"))
    (copy.venv / "stray").touch()
    wheel = make_wheel(copy.root.parent / "wheels", "sample", "2.0")
    (copy.root / "pipeline" / "locks" / "runtime.txt").write_text(lock_line(wheel), encoding="utf-8")
    _green(copy, copy.run("lint"), "2.0")
    assert not (copy.venv / "stray").exists()


def test_the_extra_s_own_lock_is_installed_where_keyless_signatures_are_asked_for(copy: _Copy) -> None:
    wheel = make_wheel(copy.root.parent / "wheels", "sample", "3.0")
    (copy.root / "pipeline" / "locks" / "keyless.txt").write_text(lock_line(wheel), encoding="utf-8")
    _green(copy, copy.run("lint", PIPELINE_PUSH_KEYLESS="true"), "3.0")
    (copy.root / "pyproject.toml").write_text("[tool.pipeline.push]\nkeyless = true\n", encoding="utf-8")
    assert copy.run("lint")[2] == "", "it is there already"
    (copy.root / "pyproject.toml").write_text("[tool", encoding="utf-8")
    _green(copy, copy.run("lint"))


@pytest.mark.full
def test_a_checkout_that_was_moved_makes_its_own(copy: _Copy) -> None:
    _green(copy, copy.run("lint"))
    copy.root.rename(copy.root.parent / "moved")
    moved = _Copy(copy.root.parent / "moved", copy.environ)
    _green(moved, moved.run("lint"))


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_foreign_environment_is_refused_and_not_touched(kind: str, copy: _Copy) -> None:
    foreign = copy.venv if kind == "folder" else copy.root.parent / "foreign"
    foreign.mkdir(parents=True)
    (foreign / "precious").touch()
    if kind == "link":
        copy.venv.parent.mkdir()
        copy.venv.symlink_to(foreign)
    code, out, err = copy.run("lint")
    assert (code, out) == (2, "")
    assert err == f"noxw: {copy.venv} exists and is not noxw's; move it away, then run again.\n"
    assert os.listdir(foreign) == ["precious"]


def test_of_two_at_once_the_second_waits_and_names_the_first(copy: _Copy) -> None:
    first = copy.start("lint")
    assert first.stderr is not None
    assert first.stderr.readline() == "noxw: making .pipeline/venv\n"
    second = copy.run("lint")
    out, err = first.communicate()
    _green(copy, (first.returncode, out, err))
    _green(copy, second)
    # Said again now and then, as long as it takes.
    assert {*second[2].splitlines()} == {f"noxw: waiting for the set-up that another run is doing (pid {first.pid})"}


@pytest.mark.full
def test_an_interrupt_ends_it_at_once_and_the_next_run_makes_it(copy: _Copy) -> None:
    process = copy.start("lint")
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, "Traceback" in err) == (130, False)
    _green(copy, copy.run("lint"))


@pytest.mark.full
def test_packages_that_can_not_be_had_are_said_and_tried_again(copy: _Copy) -> None:
    code, _, err = copy.run("lint", PIP_FIND_LINKS=str(copy.root))
    assert code == 3
    assert "No matching distribution found for sample==1.0" in err
    assert err.endswith("noxw: installing what pipeline/locks/runtime.txt names failed (exit code 1).\n")
    _green(copy, copy.run("lint"))


@pytest.mark.full
def test_a_package_with_another_hash_is_not_installed(copy: _Copy) -> None:
    lock = copy.root / "pipeline" / "locks" / "runtime.txt"
    lock.write_text("sample==1.0 --hash=sha256:" + "0" * 64 + "\n", encoding="utf-8")
    code, _, err = copy.run("lint")
    assert (code, "DO NOT MATCH THE HASHES" in err) == (3, True)


def test_a_place_that_can_not_be_written_is_a_sentence(copy: _Copy) -> None:
    (copy.root / ".pipeline").touch()
    code, _, err = copy.run("lint")
    assert (code, "Traceback" in err, err.startswith("noxw: ")) == (3, False, True)


def _without_ensurepip(copy: _Copy, apt: str) -> dict[str, str]:
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


def test_without_ensurepip_the_exact_command_is_printed(copy: _Copy) -> None:
    environ = _without_ensurepip(copy, "exit 0")
    code, _, err = copy.run("lint", **environ)
    assert code == 2
    assert err == f"noxw: Python's venv module is missing. Install it, then run again: sudo apt-get {INSTALL}\n"
    assert not (copy.root.parent / "debian" / "asked").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may install packages")
def test_without_ensurepip_it_is_installed_where_that_is_allowed(copy: _Copy) -> None:
    (copy.root / "pyproject.toml").write_text("[tool.pipeline.engine]\nprovision = 'auto'\n", encoding="utf-8")
    environ = _without_ensurepip(copy, 'test "$1" = update || touch "$ENSUREPIP_INSTALLED"')
    _green(copy, copy.run("lint", **environ))
    asked = (copy.root.parent / "debian" / "asked").read_text(encoding="utf-8")
    assert asked == f"update\n{INSTALL}\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may install packages")
@pytest.mark.parametrize(
    ("apt", "code", "words"), [("exit 0", 2, "not even after"), ("exit 7", 3, "failed (exit code 7)")]
)
def test_an_installation_that_does_not_help_ends(apt: str, code: int, words: str, copy: _Copy) -> None:
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


def test_a_python_that_is_too_old_says_which_is_needed(copy: _Copy, tmp_path: Path) -> None:
    python = _old_python(tmp_path)
    code, _, err = copy.run("lint", python=python, PATH="")
    assert (code, err) == (2, "noxw: Python 3.11 or newer is needed, and this is 3.10.\n")


def test_a_python_that_is_too_old_finds_one_that_answers(copy: _Copy, tmp_path: Path) -> None:
    newer = tmp_path / "bin"
    newer.mkdir()
    # Like pyenv's shim for a version that is installed and not active.
    (newer / "python3.15").write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    (newer / "python3.15").chmod(0o755)
    (newer / f"python3.{sys.version_info[1]}").symlink_to(Path(sys.executable).resolve())
    _green(copy, copy.run("lint", python=_old_python(tmp_path), PATH=f"{newer}:/usr/bin:/bin"))


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8"])
def test_even_a_very_old_python_gets_as_far_as_the_sentence(version: str, copy: _Copy) -> None:
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted(home.glob(f"versions/{version}.*/bin/python{version}"))
    if not found:
        pytest.skip(f"this machine has no Python {version}")
    code, _, err = copy.run("lint", python=str(found[0]), PATH="")
    assert (code, err) == (2, f"noxw: Python 3.11 or newer is needed, and this is {version}.\n")
