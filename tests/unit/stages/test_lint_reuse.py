"""Which files pylint looks at again, by what has changed. That it says the same is shown with the real one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.core.ports import ToolEnvironment
from pipeline.execution.file_results import ShelvedResults
from pipeline.settings import Lint, Settings
from pipeline.stages.lint_reuse import Reuse, reuse
from pipeline.testing import SilentProgress
from tests.support import make_context, write_files

FILES = {
    "app/__init__.py": '"""An application, and the longest of the files."""\n' * 3,
    "app/core.py": "X = 1\n",
    "app/web.py": "from app import core\n",
    "tests/alone.py": "import os\n",
    "pyproject.toml": '[tool.pylint.format]\nmax-line-length = "120"\n',
}


class Bench:
    """Runs that keep something for every file that they look at."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = 0
        self.packages = {"flask": "3.1"}
        self.python = "3.13.1"

    def run(self, files: Mapping[str, str], *, altered: str = "", say_nothing: bool = False) -> Reuse:
        self._runs += 1
        place = self._folder / str(self._runs)
        tree = write_files(place / "tree", files)
        results = ShelvedResults(self._folder / "shelves", SilentProgress())
        context = make_context(place / "run", tree, Settings(lint=Lint(paths=(".",))), file_results=results)
        if altered:
            (tree / altered).write_text("ALTERED = 1\n", encoding="utf-8")
        tools = ToolEnvironment(root=place, python=place / "python", version=self.python, site_packages=place)
        project = ToolEnvironment(
            root=place, python=place, version=self.python, site_packages=place, packages=self.packages
        )
        names = tuple(sorted(name for name in files if name.endswith(".py")))
        found = reuse(context, tools, project, names)
        found.keep(context, json.dumps({} if say_nothing else {path: {"said": path} for path in found.stale}))
        return found


@pytest.fixture(name="bench")
def bench_fixture(tmp_path: Path) -> Bench:
    found = Bench(tmp_path)
    assert set(found.run(FILES).stale) == {name for name in FILES if name.endswith(".py")}
    return found


def changed(name: str, text: str = "Y = 2\n") -> dict[str, str]:
    return {**FILES, name: FILES.get(name, "") + text}


def test_of_what_has_not_changed_the_smallest_file_is_linted_again_since_pylint_needs_one(bench: Bench) -> None:
    found = bench.run(FILES)
    assert found.stale == ("app/core.py",)
    assert found.kept["app/web.py"] == '{"said": "app/web.py"}'


def test_a_comment_concerns_its_file_alone(bench: Bench) -> None:
    assert bench.run(changed("app/core.py", "# A comment.\n")).stale == ("app/core.py",)


def test_a_change_concerns_what_reaches_it(bench: Bench) -> None:
    assert bench.run(changed("app/core.py")).stale == ("app/core.py", "app/web.py")
    assert bench.run(FILES).stale == ("app/core.py",)


@pytest.mark.parametrize(
    "files",
    [
        changed("app/new.py"),
        {name: text for name, text in FILES.items() if name != "tests/alone.py"},
        changed("pyproject.toml", "[tool.other]\n"),
        changed("setup.cfg", "[pylint]\n"),
        changed("app/data/notes.txt"),
        changed("app/core.pyi"),
        changed("tests/alone.py", "os.sep = 1\n"),
        changed("pyproject.toml", '[tool.pylint.main]\nload-plugins = ["mine"]\n'),
        changed("pyproject.toml", '[tool.pylint.main]\ninit-hook = "1"\n'),
        changed("app/web.py", "def (\n"),
    ],
)
def test_what_may_concern_every_file_has_all_of_them_linted_again(bench: Bench, files: dict[str, str]) -> None:
    found = bench.run(files)
    assert set(found.stale) == {name for name in files if name.endswith(".py")}
    assert not found.kept


def test_other_packages_and_another_python_have_all_of_them_linted_again(bench: Bench) -> None:
    bench.packages = {"flask": "3.2"}
    assert len(bench.run(FILES).stale) == 4
    bench.python = "3.14.0"
    assert len(bench.run(FILES).stale) == 4


def test_a_module_that_meddles_is_linted_in_every_run_and_what_it_reaches_concerns_all(bench: Bench) -> None:
    files = changed("tests/alone.py", "import app.core\nos.sep = 1\n")
    assert len(bench.run(files).stale) == 4
    assert bench.run(files).stale == ("tests/alone.py",)
    assert bench.run({**files, "app/web.py": FILES["app/web.py"] + "Z = 1\n"}).stale == (
        "app/web.py",
        "tests/alone.py",
    )
    assert len(bench.run({**files, "app/core.py": "X = 2\n"}).stale) == 4


def test_a_file_of_which_nothing_was_said_is_linted_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(FILES, say_nothing=True)
    assert len(bench.run(FILES).stale) == 4


def test_when_a_file_changed_meanwhile_nothing_is_kept_since_others_were_judged_by_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(FILES, altered="app/core.py")
    assert len(bench.run(FILES).stale) == 4


def test_the_user_s_own_configuration_counts(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(write_files(tmp_path / "home", {".pylintrc": "[main]\n"})))
    assert len(bench.run(FILES).stale) == 4
