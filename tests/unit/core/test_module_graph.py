"""Whose change is seen by whom."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.module_facts import Facts, facts_of
from pipeline.core.module_graph import graph_of, reached, within_reach

TREE = {
    "src/app/__init__.py": "",
    "src/app/core.py": "X = 1\n",
    "src/app/web.py": "from app import core\n",
    "src/app/sub/__init__.py": "",
    "src/app/sub/deep.py": "from .. import core\nfrom . import twin\n",
    "src/app/sub/twin.py": "from app.sub.deep import Y\n",
    "tests/test_web.py": "import app.web\n",
    "tests/alone.py": "import os\n",
    "script": "import core\n",
}


def known(tree: Mapping[str, str]) -> dict[str, Facts]:
    found = {path: facts_of(source.encode()) for path, source in tree.items()}
    return {path: facts for path, facts in found.items() if facts is not None}


def who_sees(changed: str, tree: Mapping[str, str] | None = None) -> set[str]:
    """The files whose digest is another one after a change of one file."""
    before = known(tree or TREE)
    after = known({**(tree or TREE), changed: (tree or TREE)[changed] + "CHANGED = 1\n"})
    one, other = reached(before, graph_of(before)), reached(after, graph_of(after))
    return {path for path in one if one[path] != other[path]}


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ("tests/alone.py", {"tests/alone.py"}),
        ("src/app/web.py", {"src/app/web.py", "tests/test_web.py"}),
        ("src/app/sub/twin.py", {"src/app/sub/twin.py", "src/app/sub/deep.py"}),
        ("src/app/core.py", set(TREE) - {"src/app/__init__.py", "src/app/sub/__init__.py", "tests/alone.py"}),
        ("src/app/sub/__init__.py", {"src/app/sub/__init__.py", "src/app/sub/deep.py", "src/app/sub/twin.py"}),
    ],
)
def test_a_change_is_seen_by_all_that_reach_it_through_imports(changed: str, seen: set[str]) -> None:
    assert who_sees(changed) == seen


def test_a_module_that_is_an_attribute_of_a_package_is_reached_without_an_import_of_its_own() -> None:
    tree = {**TREE, "tests/by_attribute.py": "import app\n\nprint(app.core.X)\n"}
    assert "tests/by_attribute.py" in who_sees("src/app/core.py", tree)
    assert "tests/by_attribute.py" not in who_sees("src/app/web.py", tree)


def test_what_stands_behind_a_star_may_be_a_module() -> None:
    tree = {**TREE, "tests/star.py": "from app import *\n\nprint(core.X.real, sub.twin)\n"}
    assert "tests/star.py" in who_sees("src/app/sub/twin.py", tree)


def test_relative_imports_beyond_the_root_lead_nowhere() -> None:
    graph = graph_of(known({"a.py": "from ... import b\n", "b.py": ""}))
    assert graph["b.py"] == frozenset()


def test_everything_within_reach_is_found() -> None:
    graph = graph_of(known(TREE))
    assert within_reach(graph, ["tests/alone.py"]) == {"tests/alone.py"}
    assert within_reach(graph, ["tests/test_web.py"]) == {
        "tests/test_web.py", "src/app/web.py", "src/app/core.py", "src/app/__init__.py",
    }  # fmt: skip


@given(st.dictionaries(st.integers(0, 9), st.sets(st.integers(0, 9), max_size=4), min_size=10, max_size=10), st.data())
def test_in_any_graph_a_change_is_seen_by_exactly_those_that_reach_it(
    imports: dict[int, set[int]], data: st.DataObject
) -> None:
    tree = {f"m{n}.py": "".join(f"import m{other}\n" for other in sorted(others)) for n, others in imports.items()}
    changed = f"m{data.draw(st.integers(0, 9))}.py"
    graph = graph_of(known(tree))
    assert who_sees(changed, tree) == {path for path in tree if changed in within_reach(graph, [path])}


def test_a_long_chain_is_no_trouble() -> None:
    tree = {f"m{n}.py": f"import m{n + 1}\n" for n in range(3000)}
    assert len(who_sees("m2999.py", tree)) == 3000
