"""The payload of a container image's signature: "simple signing", as the containers project and cosign have it.

Source: containers/image, ``docs/containers-signature.5.md``; cosign's ``specs/SIGNATURE_SPEC.md``.
"""

from __future__ import annotations

import json

from pipeline.attestation.envelope import NotTrusted

TYPE = "cosign container image signature"


def payload_for(reference: str, digest: str) -> bytes:
    """What is signed: that ``digest`` (``sha256:…``) is the image called ``reference`` (``host/repository``)."""
    document = {
        "critical": {
            "identity": {"docker-reference": reference},
            "image": {"docker-manifest-digest": digest},
            "type": TYPE,
        },
        "optional": None,
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def signed_reference(payload: bytes, digest: str) -> str:
    """The name that the image has in a payload whose signature has been checked.

    Raises:
        NotTrusted: it is no such payload, or it is about another image than ``digest``.
    """
    try:
        critical = json.loads(payload)["critical"]
        kind, image = critical["type"], critical["image"]["docker-manifest-digest"]
        reference = str(critical["identity"]["docker-reference"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NotTrusted("What is signed is not the payload of an image's signature.") from None
    if kind != TYPE:
        raise NotTrusted(f"What is signed is of the type {str(kind)[:80]!r} and not a {TYPE}.")
    if image != digest:
        raise NotTrusted(f"It was made for another image than {digest}.")
    return reference
