"""What is held to be one fault is reported by both real tools for one line, and bandit's weaknesses are its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from pipeline.core.duplicates import PYLINT_OF_RUFF
from pipeline.core.finding import Finding
from pipeline.core.ports import Environments, Request, ToolEnvironment
from pipeline.core.weaknesses import BANDIT
from pipeline.stages.context import packaged_lock
from pipeline.testing import outcome
from pipeline.tools import pylint, ruff
from tests.support import real_processes, write_files

# One fault, or two, a line; what stands around them may be faulty too.
FAULTS = r"""
import os, sys
from string import *
import json
import json
x = 1; y = 2;
def unused():
    value = 1
    return 2
def compare(a):
    if a == None:
        return 1
    if a == True:
        return 2
    if type(a) == type(1):
        return 5
    if a is "text":
        return 6
    return 7
def catch():
    try:
        return 1
    except:
        return 2
assert (1, "always true")
print(f"nothing")
double = lambda v: v * 2
if x: y = 3
bad = "\d"
class Thing:
    def method(self):
        return 1
    def method(self):
        return 2
print("%s %s" % (1,))
print("%s" % (1, 2))
print("%(a)s" % {"b": 1})
print("%z" % 1)
print("%(a)s %s" % (1,))
print("%(a)s" % (1,))
print("{} {}".format(1))
print("{a}".format(b=1))
print("{}".format(1, 2))
print("{".format(1))
print("{} {0}".format(1))
very_long = "<long>"
trailing = 1<space>
d = {"a": 1, "a": 2}
def branches(a):
<branches>
    return a
def dangerous(a=[]):
    for i in []:
        def inner():
            return i
    return inner, a
import collections
try:
    print()
except Exception:
    print()
try:
    print()
except ValueError:
    print()
except ValueError:
    print()
exec("1")
eval("1")
raise NotImplemented
"""
BRANCHES = "".join(f"    if a == {number}:\n        a += 1\n    \n" for number in range(12)).rstrip("\n")
FILES = {
    "faults.py": FAULTS.replace("<space>", " ").replace("<long>", "_" * 120).replace("<branches>", BRANCHES),
    "names.py": "__all__ = ['absent']\nprint(undefined)\ndef local():\n    print(later)\n    later = 1\nlater = 2\n",
    "outside.py": "break\ncontinue\nyield 1\n",
    "returned.py": "return 1\n",
    "no_end.py": "x = 1",
    "future.py": "x = 1\nfrom __future__ import annotations\n",
    "broken.py": "def f(:\n",
}


@pytest.fixture(name="lint", scope="module")
def lint_fixture(tool_environments: Environments) -> ToolEnvironment:
    """The environment of ruff and pylint."""
    return tool_environments.ensure("lint", (packaged_lock("lint"),))


def by_place(findings: Iterable[Finding]) -> set[tuple[str, int, str]]:
    """Where each rule was reported."""
    return {(finding.path, finding.line, finding.rule) for finding in findings}


def test_each_pair_of_rules_is_reported_together_for_one_line(lint: ToolEnvironment, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", FILES)
    processes = real_processes()
    argv = (
        lint.program("ruff"),
        "check",
        "--isolated",
        "--preview",
        "--select=E,F,W,C90,B,BLE,S",
        "--output-format=json",
    )
    run = processes.run(Request(argv=(*argv, "--no-cache", "."), cwd=tree, timeout_s=300, title="ruff"))
    of_ruff = by_place(ruff.parse(run, tree).findings)
    argv = (
        lint.program("pylint"), "--rcfile=/dev/null", "--enable=all", "--load-plugins=pylint.extensions.mccabe",
        "--output-format=json2", "--persistent=n",
    )  # fmt: skip
    run = processes.run(Request(argv=(*argv, *sorted(FILES)), cwd=tree, timeout_s=600, title="pylint"))
    of_pylint = by_place(pylint.parse(outcome(run.exit_code, run.stdout), "", tree).findings)
    together = {
        (rule, message)
        for rule, messages in PYLINT_OF_RUFF.items()
        for message in messages
        if any((path, line, message) in of_pylint for path, line, found in of_ruff if found == rule)
    }
    assert together == {(rule, message) for rule, messages in PYLINT_OF_RUFF.items() for message in messages}


def test_the_weaknesses_are_those_that_bandit_gives_its_tests(tool_environments: Environments) -> None:
    environment = tool_environments.ensure("scan", (packaged_lock("scan"),))
    package = environment.site_packages / "bandit"
    numbers = dict(
        re.findall(r"^    ([A-Z_]+) = (\d+)$", (package / "core/issue.py").read_text(encoding="utf-8"), re.M)
    )
    own: dict[int, set[int]] = {}
    for path in sorted((package / "plugins").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        for test in re.findall(r'test_id\("B(\d+)"\)', text):
            own[int(test)] = {int(numbers[name]) for name in re.findall(r"Cwe\.([A-Z_]+)", text)}
    for path in sorted((package / "blacklists").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        for test, name in re.findall(r'"B(\d+)",\s+issue\.Cwe\.([A-Z_]+)', text):
            own[int(test)] = {int(numbers[name])}
    assert own == {test: {cwe} for cwe, tests in BANDIT.items() for test in tests}
