"""A tool's configuration as tables: either spelling of a key, its line, and nothing of a broken text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.configuration_texts import Table, ancestors, ini_table, joined, toml_table

TOML = """[tool.pylint.main]
fail_under = 9
[tool.pylint."messages control"]
disable = ["a", "b"]
[tool.ruff.lint.per-file-ignores]
"x" = ["E"]
[tool.other]
dotted.key = 1
"""


def pylint(text: str = TOML) -> Table | None:
    """pylint's table of a text."""
    return toml_table({"p.toml": text}, "p.toml", "tool", "pylint", within=("main", "messages control"))


def test_a_key_is_found_in_either_spelling_with_its_line() -> None:
    table = pylint()
    assert table is not None
    assert (table.number("fail-under"), table.line("fail-under")) == (9.0, 2)
    assert (table.words("disable"), table.line("disable")) == (("a", "b"), 4)
    assert table.line("absent") == 0


def test_a_table_of_its_own_has_the_line_of_its_head() -> None:
    ruff = toml_table({"p.toml": TOML}, "p.toml", "tool", "ruff", within=("lint",))
    assert ruff is not None
    assert ruff.line("per-file-ignores") == 5
    assert Table(path="p.toml", text=TOML).line("key") == 8


@pytest.mark.parametrize("text", ["[tool", "tool = 1", "", "[tool]\npylint = 1\n", "[other]\n"])
def test_what_is_not_there_or_not_readable_is_no_table(text: str) -> None:
    assert pylint(text) is None
    assert toml_table({}, "p.toml", "tool") is None


def test_sections_of_an_ini_file_are_one_table() -> None:
    text = "[pylint]\njobs = 1\n[pylint.main]\ndisable =\n    a,\n    b\nflag\n[flake8]\nx = 1\n"
    table = ini_table({"setup.cfg": text}, "setup.cfg", re.compile(r"pylint(\..*)?"))
    assert table is not None
    assert (table.words("disable"), table.number("jobs"), table.line("disable")) == (("a", "b"), 1.0, 4)
    assert "x" not in table.values
    assert not table.words("flag")


@pytest.mark.parametrize("text", ["no section\n", "[other]\n", ""])
def test_an_ini_file_without_the_section_is_no_table(text: str) -> None:
    assert ini_table({"a.ini": text}, "a.ini", re.compile("pytest")) is None
    assert ini_table({}, "a.ini", re.compile("pytest")) is None


@pytest.mark.parametrize(
    ("value", "number", "switch"),
    [
        ("0", 0.0, False),
        ("x", None, False),
        (True, None, True),
        (1.5, 1.5, False),
        ("yes", None, True),
        ([1], None, False),
    ],
)
def test_numbers_and_switches_are_read_as_toml_and_ini_write_them(
    value: object, number: float | None, switch: bool
) -> None:
    table = Table(path="a", values={"k": value})
    assert (table.number("k"), table.switch("k")) == (number, switch)


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=3), min_size=1, max_size=4))
def test_the_folders_of_a_file_lead_to_the_root(parts: list[str]) -> None:
    path = "/".join(parts)
    folders = list(ancestors(path))
    assert folders[-1] == ""
    assert len(folders) == len(parts)
    assert joined(folders[0], parts[-1]) == path
    assert Table(path=path).folder == folders[0]
