"""A repository of a registry over the OCI distribution HTTP API, with everything that is read held against its digest.

Source: the OCI distribution specification 1.1. Manifests are read with GET and not with HEAD: a HEAD repeats what
the registry believes of itself, a body can be hashed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import requests

from pipeline.core.containers import Manifest, ManifestChanged
from pipeline.core.oci_manifest import (
    IMAGE_TYPES,
    INDEX_TYPES,
    LARGEST_MANIFEST,
    Descriptor,
    digest_of,
    image_content,
    is_digest,
)
from pipeline.engines.registry_transport import ATTEMPTS, Call, RegistryTransport
from pipeline.engines.registry_upload import BlobUploads
from pipeline.errors import RegistryTrouble

_BLOCK = 256 * 1024
_MOST_PAGES = 100
_DOUBTS = "(DIGEST_INVALID)"


class _OtherTaken(RegistryTrouble):
    """The registry took other bytes than it was given."""


class _DigestDoubted(RegistryTrouble):
    """The registry says that the digest is not that of the bytes, which it is."""


class RegistryClient:
    """Fulfils :class:`pipeline.core.containers.Registry`. ``credentials`` are what an engine needs to push."""

    def __init__(
        self, transport: RegistryTransport, repository: str, *, rehearsal: bool, credentials: Mapping[str, str]
    ) -> None:
        self._transport = transport
        self._repository = repository
        self._rehearsal = rehearsal
        self._credentials = dict(credentials)
        self._uploads = BlobUploads(transport, repository)

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

    def put_manifest(self, reference: str, manifest: Manifest, *, replacing: str | None = None) -> None:
        """Bring a manifest there, or give the same bytes another tag; ``reference`` is a tag or its own digest.

        ``replacing`` is the digest that the tag has now (empty: none); a registry that can, then refuses if that is so
        no longer (RFC 9110, section 13.1). Many can't, so it has to be read back.

        Raises:
            ManifestChanged: the tag has another digest by now than ``replacing``.
            RegistryTrouble: the registry did not take them, or took them under another digest.
        """
        condition = {}
        if replacing is not None:
            condition = {"If-Match": f'"{replacing}"'} if replacing else {"If-None-Match": "*"}
        call = self._put(reference, manifest, condition)
        for attempt in range(1, ATTEMPTS):
            try:
                return self._transport.exchange(call, partial(self._confirmed, call, manifest))
            except _OtherTaken as error:
                # What stands there now are our own bytes, spoilt on the way: they are replaced whatever they are.
                self._transport.pause(call, error.why, attempt)
                call = self._put(reference, manifest, {})
            except _DigestDoubted as error:
                # distribution 2.8 on a file system reads half a link that another client, with the same manifest, is
                # writing; or our bytes were spoilt on the way.
                self._transport.pause(call, error.why, attempt)
        return self._transport.exchange(call, partial(self._confirmed, call, manifest))

    def _put(self, reference: str, manifest: Manifest, condition: Mapping[str, str]) -> Call:
        headers = {"Content-Type": manifest.media_type, **condition}
        what = f"manifest {reference}" if is_digest(reference) else f"tag {reference}"
        return self._call("PUT", f"manifests/{reference}", what, body=manifest.body, **headers)

    def upload(self, blob: Descriptor, content: Callable[[], BinaryIO]) -> int:
        """Bring a blob there; the bytes that were sent for it, 0 if it was there already.

        Raises:
            RegistryTrouble: it was not taken.
        """
        return self._uploads.send(blob, content)

    def blob(self, blob: Descriptor) -> bytes:
        """A small blob, verified.

        Raises:
            RegistryTrouble: it is missing, cut, or another one.
        """
        call = self._call("GET", f"blobs/{blob.digest}", f"blob {blob.digest}")
        kept: list[bytes] = []
        self._transport.exchange(call, partial(self._read_blob, call, blob, kept))
        return b"".join(kept)

    def referrers(self, digest: str) -> Manifest | None:
        """The index of what refers to ``digest``, as the registry keeps it; none when it keeps none.

        Raises:
            RegistryTrouble: there was no sound answer.
        """
        path = f"/v2/{self._repository}/referrers/{digest}"
        call = Call(method="GET", path=path, what=f"referrers of {digest}", headers={"Accept": INDEX_TYPES[0]})
        return self._transport.exchange(call, partial(self._read_referrers, call))

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

    def _read_referrers(self, call: Call, response: requests.Response) -> Manifest | None:
        # 404 is what the specification has for "no such endpoint"; others answer that a digest is no reference.
        if response.status_code in (400, 404, 405):
            return None
        if response.status_code != 200:
            raise self._transport.unexpected(call, response)
        if _media_type(response) != INDEX_TYPES[0]:
            return None
        body = b"".join(self._blocks(call, response, LARGEST_MANIFEST))
        return Manifest(digest=digest_of(body), media_type=INDEX_TYPES[0], body=body)

    def _confirmed(self, call: Call, manifest: Manifest, response: requests.Response) -> None:
        if response.status_code == 412:
            raise ManifestChanged(f"{self.reference}: the {call.what} is not what it was a moment ago.")
        if response.status_code not in (200, 201):
            refused = self._transport.unexpected(call, response)
            doubted = response.status_code == 400 and _DOUBTS in refused.why
            raise _DigestDoubted(refused.what, why=refused.why) if doubted else refused
        said = _stated(response)
        if said and said != manifest.digest:
            told = self._transport.trouble(call, f"It says that it took {said}, and was given {manifest.digest}.")
            raise _OtherTaken(told.what, why=told.why)

    def _verify_blob(self, blob: Descriptor) -> int:
        call = self._call("GET", f"blobs/{blob.digest}", f"blob {blob.digest}")
        return self._transport.exchange(call, partial(self._read_blob, call, blob, None))

    def _read_blob(self, call: Call, blob: Descriptor, kept: list[bytes] | None, response: requests.Response) -> int:
        if response.status_code == 404:
            raise self._transport.trouble(call, "It does not hold a blob that its manifest names.", "Push again.")
        if response.status_code != 200:
            raise self._transport.unexpected(call, response)
        total, read = hashlib.sha256(), 0
        if kept is not None:
            # An attempt that failed half-way may have left something.
            kept.clear()
        for block in self._blocks(call, response, blob.size):
            total.update(block)
            read += len(block)
            if kept is not None:
                kept.append(block)
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
