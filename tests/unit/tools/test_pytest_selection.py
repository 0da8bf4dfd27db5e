"""pytest's witness, with the real pytest: what was left out by whom, and planted tests that have to fail."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest as runner

from pipeline.core.ports import Request
from pipeline.errors import ToolTrouble
from pipeline.execution.processes import LocalProcesses
from pipeline.testing import outcome
from pipeline.tools import pytest

TESTS = """
import pytest


@pytest.mark.slow
def test_marked(): ...


@pytest.mark.parametrize("word", ["a", "b"])
def test_other(word):
    assert word


class TestMore:
    def test_inner(self): ...
"""
INI = "[pytest]\nmarkers = slow\n"


def ran(tree: Path, files: dict[str, str], markers: str = "", *, plant: bool = False) -> pytest.Output:
    """What the witness says of these files."""
    for name, text in {"pytest.ini": INI, "test_a.py": TESTS, **files}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text, encoding="utf-8")
    record = pytest.plant_witness(tree.parent / "witness")
    argv = pytest.command(sys.executable, (".",), rootdir=tree, markers=markers, junit=record.parent / "junit.xml")
    request = Request(argv=argv, cwd=tree, timeout_s=60, env=pytest.environment(record, plant=plant))
    ended = LocalProcesses(os.environ).run(request)
    return pytest.parse(ended, record.read_text(encoding="utf-8"), tree)


@runner.fixture(name="tree")
def tree_fixture(tmp_path: Path) -> Path:
    """An empty folder."""
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


def test_what_the_marker_expression_leaves_out_is_deselected(tree: Path) -> None:
    output = ran(tree, {}, "not slow")
    assert output.deselected == {"test_a.py::test_marked"}
    assert output.executed == {"test_a.py::test_other", "test_a.py::TestMore::test_inner"}
    assert output.count == 3


@runner.mark.parametrize("addopts", ["-k 'not other'", "--deselect test_a.py::test_other"])
def test_what_other_options_leave_out_has_no_leave(tree: Path, addopts: str) -> None:
    output = ran(tree, {"pytest.ini": f"{INI}addopts = {addopts}\n"}, "not slow")
    assert output.deselected == {"test_a.py::test_marked"}
    assert output.executed == {"test_a.py::TestMore::test_inner"}


def test_what_a_conftest_leaves_out_has_no_leave(tree: Path) -> None:
    hook = (
        "def pytest_collection_modifyitems(config, items):\n"
        "    config.hook.pytest_deselected(items=items[:])\n    items.clear()\n"
    )
    output = ran(tree, {"conftest.py": hook}, "not slow")
    assert output.deselected == {"test_a.py::test_marked"}
    assert not output.executed


def test_a_planted_test_fails_in_each_folder_and_no_other_runs(tree: Path) -> None:
    output = ran(tree, {"inner/test_b.py": TESTS}, plant=True)
    assert output.executed == {f"test_a.py::{pytest.PLANTED}", f"inner/test_b.py::{pytest.PLANTED}"}
    assert pytest.caught(output)


def test_a_planted_test_is_caught_where_the_run_ends_with_the_first_failure(tree: Path) -> None:
    output = ran(tree, {"inner/test_b.py": TESTS, "pytest.ini": f"{INI}addopts = -x\n"}, plant=True)
    assert output.count == 1
    assert pytest.caught(output)


@runner.mark.parametrize(
    "hook",
    [
        "def pytest_pyfunc_call(pyfuncitem):\n    return True\n",
        "def pytest_runtest_call(item):\n    import pytest\n    pytest.skip('not today')\n",
        "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef database():\n    pytest.skip('none')\n",
        "import pytest\n\n\n@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport():\n"
        "    report = yield\n    report.outcome = 'passed'\n    return report\n",
    ],
    ids=["calls no test", "skips each call", "skips each set-up", "rewrites outcomes"],
)
def test_a_conftest_that_turns_outcomes_round_lets_no_planted_test_be_caught(tree: Path, hook: str) -> None:
    files = {"inner/test_b.py": TESTS, "inner/conftest.py": hook, "test_a.py": ""}
    assert not pytest.caught(ran(tree, files, plant=True))


def test_nothing_planted_is_nothing_caught(tree: Path) -> None:
    assert not pytest.caught(ran(tree, {"test_a.py": ""}, plant=True))


def test_a_deselection_that_does_not_say_why_is_believed() -> None:
    record = '{"event": "deselected", "test": "test_a.py::test_a"}\n{"event": "end", "exit": 5}\n'
    assert pytest.parse(outcome(5), record, Path("/nowhere")).deselected == {"test_a.py::test_a"}


@runner.mark.parametrize(
    ("record", "exit_code", "said"),
    [
        ("", 1, "ran nothing"),
        ("{", 0, "damaged"),
        ('{"event": "phase"}\n', 0, "not the witness's own"),
    ],
)
def test_a_record_that_proves_nothing_is_trouble(record: str, exit_code: int, said: str) -> None:
    with runner.raises(ToolTrouble, match=said):
        pytest.parse(outcome(exit_code), record, Path("/nowhere"))


@runner.mark.parametrize(
    ("record", "exit_code", "doubt"),
    [
        ("", 5, "did not come to its end"),
        ('{"event": "end", "exit": 0}\n', 3, "ended with 0 and its process with 3"),
        ('{"event": "end", "exit": 1}\n', 1, "does not fit what its tests said"),
    ],
)
def test_an_end_that_does_not_fit_is_a_doubt(record: str, exit_code: int, doubt: str) -> None:
    (found,) = pytest.parse(outcome(exit_code), record, Path("/nowhere")).doubts
    assert doubt in found


def test_a_failure_and_a_module_that_can_not_be_imported_are_findings_with_their_places(tree: Path) -> None:
    output = ran(tree, {"test_b.py": "def test_b():\n    assert 1 == 2\n", "test_c.py": "import absent_module\n"})
    (broken,) = output.findings
    assert (broken.rule, broken.path, broken.line) == ("test-collection-error", "test_c.py", 1)
    (tree / "test_c.py").unlink()
    (tree.parent / "witness" / "record.jsonl").unlink()
    output = ran(tree, {})
    (failure,) = output.findings
    assert (failure.rule, failure.path, failure.line) == ("test-failure", "test_b.py", 1)
    assert failure.message.startswith("test_b: assert 1 == 2")
    assert not output.doubts
