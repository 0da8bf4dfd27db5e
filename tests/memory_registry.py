"""A repository in memory, with or without an index of referrers of its own, and whatever a test does in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from pipeline.core.containers import Manifest, ManifestChanged
from pipeline.core.oci_manifest import INDEX_TYPES, Descriptor, digest_of, image_content, is_digest
from pipeline.errors import RegistryTrouble


@dataclass(kw_only=True)
class MemoryRegistry:
    """Fulfils :class:`pipeline.core.containers.Registry`.

    ``lists_referrers``: it has the endpoint. ``conditional``: it minds ``replacing``; with ``contrary`` it refuses
    every condition. ``before_put`` is called before a manifest is written, as another client might do something then.
    """

    reference: str = "registry.example/team/echo"
    rehearsal: bool = False
    credentials: Mapping[str, str] = field(default_factory=dict)
    lists_referrers: bool = False
    conditional: bool = False
    contrary: bool = False
    before_put: Callable[[str], None] = lambda reference: None
    manifests: dict[str, Manifest] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    closed: bool = False

    def manifest(self, reference: str) -> Manifest | None:
        """What lies under it."""
        return self.manifests.get(reference)

    def put_manifest(self, reference: str, manifest: Manifest, *, replacing: str | None = None) -> None:
        """Write it; what it names must be there."""
        self.before_put(reference)
        if replacing is not None and self.contrary:
            raise ManifestChanged("It never is what it should be.")
        present = self.manifests.get(reference)
        if self.conditional and replacing is not None and replacing != (present.digest if present else ""):
            raise ManifestChanged("It has changed.")
        for blob in _blobs(manifest):
            assert blob in self.blobs or blob in self.manifests, f"{blob} is not there yet"
        self.puts.append(reference)
        self.manifests[reference] = self.manifests[manifest.digest] = manifest

    def upload(self, blob: Descriptor, content: Callable[[], BinaryIO]) -> int:
        """Keep it."""
        if blob.digest in self.blobs:
            return 0
        with content() as stream:
            body = stream.read()
        assert (digest_of(body), len(body)) == (blob.digest, blob.size)
        self.blobs[blob.digest] = body
        return len(body)

    def blob(self, blob: Descriptor) -> bytes:
        """Give it back."""
        if blob.digest not in self.blobs:
            raise RegistryTrouble(f"There is no blob {blob.digest}.")
        return self.blobs[blob.digest]

    def verify_blobs(self, manifest: Manifest) -> int:
        """Look at each."""
        return sum(len(self.blob(blob)) for blob in image_content(manifest).blobs)

    def referrers(self, digest: str) -> Manifest | None:
        """The index, if it has one."""
        if not self.lists_referrers:
            return None
        every = {manifest.digest: manifest for manifest in self.manifests.values()}
        found = [
            {"digest": item.digest, "size": len(item.body), "artifactType": json.loads(item.body).get("artifactType")}
            for item in every.values()
            if json.loads(item.body).get("subject", {}).get("digest") == digest
        ]
        body = json.dumps({"manifests": found}).encode()
        return Manifest(digest=digest_of(body), media_type=INDEX_TYPES[0], body=body)

    def document(self, reference: str) -> dict[str, Any]:
        """A manifest as JSON."""
        document: dict[str, Any] = json.loads(self.manifests[reference].body)
        return document

    def spoil_blobs(self, change: Callable[[bytes], bytes]) -> None:
        """Change every blob, with the digests that name them as they are."""
        self.blobs = {digest: change(body) for digest, body in self.blobs.items()}

    def retag(self, old: str, new: str) -> None:
        """Put what lies under one tag under another too."""
        self.manifests[new] = replace(self.manifests[old])

    def close(self) -> None:
        """Remember it."""
        self.closed = True


def _blobs(manifest: Manifest) -> list[str]:
    document = json.loads(manifest.body)
    items = [document.get("config"), *document.get("layers", []), *document.get("manifests", [])]
    return [item["digest"] for item in items if item and is_digest(item["digest"])]
