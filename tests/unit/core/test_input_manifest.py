"""The manifest of a stage's inputs: one digest for one content, and a sentence for each difference."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.input_manifest import PARTS, Manifest, changes, parsed, told

TEXTS = st.text(max_size=8)
MANIFESTS = st.builds(
    Manifest,
    stage=st.just("lint"),
    parts=st.dictionaries(st.sampled_from(PARTS), st.dictionaries(TEXTS, TEXTS, max_size=4)),
)


@given(MANIFESTS)
def test_it_reads_back_as_it_was(manifest: Manifest) -> None:
    again = parsed(manifest.text)
    assert again == manifest
    assert again.digest == manifest.digest
    assert manifest.text.isascii()


@given(MANIFESTS, MANIFESTS)
def test_two_have_one_digest_exactly_when_nothing_changed(one: Manifest, other: Manifest) -> None:
    same = {part: values for part, values in one.parts.items() if values} == {
        part: values for part, values in other.parts.items() if values
    }
    assert (not changes(one, other)) is same
    if one.parts == other.parts:
        assert one.digest == other.digest
    elif not same:
        assert one.digest != other.digest


@given(MANIFESTS)
def test_the_order_of_names_does_not_matter(manifest: Manifest) -> None:
    turned = {part: dict(sorted(values.items())[::-1]) for part, values in sorted(manifest.parts.items())[::-1]}
    assert Manifest(stage="lint", parts=turned).digest == manifest.digest


def lines(part: str, before: dict[str, str], after: dict[str, str]) -> tuple[str, ...]:
    return changes(Manifest(stage="s", parts={part: before}), Manifest(stage="s", parts={part: after}))


@pytest.mark.parametrize(
    ("part", "before", "after", "words"),
    [
        ("files", {}, {"a.py": "file 1"}, "a.py is new"),
        ("files", {"a.py": "file 1"}, {}, "a.py is gone"),
        ("files", {"a.py": "file 1"}, {"a.py": "file 2"}, "a.py has other content"),
        ("files", {"a.py": "file 1"}, {"a.py": "executable 1"}, "a.py was a file and is an executable file"),
        ("files", {"a.py": "link 1"}, {"a.py": "link 2"}, "a.py leads elsewhere"),
        ("settings", {"lint.x": "1"}, {"lint.x": "2"}, "the setting lint.x was 1 and is 2"),
        ("settings", {"lint.x": "1"}, {"lint.x": "2" * 90}, "the setting lint.x changed"),
        ("settings", {}, {"lint.x": "2"}, "the setting lint.x changed"),
        ("variables", {"TZ": ""}, {"TZ": "UTC"}, "the environment variable TZ changed"),
        ("locks", {"lint": "1"}, {"lint": "2"}, "the lock of the lint tools changed"),
        ("python", {"running": "1"}, {"running": "2"}, "Python (running) changed"),
        ("outside", {}, {"audit.kev": "2"}, "the file of audit.kev is new"),
        ("upstream", {"build.image_id": "1"}, {"build.image_id": "2"}, "build.image_id changed"),
        ("waivers", {"B101 of bandit": "1"}, {}, "the waiver of B101 of bandit is gone"),
    ],
)
def test_each_kind_of_change_is_told(part: str, before: dict[str, str], after: dict[str, str], words: str) -> None:
    assert lines(part, before, after) == (words,)


def test_many_changes_are_counted() -> None:
    found = lines("files", {}, {f"{number}.py": "file 1" for number in range(9)})
    assert told(found).endswith("and 3 more")


def test_a_summary_says_how_much() -> None:
    parts = {"files": {"a": "1", "b": "2"}, "settings": {"x": "1"}, "locks": {}, "code": {"c": "1"}}
    assert Manifest(stage="s", parts=parts).summary == "2 files, 1 setting, the pipeline's own code"
    everything = Manifest(stage="s", parts={part: {"x": "1"} for part in PARTS}).summary
    assert len(everything.split(", ")) == len(PARTS)


@pytest.mark.parametrize("text", ["", "{}", "[]", "1", '{"schema": "other", "stage": "s", "parts": {}}'])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parsed(text)


def test_names_that_are_not_utf_8_are_names() -> None:
    manifest = Manifest(stage="s", parts={"files": {"a\udcff.py": "file 1"}})
    assert parsed(manifest.text) == manifest
    assert json.loads(manifest.text)["parts"]["files"] == {"a\udcff.py": "file 1"}
