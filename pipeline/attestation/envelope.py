"""DSSE envelopes (Dead Simple Signing Envelope, protocol 1.0.2): a payload, its type, and signatures over both."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from pipeline.attestation.keys import PublicKey, Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"
LARGEST = 32 * 1024 * 1024
"""Bytes; the most that is read of an envelope. An SBOM with every file's digest is the largest there is."""


class NotTrusted(Exception):
    """What was read is not what was signed, or not in the form that was agreed on; the text is a full sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """``sig`` over the envelope's :func:`encoded` form; ``keyid`` is a hint and decides nothing."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload of a type, with its signatures."""

    payload: bytes
    signatures: tuple[Signature, ...]
    payload_type: str = PAYLOAD_TYPE

    def document(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {
            "payloadType": self.payload_type,
            "payload": base64.b64encode(self.payload).decode("ascii"),
            "signatures": [
                {"keyid": signature.keyid, "sig": base64.b64encode(signature.sig).decode("ascii")}
                for signature in self.signatures
            ],
        }

    def render(self) -> bytes:
        """As it is stored."""
        return json.dumps(self.document(), separators=(",", ":")).encode("ascii")

    def opened(self, key: PublicKey) -> bytes:
        """The payload, if one of the signatures is this key's.

        Raises:
            NotTrusted: none is.
        """
        message = encoded(self.payload_type, self.payload)
        if not any(key.verifies(signature.sig, message) for signature in self.signatures):
            raise NotTrusted(f"None of its {len(self.signatures)} signatures is by the key {key.id[:12]}.")
        return self.payload


def encoded(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding (PAE): what is really signed. Lengths are those of bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sealed(payload: bytes, signer: Signer) -> Envelope:
    """The payload in an envelope that ``signer`` has signed."""
    signature = Signature(keyid=signer.public_key.id, sig=signer.sign(encoded(PAYLOAD_TYPE, payload)))
    return Envelope(payload=payload, signatures=(signature,))


def read_envelope(body: bytes) -> Envelope:
    """The envelope in these bytes, nothing of it believed yet.

    Raises:
        NotTrusted: it is no envelope, or none of an in-toto statement.
    """
    try:
        return envelope_of(json.loads(body))
    except (ValueError, RecursionError):
        raise NotTrusted("It is not JSON.") from None


def envelope_of(document: Any) -> Envelope:
    """The envelope in a document that was read already. Raises NotTrusted."""
    try:
        envelope = Envelope(
            payload=base64.b64decode(document["payload"], validate=True),
            signatures=tuple(
                Signature(keyid=str(item.get("keyid") or ""), sig=base64.b64decode(item["sig"], validate=True))
                for item in document["signatures"]
            ),
            payload_type=str(document["payloadType"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        raise NotTrusted("It is not a DSSE envelope.") from None
    if envelope.payload_type != PAYLOAD_TYPE:
        raise NotTrusted(f"Its payload is a {envelope.payload_type!r} and not an in-toto statement.")
    return envelope
