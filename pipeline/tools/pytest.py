"""pytest: its command line, a witness plugin that writes down what really ran, and what both outputs mean.

The exit code and the JUnit file can't carry a proof: all tests skipped exits 0, and ``os._exit(0)`` inside a test
exits 0 with no file at all. The witness writes a line for each collected, deselected and finished test as it happens,
and a last one at the end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.finding import Confidence, Finding, Severity
from pipeline.core.marker_expression import selects
from pipeline.core.ports import Outcome
from pipeline.errors import ToolTrouble
from pipeline.tools.places import source_line

RECORD_VARIABLE = "PIPELINE_PYTEST_RECORD"
PLANT_VARIABLE = "PIPELINE_PYTEST_PLANT"
PLANTED = "test_planted_by_the_pipeline"
WITNESS = "pipeline_pytest_witness"
WITNESS_SOURCE = f'''"""Writes down what pytest really does (a plugin of the pipeline)."""
import json
import os

import pytest

# A descriptor and not a file: one that is open to the end is a ResourceWarning, which a project may have made an error.
_RECORD = os.open(os.environ["{RECORD_VARIABLE}"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
_PROCESS = os.getpid()
_WORKER = "PYTEST_XDIST_WORKER" in os.environ
_MODULES = {{}}


def _write(**facts):
    # A test may fork; only the process that pytest runs in has something to say.
    if os.getpid() == _PROCESS and not _WORKER:
        _note(facts)


def _note(facts):
    os.write(_RECORD, (json.dumps(facts) + "\\n").encode("ascii"))


def _end(text, most):
    # That something was cut off is said; a mask knows what is left of a secret by it.
    return text if len(text) <= most else "..." + text[-most:]


def pytest_collectreport(report):
    """A module that can't be imported never becomes a test."""
    if report.failed:
        _write(event="broken", test=report.nodeid, text=_end(str(report.longrepr), 4000))


def pytest_deselected(items):
    """What is left out, with what decides whether -m did it; with pytest-xdist only its workers hear of it."""
    for item in items:
        marks = sorted({{mark.name for mark in item.iter_markers()}})
        facts = {{"test": item.nodeid, "marks": marks, "expression": item.config.option.markexpr}}
        _note({{"event": "deselected", **facts}})


def pytest_itemcollected(item):
    """A module with a test in each folder, where a failing one can be planted."""
    module = item.getparent(pytest.Module)
    if module is not None:
        _MODULES.setdefault(module.path.parent, module)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    """When everybody has chosen: only the planted tests, under the conftest files of the tests that they stand for."""
    yield
    if os.environ.get("{PLANT_VARIABLE}"):
        items[:] = [
            pytest.Function.from_parent(module, name="{PLANTED}", callobj=_fail) for module in _MODULES.values()
        ]


def _fail():
    """A failing test."""
    assert 1 == 2


def pytest_runtest_logreport(report):
    """Each phase of each test."""
    failed = report.failed
    text = _end(str(report.longrepr), 8000) if failed or report.skipped else ""
    crash = getattr(getattr(report.longrepr, "reprcrash", None), "message", "") if failed else ""
    # The place of a test that is inherited lies in another file than its name says.
    file, line, _ = report.location
    _write(
        event="phase", test=report.nodeid, when=report.when, outcome=report.outcome, file=file, line=(line or 0) + 1,
        expected=hasattr(report, "wasxfail"), text=text, crash=crash, seconds=report.duration,
    )


def pytest_sessionfinish(session, exitstatus):
    """The run came to its end."""
    _write(event="end", exit=int(exitstatus))
'''

_RERUN = "rerun"
"""What pytest-rerunfailures and flaky-like plugins make of the outcome of a failure after which the test runs again."""
# pytest's documentation, "Exit codes".
_PASSED, _FAILED, _BROKEN, _NONE = 0, 1, 2, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What ran. Names are node ids without parameters, like ``tests/test_a.py::TestB::test_c``.

    ``executed`` ran to an outcome of their own (passed, failed, or failed as their ``xfail`` says); ``skipped`` did
    not run; ``deselected`` were left out by the marker expression, and not by anything else; ``count`` counts executed
    tests with their parameters. ``flaky`` are tests, with their parameters, that failed and passed when they were run
    again.
    """

    executed: frozenset[str]
    skipped: frozenset[str]
    deselected: frozenset[str]
    findings: tuple[Finding, ...]
    count: int
    doubts: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()


def plant_witness(folder: Path) -> Path:
    """Write the witness into ``folder``, which goes on PYTHONPATH; returns where its record will be."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{WITNESS}.py").write_text(WITNESS_SOURCE, encoding="utf-8")
    return folder / "record.jsonl"


def command(
    python: str, paths: tuple[str, ...], *, rootdir: Path, markers: str, junit: Path, options: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The command line; ``markers`` is an expression for ``-m``, empty for all tests."""
    selection = ("-m", markers) if markers else ()
    return (
        python, "-m", "pytest", "-p", WITNESS, "-p", "no:cacheprovider", f"--rootdir={rootdir}", f"--junitxml={junit}",
        "-o", "junit_family=xunit1", *selection, *options, *paths,
    )  # fmt: skip


def environment(record: Path, *, plant: bool = False) -> dict[str, str | None]:
    """What the process needs for the witness: where it lies and where it writes.

    ``plant`` has it run, in the place of all tests, a failing one in each folder that holds tests.
    """
    planted = {PLANT_VARIABLE: "1"} if plant else {}
    return {RECORD_VARIABLE: str(record), "PYTHONPATH": str(record.parent), "PYTHONDONTWRITEBYTECODE": "1", **planted}


def share(cores: int) -> dict[str, str | None]:
    """How many processes ``-n auto`` of pytest-xdist makes (its documentation, "Running tests across CPUs")."""
    return {"PYTEST_XDIST_AUTO_NUM_WORKERS": str(cores)}


def processes(cores: int) -> tuple[str, ...]:
    """Options that have pytest-xdist make so many processes, and none beside its own for one core."""
    return ("--numprocesses", str(cores if cores > 1 else 0))


def caught(output: Output) -> bool:
    """Whether planted tests ran, and each that did was reported as failed."""
    failed = [finding for finding in output.findings if finding.rule == "test-failure"]
    return 0 < output.count == len(failed) and all(f.message.startswith(f"{PLANTED}:") for f in failed)


def ended_test(line: str) -> str:
    """The test whose end a line of the record tells of, without parameters; empty where it tells of none."""
    try:
        event = json.loads(line)
        return _bare(event["test"]) if event["event"] == "phase" and event["when"] == "teardown" else ""
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def parse(outcome: Outcome, record: str, tree: Path) -> Output:
    """What the witness's record and the exit code say together.

    Raises:
        ToolTrouble: pytest could not be used at all, or the record contradicts the exit code.
    """
    events = _events(record)
    if not events and outcome.exit_code != _NONE:
        raise ToolTrouble(
            f"pytest ended with exit code {outcome.exit_code} and ran nothing.", why=f"It says: {outcome.tail(12)}"
        )
    try:
        phases = [event for event in events if event["event"] == "phase"]
        broken = [event for event in events if event["event"] == "broken"]
        failed = [event for event in phases if event["outcome"] == "failed"]
        again = {event["test"] for event in phases if event["outcome"] == _RERUN}
        ran = [event["test"] for event in phases if event["when"] == "call" and _came_to_an_outcome(event)]
        skipped = {_bare(event["test"]) for event in phases if not _came_to_an_outcome(event)}
        return Output(
            executed=frozenset(_bare(test) for test in [*ran, *(event["test"] for event in (*failed, *broken))]),
            skipped=frozenset(skipped),
            deselected=frozenset(_bare(event["test"]) for event in events if _is_left_out_by_marker(event)),
            findings=(*(_failure(event, tree) for event in failed), *(_broken(event, tree) for event in broken)),
            count=len(set(ran)) if again else len(ran),
            doubts=_doubts(outcome, events, bool(failed or broken)),
            flaky=tuple(sorted(again - {event["test"] for event in failed})),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ToolTrouble("The record of the tests is not the witness's own.", why=repr(error)) from error


def _events(record: str) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in record.splitlines()]
    except ValueError as error:
        raise ToolTrouble("The record of the tests is damaged, so it proves nothing.", why=str(error)) from error


def _is_left_out_by_marker(event: dict[str, Any]) -> bool:
    """Whether ``-m`` deselected it. A conftest.py, ``-k`` and ``--deselect`` do so too, and nobody gave them leave."""
    if event["event"] != "deselected":
        return False
    return "marks" not in event or not selects(event["expression"], event["marks"])


def _came_to_an_outcome(event: dict[str, Any]) -> bool:
    """A test that fails as expected is reported as skipped too, but it did run, unless stopped before its call."""
    return bool(event["outcome"] != "skipped" or (event["expected"] and event["when"] == "call"))


def _doubts(outcome: Outcome, events: list[dict[str, Any]], failed: bool) -> tuple[str, ...]:
    """Why the record does not carry a verdict."""
    ends = [event["exit"] for event in events if event["event"] == "end"]
    if not ends:
        return (f"pytest did not come to its end (exit code {outcome.exit_code}); something ended the process.",)
    if ends[-1] != outcome.exit_code:
        return (
            f"pytest ended with {ends[-1]} and its process with {outcome.exit_code}, so its result can't be trusted; "
            f"it says: {outcome.tail(4)}",
        )
    if outcome.exit_code not in ((_FAILED, _BROKEN) if failed else (_PASSED, _NONE)):
        return (f"pytest's exit code {outcome.exit_code} does not fit what its tests said: {outcome.tail(4)}",)
    return ()


def _failure(event: dict[str, Any], tree: Path) -> Finding:
    named, _, test = event["test"].partition("::")
    path = next((path for path in (event["file"], named) if _is_file(tree, path)), "")
    what = event["crash"] or _last_line(event["text"]) or "no message"
    line = int(event["line"]) if path and path == event["file"] else 0
    return Finding(
        rule="test-failure" if event["when"] == "call" else f"test-{event['when']}-error",
        tool="pytest",
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        message=f"{test or named}: {what}",
        path=path,
        line=line,
        snippet=source_line(tree, path, line),
    )


def _broken(event: dict[str, Any], tree: Path) -> Finding:
    path = event["test"].partition("::")[0]
    is_file = _is_file(tree, path)
    return Finding(
        rule="test-collection-error",
        tool="pytest",
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        message=f"{path or 'the tests'} could not be imported: {_last_line(event['text'])}",
        path=path if is_file else "",
        line=1 if is_file else 0,
    )


def _is_file(tree: Path, path: str) -> bool:
    """Whether a finding can point at it: a file of the snapshot and not one of the environment or of another folder."""
    parts = path.split("/")
    return bool(path) and not path.startswith("/") and ".." not in parts and (tree / path).is_file()


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _bare(test: str) -> str:
    """A node id without parameters; what stands in brackets may hold anything, and so may a folder's name."""
    path, colons, rest = test.partition("::")
    return path + colons + rest.partition("[")[0]
