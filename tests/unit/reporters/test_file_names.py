"""Tools and stages may be called anything; their files lie in one folder, apart from each other."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporters.file_names import file_names
from tests.samples import TEXT


def test_a_plain_name_is_the_file_s_and_another_one_gives_way() -> None:
    names = file_names(["Container Log", "container-log", "ruff", "../ruff", "", "..", "é"])
    assert names["ruff"] == "ruff" and names["container-log"] == "container-log"
    assert names["Container Log"].startswith("container-log-") and names["../ruff"].startswith("ruff-")
    assert names[""].startswith("other-") and names[".."].startswith("other-")


def test_a_name_that_somebody_has_foreseen_is_not_given_twice() -> None:
    made = file_names(["a", "A"])["A"]
    assert len(set(file_names(["a", "A", made]).values())) == 3


@given(st.lists(TEXT, max_size=8))
def test_every_title_has_a_plain_name_of_its_own(titles: list[str]) -> None:
    names = file_names(titles)
    assert set(names) == set(titles)
    assert len(set(names.values())) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_][a-z0-9._-]{0,80}", name, re.A) for name in names.values())
