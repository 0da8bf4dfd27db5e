"""A docker-archive read layer by layer."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from pipeline.core.image_tree import NodeKind
from pipeline.errors import EngineTrouble
from pipeline.images.contents import read_contents
from pipeline.images.layers import LARGEST_KEPT, extract, history, read_tree
from tests.docker_archives import Member, archive, layer

LOWER: tuple[Member, ...] = (
    ("app", None, 0o755),
    ("app/key", b"old", 0o600),
    ("./bin/run", b"#!/bin/x\n", 0o4755),
    ("bin/same", "=bin/run"),
    ("bin/link", "run"),
)
UPPER: tuple[Member, ...] = (("app/.wh.key", b"", 0o644), ("app/new", b"new", 0o644))


def test_every_node_has_its_kind_mode_content_and_layer() -> None:
    tree = read_tree(io.BytesIO(archive([layer(*LOWER), layer(*UPPER)])), lambda path: path == "app/new")
    nodes = tree.nodes
    assert (nodes["app"].kind, nodes["bin/link"].kind, nodes["bin/link"].target) == (
        NodeKind.FOLDER, NodeKind.LINK, "run",
    )  # fmt: skip
    assert (nodes["bin/run"].mode, nodes["bin/same"].mode) == (0o4755, 0o4755)
    assert nodes["bin/same"].head == b"#!/bin/x\n" and nodes["bin/run"].content == b""
    assert (nodes["app/new"].content, nodes["app/new"].layer, nodes["app/new"].head) == (b"new", 1, b"")
    assert [(node.path, node.layer) for node in tree.buried] == [("app/key", 0)]


def test_it_agrees_with_the_other_reader() -> None:
    stream = io.BytesIO(archive([layer(*LOWER), layer(*UPPER)]))
    files = read_contents(stream).files
    tree = read_tree(stream, lambda path: False)
    ours = {path: (n.mode, n.sha256, n.target) for path, n in tree.nodes.items() if n.kind is not NodeKind.FOLDER}
    assert ours == {path: (file.mode, file.sha256, file.target) for path, file in files.items()}


def test_what_is_too_large_is_not_kept() -> None:
    big = b"x" * (LARGEST_KEPT + 1)
    node = read_tree(io.BytesIO(archive([layer(("big", big, 0o644))])), lambda path: True).nodes["big"]
    assert (node.size, node.content) == (len(big), b"")


def test_files_of_any_layer_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    stream = io.BytesIO(archive([layer(*LOWER), layer(*UPPER)]))
    wanted = {(0, "app/key"), (0, "bin/same")}
    extract(stream, wanted, lambda number, path: tmp_path / f"{number}-{path.replace('/', '_')}")
    assert (tmp_path / "0-app_key").read_bytes() == b"old"
    assert (tmp_path / "0-bin_same").read_bytes() == b"#!/bin/x\n"


def test_a_file_that_is_not_there_any_more_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(EngineTrouble, match="lost 1 of its files"):
        extract(io.BytesIO(archive([layer()])), {(0, "gone")}, lambda number, path: tmp_path / "x")


def test_no_archive_is_trouble(tmp_path: Path) -> None:
    broken = io.BytesIO(b"nothing")
    with pytest.raises(EngineTrouble, match="can't be read"):
        read_tree(broken, lambda path: False)
    with pytest.raises(EngineTrouble, match="can't be read"):
        history(broken)
    with pytest.raises(EngineTrouble, match="can't be read"):
        extract(broken, {(0, "x")}, lambda number, path: tmp_path / "x")


def test_the_history_is_what_the_configuration_tells() -> None:
    assert not history(io.BytesIO(archive([layer()])))
    told = json.dumps({"history": [{"created_by": "RUN x", "author": "me"}, {"comment": "c"}]}).encode()
    manifest = json.dumps([{"Config": "config.json", "Layers": []}]).encode()
    whole = layer(("manifest.json", manifest, 0o644), ("config.json", told, 0o644))
    assert [step.split() for step in history(io.BytesIO(whole))] == [["RUN", "x", "me"], ["c"]]
