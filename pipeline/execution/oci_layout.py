"""An OCI image layout in a folder, read as if it were a repository: no network at all.

Source: the OCI image specification 1.1, "Image Layout". A tag is the annotation ``org.opencontainers.image.ref.name``,
as skopeo and cosign write it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.core.containers import Manifest
from pipeline.core.oci_manifest import INDEX_TYPES, LARGEST_MANIFEST, Descriptor, digest_of, is_digest
from pipeline.errors import ConfigurationError, RegistryTrouble

_NAME = "org.opencontainers.image.ref.name"


class OciLayout:
    """Fulfils :class:`pipeline.core.containers.Holder`."""

    def __init__(self, folder: Path) -> None:
        """Raises ConfigurationError when there is no layout in the folder."""
        self._folder = folder
        try:
            self._entries = list(_entries(json.loads((folder / "index.json").read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"There is no OCI image layout in {folder}.", why=f"{error}.") from error

    @property
    def reference(self) -> str:
        """The folder."""
        return f"oci:{self._folder}"

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest with this tag or digest, verified; none when there is none.

        Raises:
            RegistryTrouble: its bytes are not those of its digest.
        """
        digest = reference if is_digest(reference) else self._tagged(reference)
        body = self._read(digest, LARGEST_MANIFEST) if digest else None
        if body is None:
            return None
        listed = next((kind for name, kind, _ in self._entries if name == digest), "")
        return Manifest(digest=digest, media_type=listed or str(_parsed(body).get("mediaType", "")), body=body)

    def blob(self, blob: Descriptor) -> bytes:
        """A blob, verified. Raises RegistryTrouble when it is missing or another one."""
        body = self._read(blob.digest, blob.size)
        if body is None or len(body) != blob.size:
            raise RegistryTrouble(f"{self.reference} does not hold {blob.digest} as it should be.")
        return body

    def referrers(self, digest: str) -> Manifest | None:
        """The index of those manifests in the layout that say that they are about ``digest``."""
        found = []
        for name, media_type, _ in self._entries:
            manifest = self.manifest(name)
            document = _parsed(manifest.body) if manifest else {}
            if manifest and (document.get("subject") or {}).get("digest") == digest:
                kind = document.get("artifactType", "")
                found.append(
                    {"digest": name, "mediaType": media_type, "size": len(manifest.body), "artifactType": kind}
                )
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": found}).encode()
        return Manifest(digest=digest_of(body), media_type=INDEX_TYPES[0], body=body)

    def close(self) -> None:
        """Nothing is open."""

    def _tagged(self, tag: str) -> str:
        return next((digest for digest, _, name in self._entries if name == tag), "")

    def _read(self, digest: str, most: int) -> bytes | None:
        path = self._folder / "blobs" / "sha256" / digest.removeprefix("sha256:")
        try:
            with path.open("rb") as stream:
                body = stream.read(most + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RegistryTrouble(f"{path} can't be read: {error.strerror or error}.") from error
        if digest_of(body) != digest:
            raise RegistryTrouble(f"{path} is not what its name says.")
        return body


def _entries(index: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Digest, media type and tag of each manifest."""
    for item in index["manifests"]:
        digest = str(item["digest"])
        if is_digest(digest):
            yield digest, str(item.get("mediaType", "")), str((item.get("annotations") or {}).get(_NAME, ""))


def _parsed(body: bytes) -> dict[str, Any]:
    """The manifest's document; an empty one for what is none."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
