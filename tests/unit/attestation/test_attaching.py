"""Attaching: what lies where in the end, in what order it came, and that nothing of others is lost."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pipeline.attestation import artifacts
from pipeline.attestation.attaching import TRIES, attach
from pipeline.attestation.reading import held
from pipeline.core.containers import Manifest
from pipeline.core.oci_manifest import digest_of
from pipeline.errors import RegistryTrouble
from pipeline.testing import FixedClock
from tests.memory_registry import MemoryRegistry
from tests.signed_images import IMAGE, key, signed_registry, statements, strange_key

FALLBACK, SIGNATURES, ATTESTATIONS = (artifacts.tag_of(IMAGE.digest, suffix) for suffix in ("", ".sig", ".att"))


def attach_again(registry: MemoryRegistry) -> tuple[str, ...]:
    return attach(registry, IMAGE, statements(), strange_key(), FixedClock())


@pytest.mark.parametrize("lists_referrers", [False, True])
def test_everything_is_attached_and_found_again(lists_referrers: bool) -> None:
    registry = signed_registry(lists_referrers=lists_referrers)
    found = held(registry, IMAGE)
    assert len(found.signatures) == 1
    assert len(found.envelopes) == 3
    # The fallback tag is for registries that have no index of their own (OCI distribution specification 1.1).
    assert (FALLBACK in registry.manifests) is not lists_referrers
    (payload, signature) = found.signatures[0]
    assert key().public_key.verifies(signature, payload)


def test_the_layout_is_cosign_s() -> None:
    registry = signed_registry()
    document = registry.document(SIGNATURES)
    (layer,) = document["layers"]
    assert document["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    configuration = json.loads(registry.blobs[document["config"]["digest"]])
    assert configuration["rootfs"]["diff_ids"] == [layer["digest"]]
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    assert base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"])
    attestations = registry.document(ATTESTATIONS)["layers"]
    assert {item["mediaType"] for item in attestations} == {"application/vnd.dsse.envelope.v1+json"}
    assert {item["annotations"]["dev.cosignproject.cosign/signature"] for item in attestations} == {""}
    assert {item["annotations"]["predicateType"] for item in attestations} == {s.predicate_type for s in statements()}


def test_a_referrer_is_a_bundle_about_the_image() -> None:
    registry = signed_registry()
    for item in registry.document(FALLBACK)["manifests"]:
        document = registry.document(item["digest"])
        assert document["subject"] == {"mediaType": IMAGE.media_type, "size": len(IMAGE.body), "digest": IMAGE.digest}
        assert document["artifactType"] == item["artifactType"]
        bundle = json.loads(registry.blobs[document["layers"][0]["digest"]])
        assert bundle["mediaType"] == document["artifactType"]
        hint = base64.b64decode(bundle["verificationMaterial"]["publicKey"]["hint"])
        assert hint.hex() == key().public_key.id


def test_children_come_before_what_names_them_and_nothing_is_tagged() -> None:
    registry = signed_registry()
    named = [registry.puts.index(item["digest"]) for item in registry.document(FALLBACK)["manifests"]]
    assert max(named) < registry.puts.index(FALLBACK)
    assert registry.puts[0] == "1.0" and not [tag for tag in registry.puts[1:] if not tag.startswith("sha256")]


def test_a_second_signer_adds_to_the_first() -> None:
    registry = signed_registry()
    attach_again(registry)
    assert len(registry.document(SIGNATURES)["layers"]) == 2
    assert len(registry.document(ATTESTATIONS)["layers"]) == 6
    assert len(registry.document(FALLBACK)["manifests"]) == 6
    assert len(held(registry, IMAGE).signatures) == 2


@pytest.mark.parametrize("conditional", [True, False])
def test_what_another_writes_in_between_is_not_lost_and_takes_nothing_away(conditional: bool) -> None:
    """Just before our write another client, which knows nothing of us, writes under the same tag."""
    registry = signed_registry(conditional=conditional)
    before = dict(registry.manifests)
    others = [tag for tag in (FALLBACK, SIGNATURES, ATTESTATIONS) for _ in range(2)]

    def another(reference: str) -> None:
        if reference in others:
            others.remove(reference)
            registry.manifests[reference] = foreign(registry, before[reference])

    registry.before_put = another
    attach_again(registry)
    for tag, field, ours in ((FALLBACK, "manifests", 6), (SIGNATURES, "layers", 2), (ATTESTATIONS, "layers", 6)):
        digests = [item["digest"] for item in registry.document(tag)[field]]
        # A registry that minds conditions keeps the other's too. One that does not can't be helped in that.
        assert len(digests) == ours + conditional, tag


def foreign(registry: MemoryRegistry, manifest: Manifest) -> Manifest:
    """The manifest with an entry of somebody else's added."""
    document = json.loads(manifest.body)
    field = "manifests" if "manifests" in document else "layers"
    body = b"of somebody else"
    registry.blobs[digest_of(body)] = body
    document[field].append({"digest": digest_of(body), "size": len(body), "mediaType": "text/plain", "urls": ["x"]})
    return artifacts.manifest_of(document)


def test_ours_is_written_again_when_it_vanishes_a_moment_later() -> None:
    registry = signed_registry()
    before = registry.manifests[FALLBACK]
    gone: list[float] = []

    class Overwritten(FixedClock):
        """While we wait, a slow client writes what it had read before us."""

        def sleep(self, seconds: float) -> None:
            """Once."""
            if not gone:
                registry.manifests[FALLBACK] = before
            gone.append(seconds)

    attach(registry, IMAGE, statements(), strange_key(), Overwritten())
    assert len(registry.document(FALLBACK)["manifests"]) == 6
    assert len(gone) == 2


@pytest.mark.parametrize("rehearsal", [True, False])
def test_nobody_is_waited_for_in_a_rehearsal_and_it_is_looked_at_again_all_the_same(rehearsal: bool) -> None:
    read: list[str] = []
    waited: list[float] = []

    class Noticed(FixedClock):
        """Remembers how long somebody has slept."""

        def sleep(self, seconds: float) -> None:
            """Not at all."""
            waited.append(seconds)

    class Read(MemoryRegistry):
        """Remembers what is read."""

        def manifest(self, reference: str) -> Manifest | None:
            """What lies under it."""
            read.append(reference)
            return super().manifest(reference)

    attach(Read(rehearsal=rehearsal), IMAGE, statements(), strange_key(), Noticed())
    # To join what is there, to see that it was written, and later that ours has stayed.
    assert (read.count(SIGNATURES), read.count(ATTESTATIONS)) == (3, 3)
    assert bool(waited) is not rehearsal


def test_a_registry_that_keeps_nothing_is_trouble() -> None:
    registry = signed_registry()
    before = registry.manifests[FALLBACK]

    class Hopeless(FixedClock):
        """Each time we wait, it is gone."""

        def sleep(self, seconds: float) -> None:
            """Again."""
            registry.manifests[FALLBACK] = before

    with pytest.raises(RegistryTrouble, match=f"does not keep what is written.*joined {TRIES} times"):
        attach(registry, IMAGE, statements(), strange_key(), Hopeless())


def test_a_registry_that_loses_each_write_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = signed_registry()

    def lose(reference: str, manifest: Manifest, *, replacing: str | None = None) -> None:
        del manifest, replacing
        registry.puts.append(reference)

    monkeypatch.setattr(registry, "put_manifest", lose)
    with pytest.raises(RegistryTrouble, match="does not keep what is written under"):
        attach_again(registry)


def test_a_registry_that_means_something_else_by_conditions_is_written_to_without() -> None:
    registry = signed_registry()
    registry.contrary = True
    attach_again(registry)
    assert len(registry.document(FALLBACK)["manifests"]) == 6


@pytest.mark.parametrize("document", [[], {}, {"manifests": None}, {"manifests": [1]}, {"manifests": [{"digest": 1}]}])
def test_what_is_no_index_is_not_overwritten(document: Any) -> None:
    registry = signed_registry()
    body = json.dumps(document).encode()
    registry.manifests[FALLBACK] = Manifest(digest=digest_of(body), media_type=artifacts.INDEX, body=body)
    with pytest.raises(RegistryTrouble, match="not what belongs there"):
        attach_again(registry)
    assert registry.manifests[FALLBACK].body == body
