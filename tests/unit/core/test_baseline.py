"""Known findings: the same one is known again wherever it has gone, and a second one never hides behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.baseline import Known, Matching, Print, counted, disposition, matched, prints
from pipeline.core.finding import Finding, Severity, State, with_fingerprints

CALL = "subprocess.call(line, shell=True)"
FIRST = f"def first(line):\n    start()\n    {CALL}\n    stop()\n"
SECOND = f"def second(line):\n    begin()\n    {CALL}\n    end()\n"
OTHER = "def other():\n    return 1\n"


def findings(text: str, path: str = "a.py") -> tuple[Finding, ...]:
    """A finding on each line that calls a shell, as bandit reports them."""
    return tuple(
        Finding(rule="B602", tool="bandit", severity=Severity.HIGH, message="A shell.", path=path, line=number,
                column=line.index("sub") + 1)
        for number, line in enumerate(text.splitlines(), 1)
        if "subprocess.call" in line
    )  # fmt: skip


def marks(text: str, path: str = "a.py") -> tuple[Print, ...]:
    """The prints of its findings."""
    return prints(findings(text, path), {path: text})


def new(before: str, after: str, *, renamed: str = "a.py") -> int:
    """How many of the findings in ``after`` are new against ``before``."""
    matching = matched(marks(after, renamed), counted(marks(before)))
    return sum(known is None for known in matching.accounted)


def gone(before: str, after: str) -> int:
    """How many of the known findings are left over."""
    return sum(known.count for known in matched(marks(after), counted(marks(before))).gone)


@pytest.mark.parametrize(
    "after",
    [
        OTHER + FIRST,
        f"# a remark\n\n\n{FIRST}",
        FIRST.replace("    start()\n", "    start()\n    check()\n"),
        FIRST.replace("    stop()\n", "    check()\n    stop()\n"),
        FIRST.replace("start()", "begin()").replace("stop()", "end()"),
        FIRST.replace("def first", "def renamed"),
        FIRST.replace(CALL, "subprocess.call(\n        line,\n        shell = True,\n    )"),
        "class Holder:\n" + "".join(f"    {line}\n" for line in FIRST.splitlines()),
        FIRST.replace(CALL, f"{CALL}  # a remark"),
    ],
    ids=["below another function", "below remarks", "line above", "line below", "other neighbours", "renamed function",
         "wrapped", "in a class", "with a remark"],
)  # fmt: skip
def test_a_finding_is_known_again(after: str) -> None:
    assert new(FIRST, after) == 0
    assert gone(FIRST, after) == 0


def test_a_renamed_file_changes_nothing() -> None:
    assert new(FIRST, FIRST, renamed="elsewhere/b.py") == 0


@pytest.mark.parametrize(
    "after",
    [
        FIRST.replace(f"    {CALL}\n", f"    {CALL}\n    {CALL}\n"),
        FIRST + SECOND,
        SECOND + FIRST,
        FIRST + FIRST,
    ],
)
def test_a_second_identical_finding_is_new(after: str) -> None:
    assert new(FIRST, after) == 1


def test_an_equal_line_elsewhere_does_not_take_the_place_of_one_that_was_mended() -> None:
    assert new(FIRST, FIRST.replace(CALL, "safe(line)") + SECOND) == 1
    assert gone(FIRST, FIRST.replace(CALL, "safe(line)") + SECOND) == 1


def test_a_changed_line_is_new() -> None:
    assert new(FIRST, FIRST.replace("(line,", "(other,")) == 1


def test_what_was_mended_is_gone() -> None:
    assert gone(FIRST + SECOND, FIRST) == 1
    assert gone(FIRST, FIRST) == 0


FUNCTIONS = st.lists(st.sampled_from([FIRST, SECOND, OTHER]), max_size=6)


@given(FUNCTIONS)
def test_against_itself_nothing_is_new_and_nothing_is_gone(parts: list[str]) -> None:
    text = "".join(parts)
    assert (new(text, text), gone(text, text)) == (0, 0)


@given(FUNCTIONS, FUNCTIONS)
def test_never_are_more_accounted_for_than_were_known(before: list[str], after: list[str]) -> None:
    old, now = "".join(before), "".join(after)
    assert new(old, now) >= len(findings(now)) - len(findings(old))
    assert len(findings(old)) - gone(old, now) == len(findings(now)) - new(old, now)


@given(FUNCTIONS, st.integers(0, 6))
def test_one_more_is_exactly_one_more(parts: list[str], at: int) -> None:
    text = "".join(parts)
    more = "".join((*parts[:at], FIRST, *parts[at:]))
    assert new(text, more) == 1


def package(name: str, version: str, rule: str = "CVE-1") -> Finding:
    """A vulnerability of a package."""
    return Finding(
        rule=rule, tool="pip-audit", severity=Severity.HIGH, message="Bad.", path="requirements.txt", line=3,
        package=name, version=version,
    )  # fmt: skip


def test_a_package_is_known_by_its_name_whatever_its_version_or_line() -> None:
    known = counted(prints([package("flask", "1.0")], {"requirements.txt": "a\nb\nflask==1.0\n"}))
    now = prints(
        [replace(package("flask", "1.1"), line=9), package("jinja2", "1.0"), package("flask", "1.1", "CVE-2")], {}
    )
    assert [item is not None for item in matched(now, known).accounted] == [True, False, False]


def test_a_finding_without_source_is_known_by_its_file_and_message_without_numbers() -> None:
    def about(path: str, message: str) -> Finding:
        return Finding(rule="R", tool="t", severity=Severity.LOW, message=message, path=path)

    known = counted(prints([about("a.bin", "301 of 300.")], {}))
    now = prints([about("a.bin", "305 of 300."), about("b.bin", "301 of 300."), about("a.bin", "Other.")], {})
    assert [item is not None for item in matched(now, known).accounted] == [True, False, False]


def test_a_finding_on_a_remark_stands_between_its_neighbours() -> None:
    def remark(text: str) -> tuple[Print, ...]:
        line = next(number for number, row in enumerate(text.splitlines(), 1) if "later" in row)
        found = Finding(rule="W0511", tool="pylint", severity=Severity.MEDIUM, message="x", path="a.py", line=line)
        return prints([found], {"a.py": text})

    known = counted(remark("a = 1\n\n# later: mend\nb = 2\n"))
    assert matched(remark("a = 1\nc = 3\n    # later: mend\nb = 2\n"), known).accounted[0] is not None
    assert matched(remark("c = 1\n# later: mend\nd = 2\n"), known).accounted[0] is None


def test_a_line_beyond_the_file_or_without_a_column_is_no_trouble() -> None:
    found = [Finding(rule="R", tool="t", severity=Severity.LOW, message="x", path="a.py", line=n) for n in (1, 2, 99)]
    assert len(prints(found, {"a.py": "def f():\n    a = 1; b = 2\n"})) == 3


def test_of_several_units_on_a_line_the_column_decides() -> None:
    def at(column: int) -> Print:
        found = Finding(rule="R", tool="t", severity=Severity.LOW, message="x", path="a.py", line=1, column=column)
        return prints([found], {"a.py": "a = 1; b = 2\n"})[0]

    assert at(1).line_hash != at(8).line_hash
    assert at(8).line_hash == at(12).line_hash


def test_equal_prints_are_counted_together_and_a_count_is_at_least_one() -> None:
    same = marks(f"{CALL}\n{CALL}\n{CALL}\n{CALL}\n")
    assert sorted(known.count for known in counted(same)) == [1, 1, 2]
    with pytest.raises(ValueError, match="at least once"):
        Known(print=same[0], count=0)


def test_the_disposition_calls_existing_what_is_accounted_for() -> None:
    named: Sequence[Finding] = with_fingerprints(findings(FIRST + SECOND))
    known = Known(print=marks(FIRST)[0], count=1)
    state = disposition(named, Matching(accounted=(known, None)))
    assert [state(finding) for finding in named] == [State.EXISTING, State.NEW]
