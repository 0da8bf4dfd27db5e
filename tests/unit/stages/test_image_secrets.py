"""Credentials in an image's layers, hidden files too, and in what the image says of itself."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.containers import Image
from pipeline.images.layers import read_tree
from pipeline.settings import Settings
from pipeline.stages import image_secrets
from pipeline.stages.context import Context
from pipeline.stages.image_secrets import Searchable, Searched, search
from tests.docker_archives import Member, archive, layer
from tests.fake_scanner import FakeScanner
from tests.support import ALLOW, KEY_ID, PASSWORD, make_context, write_files
from tests.unit.stages.build_kit import SOUND

KEY = f"aws = {KEY_ID}\n".encode()


def searched(
    folder: Path,
    *layers: Sequence[Member],
    base: int = 0,
    known: frozenset[str] = frozenset(),
    history: tuple[str, ...] = (),
    image: Image = SOUND,
    scanner: FakeScanner | None = None,
) -> tuple[Searched, Context]:
    """What the search of an image with these layers finds."""
    path = folder / "image.tar"
    path.write_bytes(archive([layer(*members) for members in layers]))
    tree = read_tree(io.BytesIO(path.read_bytes()), lambda path: False)
    tree_folder = write_files(folder / "tree", {"a.py": ""})
    context = make_context(folder / "run", tree_folder, Settings(), processes=scanner or FakeScanner())
    subject = Searchable(image=image, tree=tree, archive=path, history=history, known=known, base_layers=base)
    return search(context, subject), context


def told(result: Searched) -> list[tuple[str, str]]:
    """Rules and messages."""
    return [(hit.rule, hit.message) for hit in result.hits]


def test_a_clean_image_is_searched_to_its_end_with_controls_caught(tmp_path: Path) -> None:
    result, _ = searched(tmp_path, [("app/a.py", b"x = 1\n", 0o644)])
    assert (result.hits, result.finished, result.files, result.doubts) == ((), True, 1, ())
    assert [control.caught for control in result.controls] == [True, True]
    assert [tool.name for tool in result.tools] == ["detect-secrets"]


def test_a_credential_in_a_file_is_found_and_masked_from_now_on(tmp_path: Path) -> None:
    result, context = searched(tmp_path, [("app/key.txt", KEY, 0o644)])
    message = "/app/key.txt holds what looks like a credential (aws access key, line 1)."
    assert told(result) == [("IMG-LAYER-SECRET", message)]
    assert KEY_ID not in context.ports.redact(f"it is {KEY_ID}")


def test_a_credential_in_a_file_that_a_later_layer_deletes_is_found(tmp_path: Path) -> None:
    result, _ = searched(tmp_path, [("app/key.txt", KEY, 0o644)], [("app/.wh.key.txt", b"", 0o644)])
    message = "/app/key.txt, which a later layer hides, holds what looks like a credential (aws access key, line 1)."
    assert [(hit.message, hit.layer) for hit in result.hits] == [(message, 0)]


def test_a_credential_in_a_file_that_a_later_layer_replaces_is_found(tmp_path: Path) -> None:
    result, _ = searched(tmp_path, [("app/c", KEY, 0o644)], [("app/c", b"clean", 0o644)])
    assert [hit.layer for hit in result.hits] == [0] and "a later layer hides" in result.hits[0].message


def test_files_that_are_known_or_the_bases_are_not_read_again(tmp_path: Path) -> None:
    tree = read_tree(io.BytesIO(archive([layer(("k", KEY, 0o644))])), lambda path: False)
    known = frozenset(node.sha256 for node in tree.files)
    result, _ = searched(tmp_path, [("base", KEY + b"x", 0o644)], [("app/k", KEY, 0o644)], base=1, known=known)
    assert (result.hits, result.files) == ((), 0)
    assert [item.what for item in result.not_checked] == ["the texts of the base image's layers"]


def test_what_is_not_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_secrets, "LARGEST", 50)
    members: list[Member] = [
        ("app/large", KEY * 9, 0o644),
        ("app/binary", b"\0" + KEY, 0o644),
        ("app/x.pyc", KEY, 0o644),
        ("app/utf16", "x = 1".encode("utf-16"), 0o644),
    ]
    result, _ = searched(tmp_path, members)
    assert (result.hits, result.files) == ((), 1)
    assert [item.what for item in result.not_checked] == [
        "/app/large in layer 0",
        "Python bytecode in the image's layers",
        "binary files in the image's layers",
    ]


def test_the_history_labels_and_variables_are_searched(tmp_path: Path) -> None:
    image = replace(
        SOUND,
        labels={"note": f"password={PASSWORD}"},
        configuration={**SOUND.configuration, "Env": [f"URL=x?password={PASSWORD}-2", f"DB_PASSWORD={PASSWORD}-3"]},
    )
    history = ("RUN make", f"RUN |1\nX={KEY_ID} /bin/sh -c make")
    result, _ = searched(tmp_path, [], image=image, history=history)
    assert [(hit.rule, hit.message, hit.keyword, hit.about) for hit in result.hits] == [
        ("IMG-BUILD-SECRET", f"The image's {what} holds what looks like a credential ({kind}).", keyword, about)
        for what, kind, keyword, about in (
            ("history", "aws access key", "RUN", ""),
            ("label note", "secret keyword", "LABEL", "note"),
            ("variable URL", "secret keyword", "ENV", "URL"),
        )
    ]


def test_a_file_that_keeps_the_scanner_quiet_is_told(tmp_path: Path) -> None:
    result, _ = searched(tmp_path, [("app/k.txt", KEY.rstrip() + f"  # {ALLOW}\n".encode(), 0o644)])
    assert not result.hits
    assert [item.what for item in result.not_checked] == ["/app/k.txt"]


def test_a_scanner_that_read_less_leaves_doubt(tmp_path: Path) -> None:
    def shorter(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "files": document["files"][1:]}

    result, _ = searched(tmp_path, [("a", b"x", 0o644)], scanner=FakeScanner(spoil=shorter))
    assert (result.finished, result.doubts) == (
        False, ("The secret scanner did not read 1 files of the image's layers.",),
    )  # fmt: skip


def test_a_scanner_that_catches_nothing_is_not_believed(tmp_path: Path) -> None:
    def blind(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "candidates": []}

    result, _ = searched(tmp_path, [("a", b"x", 0o644)], scanner=FakeScanner(spoil=blind))
    assert [control.caught for control in result.controls] == [False, False]


def test_a_scanner_that_fails_is_a_doubt(tmp_path: Path) -> None:
    result, _ = searched(tmp_path, [], scanner=FakeScanner(spoil=lambda document: {}))
    assert not result.finished and "were not searched for credentials" in result.doubts[0]
