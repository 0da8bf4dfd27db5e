"""From an exported image to what a registry takes: the same bytes for the same image, and no damage unseen."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
import zlib
from pathlib import Path

import deflate
import pytest

from pipeline.core.oci_manifest import digest_of, image_content
from pipeline.errors import EngineTrouble
from pipeline.images import compression
from pipeline.images.pushable import PushableImage, pushable
from tests.docker_archives import layer

PINNED = (4446, 1292108412)
"""Length and CRC-32 of what the compressor makes."""
LAYERS = (layer(("a", b"a" * 3_000_000, 0o644)), layer(("b", b"b", 0o644)))


def archive(stored: tuple[bytes, ...] = LAYERS, plain: tuple[bytes, ...] = LAYERS, configuration: bytes = b"") -> bytes:
    diff_ids = [digest_of(tar) for tar in plain]
    body = configuration or json.dumps({"rootfs": {"diff_ids": diff_ids}}).encode()
    names = [f"{number}.tar" for number, _ in enumerate(stored)]
    manifest = json.dumps([{"Config": "config.json", "Layers": names}]).encode()
    members = [("manifest.json", manifest), ("config.json", body), *zip(names, stored, strict=True)]
    return layer(*((name, content, 0o644) for name, content in members))


def packed(folder: Path, data: bytes) -> PushableImage:
    folder.mkdir()
    return pushable(io.BytesIO(data), folder)


def test_each_blob_is_what_its_digest_says_and_holds_the_layer(tmp_path: Path) -> None:
    image = packed(tmp_path / "a", archive())
    content = image_content(image.manifest)
    assert [blob.digest for blob in content.blobs] == list(image.blobs)
    for blob in content.blobs:
        with image.open(blob.digest) as stream:
            body = stream.read()
        assert (digest_of(body), len(body)) == (blob.digest, blob.size)
    for described, plain in zip(content.layers, LAYERS, strict=True):
        assert gzip.decompress(image.blobs[described.digest].read_bytes()) == plain
    document = json.loads(image.manifest.body)
    assert document["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert {item["mediaType"] for item in document["layers"]} == {"application/vnd.oci.image.layer.v1.tar+gzip"}


def test_the_same_image_gives_the_same_manifest_whatever_surrounds_it(tmp_path: Path) -> None:
    with_times = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive())) as old, tarfile.open(fileobj=with_times, mode="w") as new:
        for member in old:
            member.mtime = 1_700_000_000
            new.addfile(member, old.extractfile(member))
    first, second = packed(tmp_path / "a", archive()), packed(tmp_path / "b", with_times.getvalue())
    assert first.manifest == second.manifest


def test_a_blob_that_was_verified_is_not_unpacked_again_and_another_is(tmp_path: Path) -> None:
    first = packed(tmp_path / "a", archive())
    facts, known = compression.compressed(io.BytesIO(LAYERS[0]), tmp_path / "a")
    known.path.write_bytes(b"damaged")
    assert pushable(io.BytesIO(archive()), tmp_path / "a", {facts.diff_id: known}).manifest == first.manifest
    assert known.path.read_bytes() == b"damaged"
    assert pushable(io.BytesIO(archive()), tmp_path / "a", {"sha256:other": known}).manifest == first.manifest
    assert gzip.decompress(known.path.read_bytes()) == LAYERS[0]


def test_a_layer_that_comes_compressed_gives_the_same_manifest_as_one_that_does_not(tmp_path: Path) -> None:
    stored = tuple(gzip.compress(tar, 1, mtime=0) for tar in LAYERS)
    assert packed(tmp_path / "a", archive(stored)).manifest == packed(tmp_path / "b", archive()).manifest


def test_the_annotations_are_the_labels_that_the_specification_defines(tmp_path: Path) -> None:
    labels = {"org.opencontainers.image.title": "sample", "org.opencontainers.image.source": "", "pipeline.base": "x"}
    diff_ids = [digest_of(tar) for tar in LAYERS]
    told = json.dumps({"config": {"Labels": labels}, "rootfs": {"diff_ids": diff_ids}}).encode()
    document = json.loads(packed(tmp_path / "a", archive(configuration=told)).manifest.body)
    assert document["annotations"] == {"org.opencontainers.image.title": "sample"}
    assert "annotations" not in json.loads(packed(tmp_path / "b", archive()).manifest.body)


def test_a_cached_layer_is_used_again_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    first = packed(tmp_path / "a", archive())
    (blob, *_) = (path for path in first.blobs.values() if path.name.startswith("layer-"))
    whole, before = blob.read_bytes(), blob.stat().st_ino
    assert pushable(io.BytesIO(archive()), tmp_path / "a").manifest == first.manifest
    assert blob.stat().st_ino == before
    for damaged in (
        b"",
        whole[:-9],
        b"nonsense",
        gzip.compress(b"another layer"),
        whole + b"more",
        whole + whole,
        whole[:4] + b"time" + whole[8:],
    ):
        blob.write_bytes(damaged)
        assert pushable(io.BytesIO(archive()), tmp_path / "a").manifest == first.manifest
        assert blob.read_bytes() == whole


def test_a_layer_larger_than_a_piece_is_several_members_of_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "_PIECE", 1_000_000)
    image = packed(tmp_path / "a", archive())
    for described, plain in zip(image_content(image.manifest).layers, LAYERS, strict=True):
        assert gzip.decompress(image.blobs[described.digest].read_bytes()) == plain


def test_the_sizes_are_those_of_the_blobs(tmp_path: Path) -> None:
    image = packed(tmp_path / "a", archive())
    assert image.compressed_bytes == image_content(image.manifest).size
    assert [facts.size_bytes for facts in image.layers] == [len(tar) for tar in LAYERS]


def test_the_compressor_is_pinned_to_bytes() -> None:
    """A release of libdeflate that packs otherwise would give every image another digest: it must be noticed here."""
    made = deflate.gzip_compress(bytes(range(256)) * 4096, 9)
    assert (len(made), zlib.crc32(made)) == PINNED
    assert compression.compressor() == "deflate-0.9.0-9"
    assert re.fullmatch("[0-9a-f]{64}", compression.compressor_digest())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (archive(plain=(LAYERS[0], b"other")), "layers that are not those of the image's configuration"),
        (archive(stored=LAYERS[:1]), "layers that are not those of the image's configuration"),
        (archive(stored=(gzip.compress(LAYERS[0])[:-20], LAYERS[1])), "can't be read"),
        (archive(stored=(b"\x1f\x8bnonsense", LAYERS[1])), "can't be read"),
        (archive()[:1_000_000], "can't be read"),
        (archive(configuration=b"{}"), "can't be read"),
        (archive(configuration=b"["), "can't be read"),
        (b"nothing", "can't be read"),
        (layer(("manifest.json", b"[]", 0o644)), "can't be read"),
        (layer(("manifest.json", None, 0o755)), "is not a file"),
    ],
)
def test_what_is_no_whole_image_is_trouble(tmp_path: Path, data: bytes, sentence: str) -> None:
    with pytest.raises(EngineTrouble, match=sentence):
        packed(tmp_path / "a", data)
