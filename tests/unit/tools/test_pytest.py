"""What the witness and the exit code say together, from real runs that may look greener than they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.ports import Outcome, Request
from pipeline.errors import ToolTrouble
from pipeline.execution.processes import LocalProcesses
from pipeline.testing import outcome
from pipeline.tools import pytest as tool


@dataclass(frozen=True)
class _Ran:
    """A real run: how it ended, what the witness wrote, and the folder it ran in."""

    outcome: Outcome
    record: str
    tree: Path

    @property
    def output(self) -> tool.Output:
        """What it amounts to."""
        return tool.parse(self.outcome, self.record, self.tree)


def _pytest(folder: Path, source: str, *options: str, markers: str = "", name: str = "test_a.py", **files: str) -> _Ran:
    tree = folder / "tree"
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text("import os, sys, unittest\nimport pytest\n" + source, encoding="utf-8")
    for file, text in files.items():
        (tree / f"{file}.py").write_text(text, encoding="utf-8")
    record = tool.plant_witness(folder / "witness")
    argv = tool.command(
        sys.executable,
        (".",),
        rootdir=tree,
        markers=markers,
        junit=folder / "junit.xml",
        options=("-c", os.devnull, "-p", "no:hypothesispytest", *options),
    )
    request = Request(argv=argv, cwd=tree, timeout_s=60, env=tool.environment(record))
    ended = LocalProcesses(os.environ).run(request)
    return _Ran(ended, record.read_text(encoding="utf-8") if record.exists() else "", tree)


def test_an_ordinary_run(tmp_path: Path) -> None:
    source = (
        "def test_good(): pass\n"
        "@pytest.mark.parametrize('x', [1, 2, 'a::b[c]'])\ndef test_many(x): pass\n"
        "class TestClass:\n    def test_method(self): pass\n"
        "class Case(unittest.TestCase):\n    def test_unit(self): pass\n"
        "def test_bad():\n    value = 1\n    assert value == 2\n"
    )
    ran = _pytest(tmp_path, source, name="deep [er]/test_a.py")
    place = "deep [er]/test_a.py"
    functions = ("test_good", "test_many", "TestClass::test_method", "Case::test_unit", "test_bad")
    assert ran.output.executed == {f"{place}::{name}" for name in functions}
    assert (ran.output.count, ran.output.doubts, ran.output.skipped) == (7, (), frozenset())
    (finding,) = ran.output.findings
    assert (finding.rule, finding.path, finding.line) == ("test-failure", place, 10)
    assert finding.message.startswith("test_bad: assert 1 == 2")
    assert finding.snippet == "def test_bad():"
    assert (tmp_path / "junit.xml").exists()


def test_skipped_tests_did_not_run_and_expected_failures_did(tmp_path: Path) -> None:
    source = (
        "@pytest.mark.skip(reason='no')\ndef test_mark(): pass\n"
        "def test_inside(): pytest.skip('no')\n"
        "@pytest.mark.xfail\ndef test_xfail(): assert False\n"
        "@pytest.mark.xfail\ndef test_xpass(): pass\n"
        "@pytest.mark.xfail(run=False)\ndef test_not_run(): pass\n"
        "def test_says_so(): pytest.xfail('known')\n"
    )
    output = _pytest(tmp_path, source).output
    assert output.executed == {"test_a.py::test_xfail", "test_a.py::test_xpass", "test_a.py::test_says_so"}
    assert output.skipped == {"test_a.py::test_mark", "test_a.py::test_inside", "test_a.py::test_not_run"}
    assert (output.count, output.findings, output.doubts) == (3, (), ())


def test_all_skipped_is_exit_0_and_nothing_executed(tmp_path: Path) -> None:
    ran = _pytest(tmp_path, "pytestmark = pytest.mark.skip\ndef test_a(): pass\n")
    assert ran.outcome.exit_code == 0
    assert (ran.output.executed, ran.output.count) == (frozenset(), 0)


def test_a_process_that_ends_itself_with_0_is_a_doubt(tmp_path: Path) -> None:
    ran = _pytest(tmp_path, "def test_a(): pass\ndef test_b(): os._exit(0)\ndef test_c(): assert False\n")
    assert ran.outcome.exit_code == 0
    assert ran.output.executed == {"test_a.py::test_a"}
    assert "did not come to its end (exit code 0)" in ran.output.doubts[0]


def test_an_exit_code_that_is_changed_at_the_end_is_a_doubt(tmp_path: Path) -> None:
    ran = _pytest(tmp_path, "import atexit\natexit.register(lambda: os._exit(0))\ndef test_a(): assert False\n")
    assert ran.outcome.exit_code == 0
    assert "ended with 1 and its process with 0" in ran.output.doubts[0]
    assert len(ran.output.findings) == 1


def test_a_run_that_is_broken_off_is_a_doubt(tmp_path: Path) -> None:
    ran = _pytest(tmp_path, "def test_a(): pass\ndef test_b(): pytest.exit('enough')\ndef test_c(): pass\n")
    assert ran.outcome.exit_code == 2
    assert "test_a.py::test_c" not in ran.output.executed
    assert "exit code 2 does not fit" in ran.output.doubts[0]


def test_an_error_inside_of_pytest_is_a_doubt_even_when_every_test_passed(tmp_path: Path) -> None:
    plugin = "def pytest_runtest_logfinish(nodeid, location):\n    raise RuntimeError('plugin')\n"
    ran = _pytest(tmp_path, "def test_a(): pass\n", conftest=plugin)
    assert ran.outcome.exit_code == 3
    assert ran.output.executed == {"test_a.py::test_a"}
    assert "exit code 3 does not fit" in ran.output.doubts[0]


def test_a_module_that_can_not_be_imported_is_a_finding(tmp_path: Path) -> None:
    ran = _pytest(tmp_path, "import nothing_of_this_name\ndef test_a(): pass\n")
    (finding,) = ran.output.findings
    assert (finding.rule, finding.path, finding.line) == ("test-collection-error", "test_a.py", 1)
    assert "could not be imported: E   ModuleNotFoundError" in finding.message
    assert ran.output.executed == {"test_a.py"}
    assert (ran.output.count, ran.output.doubts) == (0, ())


def test_fixtures_that_fail_are_findings_of_their_phase(tmp_path: Path) -> None:
    source = (
        "@pytest.fixture\ndef before(): raise RuntimeError('set-up')\n"
        "@pytest.fixture\ndef after():\n    yield\n    raise RuntimeError('take-down')\n"
        "def test_a(before): pass\ndef test_b(after): assert False\n"
    )
    output = _pytest(tmp_path, source).output
    assert [(finding.rule, finding.message.partition(":")[0]) for finding in output.findings] == [
        ("test-setup-error", "test_a"),
        ("test-failure", "test_b"),
        ("test-teardown-error", "test_b"),
    ]
    assert sorted(output.executed) == ["test_a.py::test_a", "test_a.py::test_b"]
    assert output.count == 1


def test_what_a_marker_leaves_out_is_told(tmp_path: Path) -> None:
    source = "@pytest.mark.filterwarnings('error')\ndef test_a(): pass\ndef test_b(): pass\n"
    output = _pytest(tmp_path, source, markers="filterwarnings").output
    assert (list(output.executed), list(output.deselected)) == (["test_a.py::test_a"], ["test_a.py::test_b"])
    nothing = _pytest(tmp_path / "other", source, markers="tryfirst")
    assert nothing.outcome.exit_code == 5
    assert (nothing.output.executed, nothing.output.doubts) == (frozenset(), ())


def test_a_test_that_hides_another_runs_once(tmp_path: Path) -> None:
    output = _pytest(tmp_path, "def test_a(): assert False\ndef test_a(): pass\n").output
    assert (list(output.executed), output.count, output.findings) == (["test_a.py::test_a"], 1, ())


def test_an_inherited_test_is_found_where_it_is_written(tmp_path: Path) -> None:
    base = "class Base:\n    def test_inherited(self):\n        assert False\n"
    ran = _pytest(tmp_path, "sys.path.insert(0, '.')\nfrom base import Base\nclass TestA(Base): pass\n", base=base)
    (finding,) = ran.output.findings
    assert (finding.path, finding.line, finding.snippet) == ("base.py", 2, "    def test_inherited(self):")
    assert ran.output.executed == {"test_a.py::TestA::test_inherited"}


def test_a_child_of_a_test_has_no_say(tmp_path: Path) -> None:
    source = (
        "def test_a():\n    child = os.fork()\n    if child == 0:\n        raise SystemExit(0)\n"
        "    os.waitpid(child, 0)\n"
        "def test_b(): pass\n"
    )
    ran = _pytest(tmp_path, source, "-W", "ignore")
    events = [json.loads(line) for line in ran.record.splitlines()]
    assert len([event for event in events if event["event"] == "end"]) == 1
    assert (ran.output.count, ran.output.doubts) == (2, ())


def test_hostile_text_is_carried_as_text(tmp_path: Path) -> None:
    output = _pytest(tmp_path, "def test_a():\n    raise ValueError('\\x1b[31m\\ud800 ::error::\\u2028 x')\n").output
    assert "ValueError" in output.findings[0].message


def test_a_command_that_is_wrong_ran_nothing(tmp_path: Path) -> None:
    ran = _pytest(tmp_path, "def test_a(): pass\n", "--no-such-option")
    with pytest.raises(ToolTrouble, match=r"ended with exit code 4 and ran nothing"):
        tool.parse(ran.outcome, "", ran.tree)
    with pytest.raises(ToolTrouble, match="ran nothing"):
        tool.parse(outcome(1, stderr="No module named pytest"), "", tmp_path)


@pytest.mark.parametrize(
    "record",
    ['{"event": "phase"', "5\n", "[]\n", '"text"\n', '{"event": "phase"}\n', '{"event": "end"}\n', "{}\n", "null\n"],
)
def test_a_damaged_record_proves_nothing(record: str, tmp_path: Path) -> None:
    with pytest.raises(ToolTrouble, match="record of the tests"):
        tool.parse(outcome(), record, tmp_path)


def _event(**changes: Any) -> str:
    phase = {
        "event": "phase",
        "test": "test_a.py::test_a",
        "when": "call",
        "outcome": "failed",
        "expected": False,
        "file": "test_a.py",
        "line": 1,
        "text": "",
        "crash": "",
    }
    return "\n".join((json.dumps({**phase, **changes}), json.dumps({"event": "end", "exit": 1})))


@pytest.mark.parametrize("file", ["/usr/lib/python3/x.py", "../x.py", "gone.py", ""])
def test_a_failure_outside_of_the_snapshot_has_no_place_in_it(file: str, tmp_path: Path) -> None:
    (finding,) = tool.parse(outcome(1), _event(file=file), tmp_path).findings
    assert (finding.path, finding.line, finding.message) == ("", 0, "test_a: no message")
    (tmp_path / "test_a.py").touch()
    (finding,) = tool.parse(outcome(1), _event(file=file, text="last\nline"), tmp_path).findings
    assert (finding.path, finding.line, finding.message) == ("test_a.py", 0, "test_a: line")


def test_a_worker_of_a_parallel_run_tells_only_what_it_left_out() -> None:
    assert tool.WITNESS_SOURCE.count("PYTEST_XDIST_WORKER") == 1
    compile(tool.WITNESS_SOURCE, "witness", "exec")


def test_the_witness_leaves_nothing_open_that_a_strict_project_would_take_for_a_fault(tmp_path: Path) -> None:
    record = tool.plant_witness(tmp_path)
    done = subprocess.run(
        (sys.executable, "-X", "dev", "-W", "error", "-c", f"import {tool.WITNESS}"),
        env={**os.environ, **{name: value for name, value in tool.environment(record).items() if value}},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


AGAIN = """
import pytest
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for number in range(3):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = any(report.failed for report in reports)
        for report in reports:
            if failed and number < 2 and report.failed:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
        if not failed:
            break
    return True
"""
"""As pytest-rerunfailures does it."""


def test_what_passed_only_when_it_was_run_again_is_told(tmp_path: Path) -> None:
    source = (
        "seen = []\n@pytest.mark.parametrize('x', [1, 2])\ndef test_flaky(x):\n    seen.append(x)\n"
        "    assert x == 1 or seen.count(x) > 1\ndef test_bad(): assert False\ndef test_good(): pass\n"
    )
    output = _pytest(tmp_path, source, conftest=AGAIN).output
    assert output.flaky == ("test_a.py::test_flaky[2]",)
    assert [finding.message.partition(":")[0] for finding in output.findings] == ["test_bad"]
    assert (output.count, output.doubts) == (4, ())
