"""Units of a source: the same however a formatter lays the code out, on every Python."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.source_units import LONGEST_STATEMENT, Unit, units

WRITTEN = '''"""A module."""
import os; import sys
if os.name == 'nt': sys.exit(1)


class Reader:
    def read(self, path, *, mode = 'r'):
        # A remark.
        with open(path, mode) as file: return file.read()   # another

    async def wait(self) -> None:
        call(first, second)
'''
FORMATTED = '''"""A module."""

import os
import sys

if os.name == "nt":
    sys.exit(1)


class Reader:
    def read(
        self,
        path,
        *,
        mode="r",
    ):
        # A remark.
        with open(path, mode) as file:
            return file.read()  # another

    async def wait(self) -> None:
        call(
            first,  # the first
            second,
        )
'''


def told(text: str) -> list[tuple[str, str]]:
    """The units by what is compared."""
    return [(unit.text, unit.scope) for unit in units("a.py", text)]


def test_a_formatter_changes_no_unit() -> None:
    assert told(WRITTEN) == told(FORMATTED)


def test_a_statement_is_a_unit_with_the_scope_around_it() -> None:
    assert told(FORMATTED)[5:] == [
        ("classReader:", ""),
        ("defreadselfpath*mode=r:", "Reader"),
        ("withopenpathmodeasfile:", "Reader.read"),
        ("returnfile.read", "Reader.read"),
        ("asyncdefwaitself->None:", "Reader"),
        ("callfirstsecond", "Reader.wait"),
    ]


def test_a_unit_knows_where_it_stands() -> None:
    second = units("a.py", "a = 1; b = (\n    2\n)\n")[1]
    assert second == Unit(first=1, column=7, last=3, text="b=2")


@pytest.mark.parametrize("text", ["def broken(:\n  x\n", "a = (\n", "  a\n b\n", "x = '''\nopen\n"])
def test_python_that_is_none_is_taken_line_by_line(text: str) -> None:
    lines = [line for line in text.splitlines() if line.strip(" ()'")]
    assert len(units("a.py", text)) == len(lines)


def test_other_files_are_taken_line_by_line() -> None:
    text = "a: 'b'\n\n  c: d\r\n"
    assert [(unit.first, unit.text) for unit in units("a.yml", text)] == [(1, "a:b"), (3, "c:d")]


def test_a_long_statement_is_a_unit_a_line() -> None:
    rows = "".join(f"    'key{number}': 'a value that is not short {number}',\n" for number in range(20))
    found = units("a.py", f"TABLE = {{\n{rows}}}\nx = 1\n")
    assert len(found) == 1 + 20 + 1 + 1
    assert found[1].text == "key0:avaluethatisnotshort0"
    assert sum(len(unit.text) for unit in found) > LONGEST_STATEMENT


def test_a_comment_sign_in_a_text_is_no_comment() -> None:
    assert told("x = '# no' # yes\n") == [("x=#no", "")]


def test_a_lambda_in_a_head_does_not_end_it() -> None:
    assert told("if (lambda: 1)() or f(lambda: 2):\n    pass\n")[0][0] == "iflambda:1orflambda:2:"


def test_line_ends_of_any_kind_are_the_same() -> None:
    assert told(FORMATTED) == told(FORMATTED.replace("\n", "\r\n"))


@given(st.text(max_size=60), st.sampled_from(["a.py", "a.txt"]))
def test_every_text_has_units_in_order(text: str, path: str) -> None:
    found = units(path, text)
    assert all(unit.text and unit.first <= unit.last for unit in found)
    assert [(u.first, u.column) for u in found] == sorted((u.first, u.column) for u in found)
