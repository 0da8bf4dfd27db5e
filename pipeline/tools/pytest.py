"""pytest: its command line, a witness plugin that writes down what really ran, and what both outputs mean.

The exit code and the JUnit file can't carry a proof: all tests skipped exits 0, and ``os._exit(0)`` inside a test exits 0 with no file
at all. The witness writes a line for each collected, deselected and finished test as it happens, and a last one at the end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.finding import Confidence, Finding, Severity
from pipeline.core.ports import Outcome
from pipeline.errors import ToolTrouble
from pipeline.tools.places import source_line

RECORD_VARIABLE = "PIPELINE_PYTEST_RECORD"
WITNESS = "pipeline_pytest_witness"
WITNESS_SOURCE = f'''"""Writes down what pytest really does (a plugin of the pipeline)."""
import json
import os

_RECORD = open(os.environ["{RECORD_VARIABLE}"], "a", encoding="utf-8", buffering=1)


def _write(**facts):
    _RECORD.write(json.dumps(facts) + "\\n")


def pytest_collectreport(report):
    """A module that can't be imported never becomes a test."""
    if report.failed:
        _write(event="broken", test=report.nodeid, text=str(report.longrepr)[-4000:])


def pytest_deselected(items):
    """What a marker expression leaves out."""
    for item in items:
        _write(event="deselected", test=item.nodeid)


def pytest_runtest_logreport(report):
    """Each phase of each test."""
    failed = report.failed
    text = str(report.longrepr)[-8000:] if failed or report.skipped else ""
    crash = getattr(getattr(report.longrepr, "reprcrash", None), "message", "") if failed else ""
    _write(
        event="phase", test=report.nodeid, when=report.when, outcome=report.outcome, expected=hasattr(report, "wasxfail"),
        line=(report.location[1] or 0) + 1, text=text, crash=crash, seconds=report.duration,
    )


def pytest_sessionfinish(session, exitstatus):
    """The run came to its end."""
    _write(event="end", exit=int(exitstatus))
'''

# pytest's documentation, "Exit codes".
_PASSED, _FAILED, _BROKEN, _NONE = 0, 1, 2, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What ran. Names are node ids without parameters, like ``tests/test_a.py::TestB::test_c``.

    ``executed`` ran to an outcome of their own (passed or failed); ``skipped`` did not run; ``deselected`` were left out by the
    marker expression; ``count`` counts executed tests with their parameters.
    """

    executed: frozenset[str]
    skipped: frozenset[str]
    deselected: frozenset[str]
    findings: tuple[Finding, ...]
    count: int
    doubts: tuple[str, ...] = ()


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


def environment(record: Path) -> dict[str, str | None]:
    """What the process needs for the witness: where it lies and where it writes."""
    return {RECORD_VARIABLE: str(record), "PYTHONPATH": str(record.parent), "PYTHONDONTWRITEBYTECODE": "1"}


def parse(outcome: Outcome, record: str, tree: Path) -> Output:
    """What the witness's record and the exit code say together.

    Raises:
        ToolTrouble: pytest could not be used at all, or the record contradicts the exit code.
    """
    try:
        events: list[dict[str, Any]] = [json.loads(line) for line in record.splitlines()]
    except ValueError as error:
        raise ToolTrouble("The record of the tests is damaged, so it proves nothing.", why=str(error)) from error
    if not events and outcome.exit_code != _NONE:
        raise ToolTrouble(
            f"pytest ended with exit code {outcome.exit_code} and ran nothing.", why=f"It says: {outcome.tail(12)}"
        )
    phases = [event for event in events if event["event"] == "phase"]
    failures = {**_failures(phases, tree), **_broken(events, tree)}
    ran = [event["test"] for event in phases if event["when"] == "call" and event["outcome"] != "skipped"]
    skipped = {_bare(event["test"]) for event in phases if event["outcome"] == "skipped"}
    doubts = _doubts(outcome, events, bool(failures))
    return Output(
        executed=frozenset(_bare(test) for test in ran) | frozenset(_bare(test) for test in failures),
        skipped=frozenset(skipped),
        deselected=frozenset(_bare(event["test"]) for event in events if event["event"] == "deselected"),
        findings=tuple(failures.values()),
        count=len(ran),
        doubts=doubts,
    )


def _doubts(outcome: Outcome, events: list[dict[str, Any]], failed: bool) -> tuple[str, ...]:
    """Why the record does not carry a verdict."""
    ends = [event["exit"] for event in events if event["event"] == "end"]
    if not ends:
        return (f"pytest did not come to its end (exit code {outcome.exit_code}); something ended the process.",)
    if ends[-1] != outcome.exit_code:
        return (
            f"pytest ended with {ends[-1]} and its process with {outcome.exit_code}, so its result can't be trusted.",
        )
    if failed != (outcome.exit_code in (_FAILED, _BROKEN)):
        return (f"pytest's exit code {outcome.exit_code} does not fit what its tests said: {outcome.tail(4)}",)
    return ()


def _failures(phases: list[dict[str, Any]], tree: Path) -> dict[str, Finding]:
    failures = {}
    for event in phases:
        if event["outcome"] == "failed":
            path = event["test"].split("::")[0]
            what = event["crash"] or event["text"].strip().rpartition("\n")[2] or "no message"
            failures[event["test"]] = Finding(
                rule="test-failure" if event["when"] == "call" else f"test-{event['when']}-error",
                tool="pytest",
                severity=Severity.HIGH,
                confidence=Confidence.HIGH,
                message=f"{event['test'].partition('::')[2]}: {what}",
                path=path,
                line=int(event["line"]),
                snippet=source_line(tree, path, int(event["line"])),
            )
    return failures


def _broken(events: list[dict[str, Any]], tree: Path) -> dict[str, Finding]:
    broken = {}
    for event in events:
        if event["event"] == "broken":
            path = event["test"].split("::")[0]
            broken[event["test"]] = Finding(
                rule="test-collection-error",
                tool="pytest",
                severity=Severity.HIGH,
                confidence=Confidence.HIGH,
                message=f"{path or 'the tests'} could not be imported: {event['text'].strip().rpartition(chr(10))[2]}",
                path=path if (tree / path).is_file() else "",
                line=1 if (tree / path).is_file() else 0,
            )
    return broken


def _bare(test: str) -> str:
    return test.partition("[")[0]
