"""An image in a memory registry, signed with everything that a push attaches; keys that stay the same for a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pipeline.attestation.attaching import attach
from pipeline.attestation.keys import PrivateKey, ephemeral_key
from pipeline.attestation.predicates import (
    Builder,
    Making,
    Material,
    image_url,
    provenance,
    test_result,
    verification_summary,
)
from pipeline.attestation.statement import PROVENANCE, SBOM, SUMMARY, TEST_RESULT, Statement
from pipeline.core.containers import Manifest
from pipeline.core.oci_manifest import IMAGE_TYPES, digest_of
from pipeline.testing import FixedClock
from tests.memory_registry import MemoryRegistry

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MADE = "2026-01-01T00:00:00.000Z"
STAGES = ("test", "build")
BUILDER = Builder(id="https://ci.example/builder", version="1", invocation="urn:run:1", source="https://example/repo")
MATERIAL = Material(name="snapshot", digest={"sha256": "5" * 64})
BODY = json.dumps({"schemaVersion": 2, "mediaType": IMAGE_TYPES[0], "layers": []}).encode()
IMAGE = Manifest(digest=digest_of(BODY), media_type=IMAGE_TYPES[0], body=BODY)


@cache
def key() -> PrivateKey:
    """Ours."""
    return ephemeral_key()


@cache
def strange_key() -> PrivateKey:
    """Somebody else's."""
    return ephemeral_key()


def said(predicate_type: str, predicate: Mapping[str, Any], digest: str = IMAGE.digest) -> Statement:
    """A statement about the image."""
    return Statement(name="team/echo", digest=digest, predicate_type=predicate_type, predicate=predicate)


def statements(
    image: Manifest = IMAGE,
    *,
    made: str = MADE,
    summary: Mapping[str, Any] | None = None,
    sbom: bool = False,
    **tests: Any,
) -> list[Statement]:
    """What a push says, with changes of the test result and of the summary."""
    making = Making(
        parameters={"source": BUILDER.source}, internal={}, materials=(MATERIAL,), started=MADE, finished=MADE
    )
    first = [
        said(PROVENANCE, provenance(making, BUILDER), image.digest),
        said(TEST_RESULT, {**test_result(STAGES, [MATERIAL]), **tests}, image.digest),
    ]
    if sbom:
        first.append(said(SBOM, {"bomFormat": "CycloneDX"}, image.digest))
    looked_at = [
        Material(name=s.title, uri=s.predicate_type, digest={"sha256": hashlib.sha256(s.render()).hexdigest()})
        for s in first
    ]
    whole = verification_summary(
        image_url("registry.example/team/echo", image.digest), "p" * 64, looked_at, BUILDER, made
    )
    return [*first, said(SUMMARY, {**whole, **(summary or {})}, image.digest)]


def signed_registry(said_of_it: list[Statement] | None = None, **options: Any) -> MemoryRegistry:
    """A registry with the image and what is said of it."""
    registry = MemoryRegistry(**options)
    registry.put_manifest("1.0", IMAGE)
    attach(registry, IMAGE, statements() if said_of_it is None else said_of_it, key(), FixedClock())
    return registry
