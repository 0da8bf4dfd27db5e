"""From an exported image to what a registry takes: the same bytes for the same image, and no damage unseen."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from pipeline.core.oci_manifest import digest_of, image_content
from pipeline.errors import EngineTrouble
from pipeline.images.pushable import PushableImage, pushable
from tests.docker_archives import layer

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


def test_a_layer_that_is_compressed_stays_as_it_is(tmp_path: Path) -> None:
    stored = tuple(gzip.compress(tar, mtime=0) for tar in LAYERS)
    image = packed(tmp_path / "a", archive(stored))
    assert [blob.digest for blob in image_content(image.manifest).layers] == [digest_of(body) for body in stored]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (archive(plain=(LAYERS[0], b"other")), "layers that are not those of the image's configuration"),
        (archive(stored=LAYERS[:1]), "layers that are not those of the image's configuration"),
        (archive(stored=(gzip.compress(LAYERS[0])[:-20], LAYERS[1])), "can't be read.*cut off"),
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
