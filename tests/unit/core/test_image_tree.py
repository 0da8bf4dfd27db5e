"""Layers laid over each other, and paths followed through links."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.image_tree import ImageTree, Node, TreeBuilder
from tests.image_trees import file_node, folder_node, link_node, tree_of


def laid(*layers: list[Node]) -> ImageTree:
    """The tree of these layers."""
    builder = TreeBuilder()
    for layer in layers:
        builder.lay(layer)
    return builder.built(("sha256:a",) * len(layers))


def shown(tree: ImageTree) -> tuple[list[str], list[str]]:
    """What is seen, and what is hidden."""
    return sorted(tree.nodes), sorted(node.path for node in tree.buried)


def test_a_later_layer_hides_what_it_replaces() -> None:
    tree = laid([file_node("a", b"1")], [file_node("a", b"2", layer=1)])
    assert (tree.nodes["a"].content, [(n.path, n.layer) for n in tree.buried]) == (b"2", [("a", 0)])


def test_a_deleted_file_is_still_in_its_layer() -> None:
    tree = laid([file_node("app/key"), file_node("app/x")], [file_node("app/.wh.key", layer=1)])
    assert shown(tree) == (["app/x"], ["app/key"])
    assert {node.path for node in tree.every_file} == {"app/key", "app/x"}


def test_an_opaque_folder_hides_what_was_below_it_and_not_what_comes_with_it() -> None:
    tree = laid([folder_node("a"), file_node("a/old")], [file_node("a/new"), file_node("a/.wh..wh..opq")])
    assert shown(tree) == (["a", "a/new"], ["a/old"])


def test_a_deleted_folder_hides_all_that_was_in_it() -> None:
    tree = laid([folder_node("a"), file_node("a/b/c"), file_node("ab")], [file_node(".wh.a")])
    assert shown(tree) == (["ab"], ["a/b/c"])


def test_a_file_in_the_place_of_a_folder_hides_all_that_was_in_it() -> None:
    assert shown(laid([folder_node("a"), file_node("a/b")], [file_node("a")])) == (["a"], ["a/b"])


@given(st.lists(st.lists(st.sampled_from(["a", "b", "a/c", ".wh.a", "a/.wh.c", "a/.wh..wh..opq", "d"]), max_size=4)))
def test_no_file_of_any_layer_is_lost(names: list[list[str]]) -> None:
    layers = [[file_node(name, str(number).encode(), layer=number) for name in dict.fromkeys(layer)]
              for number, layer in enumerate(names)]  # fmt: skip
    tree = laid(*layers)
    put = {(n.path, n.layer) for layer in layers for n in layer if ".wh." not in n.path}
    assert {(node.path, node.layer) for node in tree.every_file} == put


LINKED = tree_of(
    folder_node("usr"),
    folder_node("usr/bin"),
    file_node("usr/bin/python3.13", b"x"),
    link_node("usr/bin/python3", "python3.13"),
    link_node("usr/bin/py", "/usr/bin/python3"),
    link_node("bin", "usr/bin"),
    link_node("up", "../../usr/bin/python3.13"),
    link_node("one", "two"),
    link_node("two", "one"),
    link_node("lost", "/nowhere"),
)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/bin/python3", "usr/bin/python3.13"),
        ("bin/py", "usr/bin/python3.13"),
        ("/up", "usr/bin/python3.13"),
        ("/one", None),
        ("/lost", "nowhere"),
        ("/usr/bin/../bin/py", "usr/bin/python3.13"),
        ("/../..", ""),
    ],
)
def test_links_are_followed_as_inside_the_image(path: str, place: str | None) -> None:
    assert LINKED.place(path) == place


def test_the_last_link_is_not_followed_where_it_is_asked_for() -> None:
    assert LINKED.place("/bin/python3", last=False) == "usr/bin/python3"
    assert LINKED.at("/one") is None and LINKED.at("/lost") is None
    assert LINKED.text("/bin/py") == "x" and LINKED.text("/lost") == ""
