"""What must run is read from the source alone, and agrees with what the real pytest collects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.expected_tests import functions_in, is_test_file

CORPUS = b"""\
import functools
import sys
import unittest

import pytest


def test_plain(): ...
async def test_async(): ...
def testWithoutUnderscore(): ...
def helper(): ...
@pytest.fixture
def test_fixture(): ...
@pytest.fixture(name="other")
def test_named_fixture(): ...
@pytest.mark.usefixtures("other")
def test_that_uses_a_fixture(): ...
@pytest.mark.parametrize("x", [1, 2])
def test_parametrised(x): ...


class TestClass:
    def test_method(self): ...
    def helper(self): ...
    @staticmethod
    def test_static(): ...

    class TestInner:
        def test_inner(self): ...


class TestGuest:
    __test__ = False
    def __init__(self): ...


class TestContract:
    __test__ = False
    def test_never(self): ...


class TestInherits(TestContract):
    __test__ = True
    def test_own(self): ...


class NotATest:
    def test_never(self): ...


class Case(unittest.TestCase):
    def test_unit(self): ...


class Later(unittest.IsolatedAsyncioTestCase):
    async def test_later(self): ...


if sys.version_info >= (3, 11):
    def test_in_a_branch(): ...
else:
    def test_in_a_branch(): ...

try:
    import nothing_of_this_name
except ImportError:
    def test_in_a_handler(): ...
else:
    def test_in_a_handler(): ...

for _ in range(1):
    def test_in_a_loop(): ...

match 1:
    case 1:
        def test_in_a_case(): ...
"""


def test_it_agrees_with_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_corpus.py").write_bytes(CORPUS)
    command = (
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir=.",
    )
    listing = subprocess.run(
        (*command, "test_corpus.py"), cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    collected = {line.partition("[")[0] for line in listing.splitlines() if line.startswith("test_corpus.py::")}
    inherited = {"test_corpus.py::TestInherits::test_never"}
    assert set(functions_in("test_corpus.py", CORPUS)) == collected - inherited
    assert "test_corpus.py::test_in_a_handler" in collected


def test_a_second_definition_hides_the_first() -> None:
    source = (
        b"def test_a(): ...\nclass TestB:\n    def test_c(self): ...\n    def test_c(self): ...\ndef test_a(): ...\n"
    )
    assert functions_in("t.py", source) == (
        "t.py::test_a",
        "t.py::TestB::test_c",
        "t.py::TestB::test_c (hidden)",
        "t.py::test_a (hidden)",
    )


def test_branches_do_not_hide_each_other_and_a_later_definition_hides_both() -> None:
    branches = b"if x:\n    def test_a(): ...\nelse:\n    def test_a(): ...\n"
    assert functions_in("t.py", branches) == ("t.py::test_a",)
    assert functions_in("t.py", branches + b"def test_a(): ...\n") == ("t.py::test_a", "t.py::test_a (hidden)")
    within = b"if x:\n    def test_a(): ...\n    def test_a(): ...\n"
    assert functions_in("t.py", within) == ("t.py::test_a", "t.py::test_a (hidden)")


@pytest.mark.parametrize(
    "source",
    [
        b"def test_a(:\n",
        b"def test_a(): ...\0",
        b"# coding: no-such-encoding\ndef test_a(): ...\n",
        b"x = '\xff'\n",
        b"x = " + b"(" * 5000 + b")" * 5000,
        b"x = " + b"-" * 100_000 + b"1",
    ],
)
def test_a_file_that_can_not_be_parsed_is_expected_itself(source: bytes) -> None:
    assert functions_in("tests/test_a.py", source) == ("tests/test_a.py",)


@pytest.mark.parametrize("head", [b"\xef\xbb\xbf", b"# -*- coding: latin-1 -*-\nx = '\xff'\n", b"x = '\\d'\n"])
def test_marks_of_order_encodings_and_bad_escapes_do_not_matter(head: bytes) -> None:
    assert functions_in("t.py", head + b"def test_a(): ...\n") == ("t.py::test_a",)


@pytest.mark.parametrize(
    "source",
    [
        b"__test__ = False\ndef test_a(): ...\n",
        b"class TestB:\n    __test__: bool = False\n    def test_a(self): ...\n",
        b"class TestB:\n    def __init__(self): ...\n    def test_a(self): ...\n",
        b"class TestB:\n    def __new__(cls): ...\n    def test_a(self): ...\n",
    ],
)
def test_what_pytest_passes_over_without_a_failure_is_expected(source: bytes) -> None:
    assert len(functions_in("t.py", source)) == 1


@pytest.mark.parametrize("line", ["__test__ = False", "__test__: bool = False"])
def test_a_class_that_others_inherit_from_can_opt_out(line: str) -> None:
    source = f"class TestB:\n    {line}\n    def test_a(self): ...\nclass TestC(TestB): ...\n"
    assert not functions_in("t.py", source.encode())


@pytest.mark.parametrize("line", ["__test__ = True", "x = False", "__test__: bool", "__test__ = []"])
def test_other_assignments_do_not_opt_out(line: str) -> None:
    source = f"class TestB:\n    {line}\n    def test_a(self): ...\nclass TestC(TestB): ...\n"
    assert functions_in("t.py", source.encode()) == ("t.py::TestB::test_a",)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/test_a.py", True),
        ("a_test.py", True),
        ("tests/conftest.py", False),
        ("test_a/helper.py", False),
        ("tests/test_a.txt", False),
    ],
)
def test_a_test_file_is_known_by_its_name(path: str, expected: bool) -> None:
    assert is_test_file(path) is expected
