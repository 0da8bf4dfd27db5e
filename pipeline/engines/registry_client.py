"""A repository of a registry over the OCI distribution HTTP API, with everything that is read held against its digest.

Source: the OCI distribution specification 1.1. Manifests are read with GET and not with HEAD: a HEAD repeats what
the registry believes of itself, a body can be hashed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import partial
from urllib.parse import urljoin, urlsplit

import requests

from pipeline.core.containers import Manifest
from pipeline.core.oci_manifest import (
    IMAGE_TYPES,
    INDEX_TYPES,
    LARGEST_MANIFEST,
    Descriptor,
    digest_of,
    image_content,
    is_digest,
)
from pipeline.engines.registry_transport import Call, RegistryTransport
from pipeline.errors import RegistryTrouble

_BLOCK = 256 * 1024
_MOST_PAGES = 100


class RegistryClient:
    """Fulfils :class:`pipeline.core.containers.Registry`. ``credentials`` are what an engine needs to push."""

    def __init__(
        self, transport: RegistryTransport, repository: str, *, rehearsal: bool, credentials: Mapping[str, str]
    ) -> None:
        self._transport = transport
        self._repository = repository
        self._rehearsal = rehearsal
        self._credentials = dict(credentials)

    @property
    def reference(self) -> str:
        """``host/repository`` as an engine needs it."""
        return f"{self._transport.host}/{self._repository}"

    @property
    def rehearsal(self) -> bool:
        """Whether this is the loopback rehearsal."""
        return self._rehearsal

    @property
    def credentials(self) -> Mapping[str, str]:
        """What an engine needs to push, or nothing."""
        return self._credentials

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest with this tag or digest, its body verified; none when the registry says that there is none.

        Raises:
            RegistryTrouble: the body is not what the digest, the header or the media type say, or there was no
            sound answer.
        """
        call = self._call(
            "GET", f"manifests/{reference}", f"manifest {reference}", Accept=", ".join(IMAGE_TYPES + INDEX_TYPES)
        )
        return self._transport.exchange(call, partial(self._read_manifest, call, reference))

    def put_manifest(self, tag: str, manifest: Manifest) -> None:
        """Give the same bytes another tag.

        Raises:
            RegistryTrouble: the registry did not take them, or took them under another digest.
        """
        call = self._call(
            "PUT", f"manifests/{tag}", f"tag {tag}", body=manifest.body, **{"Content-Type": manifest.media_type}
        )
        self._transport.exchange(call, partial(self._confirmed, call, manifest))

    def verify_blobs(self, manifest: Manifest) -> int:
        """Read back every blob, the configuration included, and compare digest and size; the number of bytes read.

        Raises:
            RegistryTrouble: a blob is missing, cut, or not the one that the manifest names.
        """
        return sum(self._verify_blob(blob) for blob in image_content(manifest).blobs)

    def tags(self) -> tuple[str, ...]:
        """Every tag of the repository, sorted; none when there is no such repository."""
        path = f"/v2/{self._repository}/tags/list"
        found: set[str] = set()
        for _ in range(_MOST_PAGES):
            call = Call(method="GET", path=path, what="list of tags")
            names, path = self._transport.exchange(call, partial(self._read_tags, call))
            found.update(names)
            if not path:
                return tuple(sorted(found))
        raise self._transport.trouble(call, f"The list does not end after {_MOST_PAGES} pages.")

    def close(self) -> None:
        """Give the sockets back."""
        self._transport.close()

    def _call(self, method: str, path: str, what: str, body: bytes | None = None, **headers: str) -> Call:
        return Call(method=method, path=f"/v2/{self._repository}/{path}", what=what, headers=headers, body=body)

    def _read_manifest(self, call: Call, reference: str, response: requests.Response) -> Manifest | None:
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise self._transport.unexpected(call, response)
        body = b"".join(self._blocks(call, response, LARGEST_MANIFEST))
        digest = digest_of(body)
        for source, said in (
            ("asked for", reference if is_digest(reference) else ""),
            ("its header says", _stated(response)),
        ):
            if said and said != digest:
                raise self._transport.trouble(call, f"The body's digest is {digest}; {source}: {said}.")
        return Manifest(digest=digest, media_type=_media_type(response), body=body)

    def _confirmed(self, call: Call, manifest: Manifest, response: requests.Response) -> None:
        if response.status_code not in (200, 201):
            raise self._transport.unexpected(call, response)
        said = _stated(response)
        if said and said != manifest.digest:
            raise self._transport.trouble(call, f"It says that it took {said}, and was given {manifest.digest}.")

    def _verify_blob(self, blob: Descriptor) -> int:
        call = self._call("GET", f"blobs/{blob.digest}", f"blob {blob.digest}")
        return self._transport.exchange(call, partial(self._read_blob, call, blob))

    def _read_blob(self, call: Call, blob: Descriptor, response: requests.Response) -> int:
        if response.status_code == 404:
            raise self._transport.trouble(call, "It does not hold a blob that its manifest names.", "Push again.")
        if response.status_code != 200:
            raise self._transport.unexpected(call, response)
        total, read = hashlib.sha256(), 0
        for block in self._blocks(call, response, blob.size):
            total.update(block)
            read += len(block)
        found = f"sha256:{total.hexdigest()}"
        if read != blob.size or found != blob.digest:
            raise self._transport.trouble(
                call,
                f"What it holds has {read} bytes of digest {found}; the manifest says {blob.size} bytes.",
            )
        return read

    def _blocks(self, call: Call, response: requests.Response, most: int) -> Iterator[bytes]:
        """The body in blocks, never more than ``most`` bytes, and never longer than the time allows."""
        read = 0
        for block in response.iter_content(_BLOCK):
            self._transport.in_time(call)
            read += len(block)
            if read > most:
                raise self._transport.trouble(call, f"It sent more than the {most} bytes that there should be.")
            yield block

    def _read_tags(self, call: Call, response: requests.Response) -> tuple[tuple[str, ...], str]:
        """The tags of one page, and the path of the next one, or nothing."""
        if response.status_code == 404:
            return (), ""
        if response.status_code != 200:
            raise self._transport.unexpected(call, response)
        body = b"".join(self._blocks(call, response, LARGEST_MANIFEST))
        try:
            names = json.loads(body)["tags"] or ()
        except (ValueError, KeyError, TypeError):
            raise self._transport.trouble(call, "The answer is not a list of tags.") from None
        # Only the path of the next page counts: the next page is asked of the same registry, wherever the link points.
        following = urlsplit(urljoin(call.path, response.links.get("next", {}).get("url", "")))
        path = f"{following.path}?{following.query}" if "next" in response.links else ""
        return tuple(str(name) for name in names), path


def _stated(response: requests.Response) -> str:
    """The digest that the header states, if it is one that can be compared."""
    said = response.headers.get("Docker-Content-Digest", "").strip()
    if said and not is_digest(said):
        raise RegistryTrouble(f"The registry names a digest that is none, or not a SHA-256 one: {said[:80]!r}.")
    return said


def _media_type(response: requests.Response) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip()
