"""In-toto statements: a predicate about an image that is named by its manifest's digest.

Source: in-toto Attestation Framework, Statement v1 (https://in-toto.io/Statement/v1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.attestation.envelope import NotTrusted

STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
SUMMARY = "https://slsa.dev/verification_summary/v1"
SBOM = "https://cyclonedx.org/bom"
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
"""That the image is signed and no more, as cosign 3 says it within a bundle; its predicate is empty."""

TITLES = {
    PROVENANCE: "provenance",
    TEST_RESULT: "test result",
    SUMMARY: "verification summary",
    SBOM: "SBOM",
    SIGNATURE: "signature",
}
"""What people call the predicates, in the order in which they are attached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """``predicate`` is said of the image ``digest`` (``sha256:…``), which is called ``name``."""

    name: str
    digest: str
    predicate_type: str
    predicate: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What people call it."""
        return TITLES.get(self.predicate_type, self.predicate_type)

    def render(self) -> bytes:
        """The bytes that are signed; the same for the same statement."""
        algorithm, _, value = self.digest.partition(":")
        document = {
            "_type": STATEMENT,
            "subject": [{"name": self.name, "digest": {algorithm: value}}],
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def read_statement(payload: bytes, digest: str) -> Statement:
    """The statement in a payload whose signature has been checked.

    Raises:
        NotTrusted: it is none, or it is about another image than ``digest``.
    """
    try:
        document = json.loads(payload)
        kind, predicate_type, predicate = document["_type"], document["predicateType"], document["predicate"]
        subjects = [(str(item.get("name", "")), dict(item["digest"])) for item in document["subject"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotTrusted("What is signed is not an in-toto statement.") from None
    if kind != STATEMENT or not isinstance(predicate_type, str) or not isinstance(predicate, dict):
        raise NotTrusted(f"What is signed is not an in-toto statement of version 1, but {str(kind)[:80]!r}.")
    algorithm, _, value = digest.partition(":")
    for name, digests in subjects:
        if digests.get(algorithm) == value:
            return Statement(name=name, digest=digest, predicate_type=predicate_type, predicate=predicate)
    raise NotTrusted(f"It was made for another image than {digest}.")
