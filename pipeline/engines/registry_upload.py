"""A blob to a registry: not at all if it is there, in pieces if it is large, continued where it was cut.

Source: the OCI distribution specification 1.1, "Pushing blobs". A registry that has lost the upload (as
distribution 2.8 does when a piece was cut) gets it again from the beginning; the digest decides in any case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import requests

from pipeline.core.oci_manifest import Descriptor
from pipeline.engines.registry_transport import ATTEMPTS, Call, RegistryTransport, Unfinished

PIECE = 4 * 1024 * 1024
"""Bytes of a piece; a blob up to this size goes in one request."""

_LARGEST_PIECE = 64 * 1024 * 1024
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")
_OCTETS = "application/octet-stream"


class BlobUploads:
    """Uploads to one repository."""

    def __init__(self, transport: RegistryTransport, repository: str) -> None:
        self._transport = transport
        self._base = f"/v2/{repository}/blobs"

    def send(self, blob: Descriptor, content: Callable[[], BinaryIO]) -> int:
        """Bring the blob there; the bytes that were sent for it, 0 if it was there already.

        ``content`` opens it anew, and can be sought in.

        Raises:
            RegistryTrouble: refused, or not taken after a few attempts.
        """
        whole = Call(method="PUT", path=f"{self._base}/{blob.digest}", what=f"blob {blob.digest}")
        sent, cut = 0, Unfinished("")
        for attempt in range(ATTEMPTS):
            if attempt:
                self._transport.pause(whole, cut.why, attempt, cut.asked_s)
            if self._holds(blob):
                return sent
            try:
                with content() as stream:
                    return sent + self._send(blob, stream)
            except Unfinished as error:
                # What was lost may have arrived all the same, so the next attempt asks first.
                cut, sent = error, blob.size
        raise self._transport.trouble(whole, cut.why, f"It was tried {ATTEMPTS} times. Try again later.")

    def _holds(self, blob: Descriptor) -> bool:
        """Whether the registry says that it has the blob. That it is whole is shown when it is read back."""
        call = Call(method="HEAD", path=f"{self._base}/{blob.digest}", what=f"blob {blob.digest}")
        return self._transport.exchange(call, partial(self._is_there, call, blob))

    def _is_there(self, call: Call, blob: Descriptor, response: requests.Response) -> bool:
        if response.status_code == 404:
            return False
        # Many registries redirect to where the blob lies.
        if response.status_code in (302, 303, 307, 308):
            return True
        if response.status_code != 200:
            raise self._transport.unexpected(call, response)
        return response.headers.get("Content-Length", str(blob.size)) == str(blob.size)

    def _send(self, blob: Descriptor, stream: BinaryIO) -> int:
        what = f"blob {blob.digest}"
        begin = Call(
            method="POST", path=f"{self._base}/uploads/", what=f"upload of {what}", headers={"Content-Length": "0"}
        )
        place, piece = self._transport.exchange(begin, partial(self._begun, begin))
        if blob.size <= piece:
            self._finish(place, blob, stream.read(blob.size), what)
            return blob.size
        offset, cuts = 0, 0
        while offset < blob.size:
            stream.seek(offset)
            try:
                place, offset = self._piece(place, offset, stream.read(piece), what)
            except Unfinished as cut:
                cuts += 1
                if cuts >= ATTEMPTS:
                    raise
                place, offset = self._where(place, what, cut, cuts)
        self._finish(place, blob, b"", what)
        return blob.size

    def _begun(self, call: Call, response: requests.Response) -> tuple[str, int]:
        if response.status_code != 202:
            raise self._transport.unexpected(call, response)
        least = response.headers.get("OCI-Chunk-Min-Length", "")
        piece = max(PIECE, int(least)) if least.isascii() and least.isdigit() else PIECE
        return self._place(call, response), min(piece, _LARGEST_PIECE)

    def _piece(self, place: str, offset: int, body: bytes, what: str) -> tuple[str, int]:
        """Where the next piece goes, and with which byte it begins."""
        headers = {"Content-Type": _OCTETS, "Content-Range": f"{offset}-{offset + len(body) - 1}"}
        call = Call(method="PATCH", path=place, what=f"piece of {what}", headers=headers, body=body, once=True)

        def taken(response: requests.Response) -> tuple[str, int]:
            if response.status_code not in (202, 204) or _end(response) != offset + len(body):
                raise self._transport.unfinished(
                    call, f"It answered {response.status_code} and did not take all of it."
                )
            return self._place(call, response), offset + len(body)

        return self._transport.exchange(call, taken)

    def _where(self, place: str, what: str, cut: Unfinished, cuts: int) -> tuple[str, int]:
        """How far the upload has come. Raises Unfinished when the registry has forgotten it."""
        call = Call(method="GET", path=place, what=f"state of the upload of {what}")
        self._transport.pause(call, cut.why, cuts, cut.asked_s)

        def told(response: requests.Response) -> tuple[str, int]:
            end = _end(response)
            if response.status_code not in (202, 204) or end is None:
                raise self._transport.unfinished(call, f"It answered {response.status_code} to an upload that was cut.")
            return self._place(call, response), end

        return self._transport.exchange(call, told)

    def _finish(self, place: str, blob: Descriptor, body: bytes, what: str) -> None:
        separator = "&" if "?" in place else "?"
        path = f"{place}{separator}digest={blob.digest}"
        headers = {"Content-Type": _OCTETS, "Content-Length": str(len(body))}
        call = Call(method="PUT", path=path, what=what, headers=headers, body=body, once=True)

        def taken(response: requests.Response) -> None:
            if response.status_code not in (201, 204):
                # A byte that was turned on the way ends here too, so it is worth another attempt.
                raise self._transport.unfinished(call, f"It answered {response.status_code}.")
            said = response.headers.get("Docker-Content-Digest", blob.digest).strip()
            if said != blob.digest:
                raise self._transport.unfinished(call, f"It says that it took {said[:80]}.")

        self._transport.exchange(call, taken)

    def _place(self, call: Call, response: requests.Response) -> str:
        """The path of an upload. Its host is this registry's, wherever the answer points: a login goes nowhere else."""
        location = response.headers.get("Location", "")
        if not location:
            raise self._transport.trouble(call, "It did not say where to send the blob.")
        parts = urlsplit(urljoin(call.path, location))
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _end(response: requests.Response) -> int | None:
    """The number of bytes that have arrived; ``0-0`` stands for none, as registries use it."""
    match = _RANGE.fullmatch(response.headers.get("Range", "").strip())
    if match is None:
        return None
    last = int(match[1])
    return last + 1 if last else 0
