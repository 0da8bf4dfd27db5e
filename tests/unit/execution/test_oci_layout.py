"""An OCI layout in a folder answers as a repository does, and gives nothing that its digest does not name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.oci_manifest import IMAGE_TYPES, Descriptor, digest_of
from pipeline.errors import ConfigurationError, RegistryTrouble
from pipeline.execution.oci_layout import OciLayout
from tests.support import write_files

BODY = json.dumps({"mediaType": IMAGE_TYPES[0]}).encode()
DIGEST, BLOB = digest_of(BODY), b"a blob"


def layout(folder: Path, **more: str) -> Path:
    index = {
        "manifests": [
            {
                "digest": DIGEST,
                "size": len(BODY),
                "annotations": {"org.opencontainers.image.ref.name": "1.0"},
                **more,
            }
        ]
    }
    blobs = {f"blobs/sha256/{digest_of(body)[7:]}": body for body in (BODY, BLOB)}
    return write_files(folder, {"index.json": json.dumps(index), **blobs})


def test_what_is_there_is_given_by_tag_and_by_digest(tmp_path: Path) -> None:
    one = OciLayout(layout(tmp_path))
    for reference in ("1.0", DIGEST):
        manifest = one.manifest(reference)
        assert manifest is not None
        assert (manifest.digest, manifest.body, manifest.media_type) == (DIGEST, BODY, IMAGE_TYPES[0])
    assert one.blob(Descriptor(digest=digest_of(BLOB), size=len(BLOB))) == BLOB
    assert one.manifest("2.0") is None and one.manifest(digest_of(b"other")) is None
    assert one.reference == f"oci:{tmp_path}"
    one.close()


def test_the_index_says_of_what_type_a_manifest_is(tmp_path: Path) -> None:
    manifest = OciLayout(layout(tmp_path, mediaType="a/b")).manifest("1.0")
    assert manifest is not None and manifest.media_type == "a/b"


def test_what_says_that_it_is_about_an_image_refers_to_it(tmp_path: Path) -> None:
    about = json.dumps({"subject": {"digest": DIGEST}, "artifactType": "a/b"}).encode()
    folder = write_files(layout(tmp_path), {f"blobs/sha256/{digest_of(about)[7:]}": about})
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    index["manifests"] += [{"digest": digest_of(about)}, {"digest": digest_of(b"not there")}]
    write_files(folder, {"index.json": json.dumps(index)})
    for digest, expected in ((DIGEST, [digest_of(about)]), (digest_of(about), [])):
        found = OciLayout(folder).referrers(digest)
        assert found is not None
        assert [item["digest"] for item in json.loads(found.body)["manifests"]] == expected


@pytest.mark.parametrize("body", [b"[]", b"{"])
def test_a_manifest_without_a_type_has_none(tmp_path: Path, body: bytes) -> None:
    write_files(layout(tmp_path), {f"blobs/sha256/{digest_of(body)[7:]}": body})
    manifest = OciLayout(tmp_path).manifest(digest_of(body))
    assert manifest is not None and not manifest.media_type


def test_what_is_changed_cut_or_missing_is_trouble(tmp_path: Path) -> None:
    one = OciLayout(layout(tmp_path))
    blob = Descriptor(digest=digest_of(BLOB), size=len(BLOB))
    path = tmp_path / "blobs/sha256" / blob.digest[7:]
    for content in (b"other", BLOB + b"x", BLOB[:-1]):
        path.write_bytes(content)
        with pytest.raises(RegistryTrouble, match="not what its name says"):
            one.blob(blob)
    path.unlink()
    with pytest.raises(RegistryTrouble, match="does not hold"):
        one.blob(blob)
    path.mkdir()
    with pytest.raises(RegistryTrouble, match="can't be read"):
        one.blob(blob)


@pytest.mark.parametrize("index", ["{", "[]", "{}", '{"manifests": [1]}', None])
def test_a_folder_without_a_layout_is_refused(tmp_path: Path, index: str | None) -> None:
    if index is not None:
        write_files(tmp_path, {"index.json": index})
    with pytest.raises(ConfigurationError, match="no OCI image layout"):
        OciLayout(tmp_path)
    sound = write_files(tmp_path, {"index.json": '{"manifests": [{"digest": "md5:0"}]}'})
    assert OciLayout(sound).manifest("1.0") is None
