"""What a registry holds about an image: its signatures and attestations, found by its digest, nothing of them believed.

Whatever can't be read or has another form counts for nothing: somebody else may have put it there, and what is demanded
is then missing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.attestation.artifacts import (
    BUNDLE,
    ENVELOPE,
    SIGNATURE_ANNOTATION,
    SIMPLE_SIGNING,
    tag_of,
)
from pipeline.attestation.envelope import LARGEST, Envelope, NotTrusted, envelope_of, read_envelope
from pipeline.core.containers import Holder, Manifest
from pipeline.core.oci_manifest import Descriptor, is_digest

MOST = 500
"""Descriptors that are looked at; the newest are the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What there is about ``image``. ``signatures`` pairs payloads with signatures over them.

    ``bundles`` are the whole sigstore bundles, as far as there are any; their envelopes are among ``envelopes`` too.
    """

    image: Manifest
    reference: str
    signatures: tuple[tuple[bytes, bytes], ...]
    envelopes: tuple[Envelope, ...]
    bundles: tuple[bytes, ...] = ()


def held(registry: Holder, image: Manifest) -> Held:
    """Everything that the registry has about the image.

    Raises:
        RegistryTrouble: it does not hold what it names, or gives no sound answer.
    """
    signatures = tuple(_signatures(registry, named(registry.manifest(tag_of(image.digest, ".sig")), "layers")))
    bundles = tuple(_attached(registry, referrers(registry, image.digest), image.digest))
    envelopes = [
        *(envelope for body in bundles for envelope in bundled(body)),
        *_envelopes(registry, named(registry.manifest(tag_of(image.digest, ".att")), "layers")),
    ]
    different = {(envelope.payload, envelope.signatures): envelope for envelope in envelopes}
    return Held(
        image=image,
        reference=registry.reference,
        signatures=signatures,
        envelopes=tuple(different.values()),
        bundles=bundles,
    )


def referrers(registry: Holder, digest: str) -> tuple[Mapping[str, Any], ...]:
    """The descriptors of what refers to ``digest``: by the registry's own index, and by the fallback tag's."""
    own = named(registry.referrers(digest), "manifests")
    fallback = named(registry.manifest(tag_of(digest)), "manifests")
    return tuple({item["digest"]: item for item in (*own, *fallback)}.values())


def named(manifest: Manifest | None, key: str) -> tuple[Mapping[str, Any], ...]:
    """The descriptors that stand under ``key`` in a manifest or index; those of another form are left out."""
    if manifest is None:
        return ()
    try:
        document = json.loads(manifest.body)
    except (ValueError, RecursionError):
        return ()
    items = document.get(key) if isinstance(document, dict) else None
    return tuple(item for item in (items if isinstance(items, list) else ()) if _is_descriptor(item))[-MOST:]


def _is_descriptor(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("digest"), str)
        and is_digest(item["digest"])
        and isinstance(item.get("size"), int)
        and 0 <= item["size"] <= LARGEST
        and isinstance(item.get("annotations", {}), dict)
    )


def _content(registry: Holder, item: Mapping[str, Any]) -> bytes:
    return registry.blob(Descriptor(digest=item["digest"], size=item["size"]))


def _signatures(registry: Holder, layers: Iterable[Mapping[str, Any]]) -> Iterable[tuple[bytes, bytes]]:
    for layer in layers:
        if layer.get("mediaType") == SIMPLE_SIGNING:
            try:
                signature = base64.b64decode(str(layer.get("annotations", {}).get(SIGNATURE_ANNOTATION)), validate=True)
            except binascii.Error:
                continue
            yield _content(registry, layer), signature


def _attached(registry: Holder, items: Iterable[Mapping[str, Any]], digest: str) -> Iterable[bytes]:
    """The bundles that refer to the image."""
    for item in items:
        if item.get("artifactType") != BUNDLE:
            continue
        manifest = registry.manifest(item["digest"])
        if manifest is None or _subject(manifest) != digest:
            continue
        for layer in named(manifest, "layers"):
            if layer.get("mediaType") == BUNDLE:
                yield _content(registry, layer)


def _subject(manifest: Manifest) -> str:
    """What a manifest says that it is about."""
    try:
        return str(json.loads(manifest.body)["subject"]["digest"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def bundled(body: bytes) -> tuple[Envelope, ...]:
    """The envelope in a sigstore bundle, nothing of it believed; nothing for what is no such bundle."""
    try:
        envelope = envelope_of(json.loads(body)["dsseEnvelope"])
    except (ValueError, KeyError, TypeError, RecursionError, NotTrusted):
        return ()
    return (envelope,)


def _envelopes(registry: Holder, layers: Iterable[Mapping[str, Any]]) -> Iterable[Envelope]:
    for layer in layers:
        if layer.get("mediaType") == ENVELOPE:
            try:
                yield read_envelope(_content(registry, layer))
            except NotTrusted:
                continue
