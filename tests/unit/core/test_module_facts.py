"""What is read from a module's source for the sake of others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.module_facts import Facts, facts_of, from_text

SOURCE = "import a.b\nfrom . import c\nfrom ..d import e as f, g\n\n\ndef h(x):\n    return x.total\n"


def facts(source: str) -> Facts:
    found = facts_of(source.encode())
    assert found is not None
    return found


def test_imports_bound_names_and_attributes_are_found_wherever_they_stand() -> None:
    found = facts(SOURCE + "    import late as later\n\n\nfrom star import *\n")
    assert found.imports == (".", "..d", "..d.e", "..d.g", ".c", "a.b", "late", "star")
    assert found.bound == ("..d.e", "..d.g", ".c", "a", "a.b", "late", "star")
    assert found.attributes == ("total",)


@given(st.lists(st.integers(0, 7), max_size=4), st.sampled_from(["# a comment", "", "   # pylint: disable=all"]))
def test_comments_and_empty_lines_change_nothing_that_others_see(places: list[int], line: str) -> None:
    lines = SOURCE.splitlines()
    for place in places:
        lines.insert(place, line)
    assert facts("\n".join(lines)) == facts(SOURCE)


@pytest.mark.parametrize(
    "changed",
    [
        SOURCE.replace("x.total", "x.sum"), SOURCE + "i = 1\n", SOURCE.replace("as f", "as z"),
        SOURCE.replace("def h(x):\n    return x.total", "def h(x): return x.total"),
        SOURCE.replace("def h(x):", 'def h(x):\n    """Explained."""'),
    ],
)  # fmt: skip
def test_everything_else_does(changed: str) -> None:
    assert facts(changed).shape != facts(SOURCE).shape


def test_a_type_comment_is_more_than_a_comment() -> None:
    assert facts("x = []  # type: list[int]\n").shape != facts("x = []\n").shape


@pytest.mark.parametrize(
    ("source", "meddles"),
    [
        ("class A:\n    def b(self):\n        self.c = 1\n        self.c += 1\n", False),
        ("class A:\n    @classmethod\n    def b(cls):\n        cls.c = 1\n", False),
        ("import d\nd.c = 1\n", True),
        ("def b(e):\n    e.c += 1\n", True),
        ("class A:\n    def b(self):\n        self.d.c = 1\n", True),
        ("def b(e):\n    for e.c in ():\n        pass\n", True),
        ("import d\nself = d\nself.c = 1\n", True),
        ("def b(e):\n    (e.c, _) = 1, 2\n", True),
        ("print(d.c)\n", False),
    ],
)
def test_who_assigns_to_another_object_s_attribute_meddles(source: str, meddles: bool) -> None:
    assert facts(source).meddles is meddles


@pytest.mark.parametrize("source", [b"def f(:\n", b"x = '\xff'\n", b"x = 1\0\n", b"(" * 5000])
def test_of_a_source_that_can_t_be_parsed_nothing_is_known(source: bytes) -> None:
    assert facts_of(source) is None


def test_facts_can_be_kept() -> None:
    assert from_text(facts(SOURCE).text()) == facts(SOURCE)
