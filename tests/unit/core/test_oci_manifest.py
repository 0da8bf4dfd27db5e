"""Manifests: what they name, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.containers import Manifest
from pipeline.core.oci_manifest import IMAGE_TYPES, INDEX_TYPES, digest_of, image_content, is_digest, matches, tag_from
from pipeline.errors import RegistryTrouble

CONFIGURATION = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(b"c"), "size": 1}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest_of(b"layer"), "size": 5}


def manifest(media_type: str = IMAGE_TYPES[0], **changes: Any) -> Manifest:
    document = {"schemaVersion": 2, "config": CONFIGURATION, "layers": [LAYER, LAYER], **changes}
    body = json.dumps(document).encode()
    return Manifest(digest=digest_of(body), media_type=media_type, body=body)


@pytest.mark.parametrize("media_type", IMAGE_TYPES)
def test_an_image_names_its_configuration_and_each_blob_once(media_type: str) -> None:
    content = image_content(manifest(media_type, mediaType=media_type))
    assert content.configuration.digest == CONFIGURATION["digest"]
    assert len(content.layers) == 2
    assert [blob.size for blob in content.blobs] == [1, 5]
    assert content.size == 6


@pytest.mark.parametrize(
    "changes",
    [
        {"config": None},
        {"layers": [{**LAYER, "digest": "sha256:short"}]},
        {"layers": [{**LAYER, "size": -1}]},
        {"layers": [{**LAYER, "size": "5"}]},
        {"layers": [{**LAYER, "urls": ["https://elsewhere.example"]}]},
        {"layers": 5},
    ],
)
def test_an_unsound_manifest_is_trouble(changes: dict[str, Any]) -> None:
    with pytest.raises(RegistryTrouble, match="not a sound"):
        image_content(manifest(**changes))


def test_an_index_and_a_type_that_contradicts_itself_are_trouble() -> None:
    for wrong in (manifest(INDEX_TYPES[0]), manifest(IMAGE_TYPES[0], mediaType=IMAGE_TYPES[1])):
        with pytest.raises(RegistryTrouble, match="where one image was expected"):
            image_content(wrong)
    for body in (b"[]", b"{", b"\xff"):
        with pytest.raises(RegistryTrouble, match="not a sound"):
            image_content(Manifest(digest=digest_of(body), media_type=IMAGE_TYPES[0], body=body))


@given(st.binary(min_size=1, max_size=50), st.data())
def test_every_changed_bit_is_noticed(body: bytes, data: st.DataObject) -> None:
    whole = Manifest(digest=digest_of(body), media_type=IMAGE_TYPES[0], body=body)
    place = data.draw(st.integers(0, len(body) * 8 - 1))
    changed = bytearray(body)
    changed[place // 8] ^= 1 << place % 8
    assert matches(whole)
    assert not matches(Manifest(digest=whole.digest, media_type=whole.media_type, body=bytes(changed)))


def test_digests_are_not_tags() -> None:
    assert is_digest(digest_of(b""))
    for text in ("latest", "sha256:abc", digest_of(b"") + "\n", "sha512:" + "0" * 128):
        assert not is_digest(text)


@given(st.text(min_size=1, max_size=200))
def test_every_text_becomes_a_valid_tag(text: str) -> None:
    tag = tag_from(text)
    assert 1 <= len(tag) <= 128
    assert tag[0].isascii() and (tag[0].isalnum() or tag[0] == "_")
    assert all(c.isascii() and (c.isalnum() or c in "_.-") for c in tag)


def test_versions_and_commits_stay_readable() -> None:
    assert tag_from("1.2.3") == "1.2.3"
    assert tag_from("1.2.3+local.1") == "1.2.3_local.1"
    assert tag_from("0123456789ab-dirty") == "0123456789ab-dirty"
