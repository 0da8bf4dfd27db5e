"""The list of what an image is made of: it survives a report, and its digest is about content alone."""

from __future__ import annotations

import json

import pytest

from pipeline.core.image_inputs import ImageInput, InputKind, Making, as_details, read_inputs, source_digest
from pipeline.core.snapshot import Entry, Kind

WHEEL = ImageInput(kind=InputKind.WHEEL, name="flask.whl", sha256="a" * 64, version="3.1", uri="pkg:pypi/flask@3.1")
SOURCE = ImageInput(kind=InputKind.SOURCE, name="image sources", sha256="b" * 64)


def test_the_list_is_read_back_from_json_as_it_was_written() -> None:
    making = Making(created="2026-01-01T00:00:00Z", compressor="c-1", compressed_bytes=5, not_reproducible=("No.",))
    details = json.loads(json.dumps(as_details([WHEEL, SOURCE], making)))
    assert tuple(read_inputs(details)) == (WHEEL, SOURCE)
    assert details["making"]["not_reproducible"] == ["No."]
    assert not list(read_inputs({}))


@pytest.mark.parametrize("item", [{"kind": "else", "name": "x", "sha256": ""}, {"name": "x"}, {"kind": "wheel"}])
def test_what_is_no_input_is_refused(item: dict[str, str]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        list(read_inputs({"inputs": [item]}))


def test_the_digest_of_the_sources_changes_with_any_of_them_and_not_with_their_order() -> None:
    one, two = Entry(path="a", kind=Kind.FILE, digest="1"), Entry(path="b", kind=Kind.FILE, digest="2")
    digest = source_digest([one, two])
    assert digest == source_digest([two, one])
    others = (Entry(path="c", kind=Kind.FILE, digest="2"), Entry(path="b", kind=Kind.EXECUTABLE, digest="2"))
    assert len({digest, source_digest([one]), *(source_digest([one, other]) for other in others)}) == 4
