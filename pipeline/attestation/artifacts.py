"""How signatures and attestations lie in a registry: as OCI 1.1 referrers, and under the tags that cosign reads.

Sources: OCI image specification 1.1 (``subject``, ``artifactType``), OCI distribution specification 1.1 ("Referrers Tag
Schema"), cosign's ``specs/SIGNATURE_SPEC.md`` and ``ATTESTATION_SPEC.md``, sigstore's bundle format 0.3.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.attestation.envelope import Envelope
from pipeline.attestation.keys import PublicKey
from pipeline.attestation.statement import Statement
from pipeline.core.containers import Manifest
from pipeline.core.oci_manifest import IMAGE_TYPES, INDEX_TYPES, digest_of

MANIFEST, INDEX = IMAGE_TYPES[0], INDEX_TYPES[0]
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
PREDICATE_ANNOTATION = "predicateType"
SIGNER_ANNOTATION = "proven-pipeline.signer"
"""Whose it is by its own word, so that a signer can take away what it attached long ago. Nothing is believed for it."""
KEPT = 8
"""How many of a kind a signer leaves of its own under one tag; more than ever push one image at the same time."""
_CONFIGURATION = "application/vnd.oci.image.config.v1+json"
_EMPTY_TYPE, _EMPTY = "application/vnd.oci.empty.v1+json", b"{}"
_CONTENT, _PREDICATE = "dev.sigstore.bundle.content", "dev.sigstore.bundle.predicateType"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A manifest, and the blobs that it needs in the registry before it may be put there."""

    manifest: Manifest
    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One blob of such an artifact."""

    media_type: str
    body: bytes
    annotations: Mapping[str, str]


def tag_of(digest: str, suffix: str = "") -> str:
    """The tag that belongs to a digest: ``sha256-<hex>`` with ``.sig``, ``.att``, or nothing for the referrers."""
    return digest.replace(":", "-") + suffix


def signature_layer(payload: bytes, signature: bytes, signer: str) -> Layer:
    """A signature as cosign has it: the payload, and the signature beside it; ``signer`` says whose it is."""
    annotations = {SIGNATURE_ANNOTATION: base64.b64encode(signature).decode("ascii"), SIGNER_ANNOTATION: signer}
    return Layer(media_type=SIMPLE_SIGNING, body=payload, annotations=annotations)


def attestation_layer(statement: Statement, envelope: Envelope, signer: str) -> Layer:
    """An attestation as cosign has it: the envelope, whose signature is inside."""
    annotations = {
        SIGNATURE_ANNOTATION: "",
        PREDICATE_ANNOTATION: statement.predicate_type,
        SIGNER_ANNOTATION: signer,
    }
    return Layer(media_type=ENVELOPE, body=envelope.render(), annotations=annotations)


def descriptor(media_type: str, body: bytes, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    """How a manifest names a blob."""
    named: dict[str, Any] = {"mediaType": media_type, "size": len(body), "digest": digest_of(body)}
    return {**named, **({"annotations": dict(annotations)} if annotations else {})}


def cosign_artifact(layers: Iterable[Mapping[str, Any]], blobs: Iterable[bytes]) -> Artifact:
    """An artifact of cosign's: an image whose layers, given by their descriptors, are signatures or attestations."""
    every = list(layers)
    configuration = _canonical(
        {
            "architecture": "",
            "config": {},
            "created": "0001-01-01T00:00:00Z",
            "history": [{"created": "0001-01-01T00:00:00Z"} for _ in every],
            "os": "",
            "rootfs": {"diff_ids": [layer["digest"] for layer in every], "type": "layers"},
        }
    )
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(_CONFIGURATION, configuration),
        "layers": every,
    }
    return Artifact(manifest=manifest_of(document), blobs=(configuration, *blobs))


def bundle(envelope: Envelope, key: PublicKey) -> bytes:
    """A sigstore bundle of an envelope that a key of one's own has signed; its hint names the key as cosign does."""
    hint = base64.b64encode(bytes.fromhex(key.id)).decode("ascii")
    document = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": envelope.document(),
    }
    return _canonical(document)


def referrer(image: Manifest, statement: Statement, body: bytes, signer: str) -> Artifact:
    """A bundle as a referrer of the image: it says itself what it is about, so a registry finds it by the digest."""
    annotations = {
        _CONTENT: "dsse-envelope",
        _PREDICATE: statement.predicate_type,
        SIGNER_ANNOTATION: signer,
    }
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": BUNDLE,
        "config": descriptor(_EMPTY_TYPE, _EMPTY),
        "layers": [descriptor(BUNDLE, body)],
        "subject": {"mediaType": image.media_type, "size": len(image.body), "digest": image.digest},
        "annotations": annotations,
    }
    return Artifact(manifest=manifest_of(document), blobs=(_EMPTY, body))


def referrer_descriptor(artifact: Manifest) -> dict[str, Any]:
    """How the index of the fallback tag names a referrer: with its artifact type and annotations."""
    document = json.loads(artifact.body)
    return {
        "mediaType": artifact.media_type,
        "size": len(artifact.body),
        "digest": artifact.digest,
        "artifactType": document["artifactType"],
        "annotations": document["annotations"],
    }


def index_of(descriptors: Iterable[Mapping[str, Any]]) -> Manifest:
    """The index that lies under the fallback tag."""
    return manifest_of({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(descriptors)})


def manifest_of(document: Mapping[str, Any]) -> Manifest:
    """The manifest in canonical JSON."""
    body = _canonical(document)
    return Manifest(digest=digest_of(body), media_type=str(document["mediaType"]), body=body)


def merged(present: Iterable[Mapping[str, Any]], added: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The descriptors of both, each once; two signatures of one payload differ in nothing but their annotations."""
    return list({json.dumps(item, sort_keys=True): item for item in (*present, *added)}.values())


def bounded(
    items: Sequence[Mapping[str, Any]], ours: Iterable[Mapping[str, Any]], most: int
) -> list[Mapping[str, Any]]:
    """The descriptors without those of the signer of ``ours`` that are beyond the newest ``most`` of their kind.

    Every push of the same image adds to what lies under its tags, and nothing of others is ever taken away. The last
    are the newest.
    """
    kinds = {_kind(item) for item in ours}
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for item in reversed(items):
        kind = _kind(item)
        seen[kind] += 1
        if kind not in kinds or not kind[0] or seen[kind] <= most:
            kept.append(item)
    return kept[::-1]


def _kind(item: Mapping[str, Any]) -> tuple[str, str]:
    """Whose a descriptor says that it is, and what of."""
    notes = item.get("annotations")
    found = notes if isinstance(notes, Mapping) else {}
    return str(found.get(SIGNER_ANNOTATION, "")), str(found.get(_PREDICATE) or found.get(PREDICATE_ANNOTATION) or "")


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
