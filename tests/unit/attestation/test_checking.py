"""What is believed of an image and what is not: each demand, missing, wrong, expired, or made for another."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipeline.attestation.artifacts import tag_of
from pipeline.attestation.attaching import attach
from pipeline.attestation.checking import checked
from pipeline.attestation.demands import ALWAYS, Demands
from pipeline.attestation.reading import held
from pipeline.attestation.statement import PROVENANCE
from pipeline.attestation.trust import ByKey
from pipeline.core.containers import Manifest
from pipeline.core.oci_manifest import digest_of
from pipeline.core.verification import Answer
from pipeline.testing import FixedClock
from tests.memory_registry import MemoryRegistry
from tests.signed_images import BUILDER, IMAGE, NOW, STAGES, key, said, signed_registry, statements, strange_key

DEMANDS = Demands(stages=STAGES, builder=BUILDER.id, source=BUILDER.source, max_age_days=2)


def found(registry: MemoryRegistry, demands: Demands = DEMANDS, image: Manifest = IMAGE) -> dict[Answer, str]:
    """What is said, by its answer."""
    every = checked(held(registry, image), ByKey(key().public_key), demands, NOW)
    assert all(item.text.endswith(".") for item in every)
    return {answer: " ".join(item.text for item in every if item.answer is answer) for answer in Answer}


def is_refused(registry: MemoryRegistry, sentence: str, demands: Demands = DEMANDS, image: Manifest = IMAGE) -> bool:
    against = found(registry, demands, image)
    return bool(re.search(sentence, against[Answer.CONTRADICTED] + against[Answer.OUTDATED]))


@pytest.mark.parametrize("lists_referrers", [False, True])
@pytest.mark.parametrize("sbom", [False, True])
def test_what_a_push_attaches_is_believed(lists_referrers: bool, sbom: bool) -> None:
    demands = replace(DEMANDS, attestations=(*ALWAYS, "sbom")) if sbom else DEMANDS
    answers = found(signed_registry(statements(sbom=sbom), lists_referrers=lists_referrers), demands)
    assert not answers[Answer.CONTRADICTED] and not answers[Answer.OUTDATED] and not answers[Answer.OPEN]
    assert "has signed" in answers[Answer.CONFIRMED]


def test_what_the_policy_does_not_demand_is_said() -> None:
    answers = found(signed_registry(), Demands(stages=STAGES))
    assert not answers[Answer.CONTRADICTED]
    for sentence in ("sets no limit", f"Its builder is {BUILDER.id}, and the policy demands none"):
        assert sentence in answers[Answer.OPEN]


@pytest.mark.parametrize("kind", range(3))
def test_a_missing_attestation_is_refused(kind: int) -> None:
    every = statements()
    missing = every.pop(kind)
    assert is_refused(signed_registry(every), f"There is no {missing.title} for this image")


def test_a_missing_or_foreign_signature_is_refused() -> None:
    registry = signed_registry()
    del registry.manifests[tag_of(IMAGE.digest, ".sig")]
    assert is_refused(registry, "There is no signature on sha256")
    attach(registry, IMAGE, [], strange_key(), FixedClock())
    assert is_refused(registry, "No signature on .* It is by another key")


def test_attestations_by_another_key_count_for_nothing() -> None:
    registry = MemoryRegistry()
    registry.put_manifest("1.0", IMAGE)
    attach(registry, IMAGE, statements(), strange_key(), FixedClock())
    assert is_refused(registry, "There is no provenance .* None of its 1 signatures is by the key")


def test_attestations_by_another_key_beside_ours_do_no_harm() -> None:
    registry = signed_registry()
    attach(registry, IMAGE, statements(result="FAILED"), strange_key(), FixedClock())
    answers = found(registry)
    assert not answers[Answer.CONTRADICTED]
    assert "3 more are there, and count for nothing" in answers[Answer.OPEN]


def test_what_was_made_for_another_image_is_refused() -> None:
    registry = signed_registry()
    body = IMAGE.body + b" "
    other = Manifest(digest=digest_of(body), media_type=IMAGE.media_type, body=body)
    registry.put_manifest("other", other)
    for suffix in (".sig", ".att"):
        registry.retag(tag_of(IMAGE.digest, suffix), tag_of(other.digest, suffix))
    assert is_refused(registry, f"No signature on .* made for another image than {other.digest}", image=other)
    assert is_refused(registry, f"There is no provenance .* made for another image than {other.digest}", image=other)
    # Nor does an index help that names for the other image what refers to this one.
    for suffix in (".sig", ".att"):
        del registry.manifests[tag_of(other.digest, suffix)]
    registry.retag(tag_of(IMAGE.digest), tag_of(other.digest))
    assert is_refused(registry, "There is no signature", image=other)
    assert not held(registry, other).envelopes


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"result": "FAILED"}, "It says 'FAILED' and not 'PASSED'"),
        ({"result": None}, "It says 'None' and not 'PASSED'"),
        ({"failedTests": ["test"]}, "and not 'PASSED'"),
        ({"passedTests": ["build"]}, "these stages have passed: test"),
        ({"passedTests": None}, "these stages have passed: test, build"),
        ({"passedTests": "test build"}, "these stages have passed: test, build"),
        ({"summary": {"verificationResult": "FAILED"}}, "It says 'FAILED' and not 'PASSED'"),
        ({"summary": {"resourceUri": "pkg:oci/other"}}, "The resource that it names is not this image"),
        ({"summary": {"timeVerified": "yesterday"}}, "does not say when"),
        ({"summary": {"timeVerified": None}}, "does not say when"),
        ({"summary": {"inputAttestations": []}}, "was not made from this provenance"),
        ({"summary": {"inputAttestations": [1, {"uri": PROVENANCE, "digest": {}}]}}, "not made from this test result"),
        ({"made": "2025-12-30T23:59:00Z"}, "It is 2.0 days old; at most 2 are allowed"),
        ({"made": "2026-01-02T00:06:00Z"}, "made in the future"),
    ],
)
def test_what_does_not_say_pass_now_is_refused(changes: dict[str, Any], sentence: str) -> None:
    assert is_refused(signed_registry(statements(**changes)), sentence)


@pytest.mark.parametrize(
    ("demands", "sentence"),
    [
        (replace(DEMANDS, builder="https://other"), "Its builder is 'https://ci.example/builder' and not"),
        (replace(DEMANDS, source="https://other"), "Its source is 'https://example/repo' and not"),
        (replace(DEMANDS, stages=("test", "lint")), "these stages have passed: lint"),
        (replace(DEMANDS, attestations=(*ALWAYS, "sbom")), "There is no SBOM"),
        (replace(DEMANDS, max_age_days=0.5), "It is 1.0 days old; at most 0.5 are allowed"),
    ],
)
def test_what_is_demanded_and_not_so_is_refused(demands: Demands, sentence: str) -> None:
    assert is_refused(signed_registry(), sentence, demands)


@pytest.mark.parametrize("predicate", [{}, {"buildDefinition": []}, {"buildDefinition": {"buildType": "urn:other"}}])
def test_a_provenance_of_another_build_is_refused(predicate: dict[str, Any]) -> None:
    every = [said(PROVENANCE, predicate), *statements()[1:]]
    assert is_refused(signed_registry(every), "a build of the type")


def test_the_newest_summary_leads_and_finds_what_it_was_made_from() -> None:
    registry = signed_registry(statements(made="2025-06-01T00:00:00Z", passedTests=["test"]))
    assert is_refused(registry, "at most 2 are allowed")
    attach(registry, IMAGE, statements(), key(), FixedClock())
    assert not found(registry)[Answer.CONTRADICTED] + found(registry)[Answer.OUTDATED]
    # Somebody who puts the old one there again does not make it the newest.
    attach(registry, IMAGE, statements(made="2025-06-01T00:00:00Z", passedTests=["test"]), key(), FixedClock())
    assert not found(registry)[Answer.CONTRADICTED] + found(registry)[Answer.OUTDATED]


def test_an_hour_s_zone_is_minded() -> None:
    registry = signed_registry(statements(made="2026-01-02T01:00:00+02:00"))
    assert not found(registry, replace(DEMANDS, max_age_days=timedelta(hours=1.1) / timedelta(days=1)))[Answer.OUTDATED]


@pytest.mark.parametrize(
    "layers",
    [
        [], None, [1], {"mediaType": "text/plain"}, {"digest": "md5:0"}, {"size": 10**12}, {"annotations": 1},
        {"annotations": {"dev.cosignproject.cosign/signature": "?"}}, {"annotations": {}},
    ],
)  # fmt: skip
def test_what_has_another_form_counts_for_nothing(layers: Any) -> None:
    registry = signed_registry()
    tag = tag_of(IMAGE.digest, ".sig")
    document = registry.document(tag)
    changed = [{**layer, **layers} for layer in document["layers"]] if isinstance(layers, dict) else layers
    body = json.dumps({**document, "layers": changed}).encode()
    registry.manifests[tag] = Manifest(digest=digest_of(body), media_type=IMAGE.media_type, body=body)
    assert is_refused(registry, "signature on sha256")


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"dsseEnvelope": {}}'])
def test_blobs_that_hold_something_else_count_for_nothing(body: bytes) -> None:
    registry = signed_registry()
    for tag in ("", ".att"):
        every = registry.document(tag_of(IMAGE.digest, tag))
        for item in every.get("layers", every.get("manifests", ())):
            layer = registry.document(item["digest"])["layers"][0] if not tag else item
            registry.blobs[layer["digest"]] = body
    assert is_refused(registry, "There is no provenance")
    registry.manifests[tag_of(IMAGE.digest)] = Manifest(digest="", media_type="", body=b"{")
    assert is_refused(registry, "There is no provenance")
    for manifest in list(registry.manifests.values()):
        if b"subject" in manifest.body:
            registry.manifests[manifest.digest] = replace(manifest, body=b"{")
    assert is_refused(registry, "There is no provenance")
