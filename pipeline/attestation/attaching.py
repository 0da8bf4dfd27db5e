"""Signing an image and bringing what was signed to its registry, so that nobody's part of it is lost.

The order is the one that registries need: blobs, then what names them, then the tags. Under a tag that several may
write (the fallback index of referrers, cosign's ``.sig`` and ``.att``) everything is read, joined with ours, written
on the condition that nobody else has written in between, and read back; where a registry ignores the condition, as
distribution 2.8 does, it is looked at again a moment later and joined anew until ours stays. Of what the same signer
attached earlier only the newest few stay, so that an image that is pushed every day does not grow for ever.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipeline.attestation import artifacts
from pipeline.attestation.artifacts import Artifact, Layer
from pipeline.attestation.envelope import sealed
from pipeline.attestation.keys import Signer
from pipeline.attestation.reading import named
from pipeline.attestation.simple_signing import payload_for
from pipeline.attestation.statement import Statement
from pipeline.core.containers import Manifest, ManifestChanged, Registry
from pipeline.core.oci_manifest import Descriptor, digest_of
from pipeline.core.ports import Clock
from pipeline.errors import RegistryTrouble

TRIES = 12
SETTLE_S = 0.3
"""Longer than anybody takes from reading an index to writing it, so that a write that lost ours is seen."""

Make = Callable[[Sequence[Mapping[str, Any]]], Artifact]


@dataclass(frozen=True, slots=True)
class _Joint:
    """A tag that several may write: what of ours belongs under ``key`` there, and how the whole is made."""

    tag: str
    key: str
    ours: tuple[Mapping[str, Any], ...]
    make: Make


def attach(
    registry: Registry,
    image: Manifest,
    statements: Sequence[Statement],
    signer: Signer,
    clock: Clock,
    *,
    label: str = "",
) -> tuple[str, ...]:
    """Sign the image and the statements about it, and bring it all to where the image is; the names of the tags.

    ``label`` is by what the signer knows its own again, if it is not the key's name.

    Raises:
        RegistryTrouble: not all of it is there in the end.
    """
    payload, name = payload_for(registry.reference, image.digest), label or signer.public_key.id
    signature = artifacts.signature_layer(payload, signer.sign(payload), name)
    envelopes = [(statement, sealed(statement.render(), signer)) for statement in statements]
    attestations = [artifacts.attestation_layer(statement, envelope, name) for statement, envelope in envelopes]
    bundles = [(statement, artifacts.bundle(envelope, signer.public_key)) for statement, envelope in envelopes]
    referring = _brought(registry, image, bundles, name)
    joints = [
        _cosign_joint(registry, artifacts.tag_of(image.digest, ".sig"), [signature]),
        _cosign_joint(registry, artifacts.tag_of(image.digest, ".att"), attestations),
        *_fallback(registry, image, referring),
    ]
    settle(registry, joints, clock)
    return tuple(joint.tag for joint in joints)


def attach_bundles(
    registry: Registry, image: Manifest, bundles: Sequence[tuple[Statement, bytes]], signer: str, clock: Clock
) -> tuple[str, ...]:
    """Bring sigstore bundles, each with its statement, to where the image is; the names of the tags, often none.

    ``signer`` is the label of who has signed them.

    Raises:
        RegistryTrouble: not all of it is there in the end.
    """
    joints = _fallback(registry, image, _brought(registry, image, bundles, signer))
    settle(registry, joints, clock)
    return tuple(joint.tag for joint in joints)


def _brought(
    registry: Registry, image: Manifest, bundles: Sequence[tuple[Statement, bytes]], signer: str
) -> list[Artifact]:
    """The bundles as referrers of the image, in the registry by their digests."""
    referring = [artifacts.referrer(image, statement, body, signer) for statement, body in bundles]
    for artifact in referring:
        _bring(registry, artifact.blobs)
        registry.put_manifest(artifact.manifest.digest, artifact.manifest)
    return referring


def _fallback(registry: Registry, image: Manifest, referring: Sequence[Artifact]) -> list[_Joint]:
    """The index of referrers under the fallback tag, where the registry has none of its own that lists them."""
    if _lists_them(registry, image.digest, referring):
        return []
    ours = tuple(artifacts.referrer_descriptor(artifact.manifest) for artifact in referring)
    return [_Joint(artifacts.tag_of(image.digest), "manifests", ours, _index)]


def settle(registry: Registry, joints: Sequence[_Joint], clock: Clock) -> None:
    """Join each, wait, and look again, until nothing of ours had to be written anew.

    A rehearsal is looked at again without a wait: its storage is this checkout's alone, in which one run at a time is.

    Raises:
        RegistryTrouble: others overwrite it again and again.
    """
    for _ in range(TRIES):
        written = [joint.tag for joint in joints if _joined(registry, joint, clock)]
        if not written:
            return
        if not registry.rehearsal:
            clock.sleep(SETTLE_S)
    raise RegistryTrouble(
        f"{registry.reference} does not keep what is written under {', '.join(written)}.",
        why=f"It was joined {TRIES} times with what others wrote there, and was gone again each time.",
    )


def _cosign_joint(registry: Registry, tag: str, layers: Sequence[Layer]) -> _Joint:
    _bring(registry, [layer.body for layer in layers])
    ours = tuple(artifacts.descriptor(layer.media_type, layer.body, layer.annotations) for layer in layers)
    return _Joint(tag, "layers", ours, partial(artifacts.cosign_artifact, blobs=()))


def _index(descriptors: Sequence[Mapping[str, Any]]) -> Artifact:
    return Artifact(manifest=artifacts.index_of(descriptors), blobs=())


def _lists_them(registry: Registry, digest: str, referring: Sequence[Artifact]) -> bool:
    """Whether the registry has an index of referrers of its own, and all of ours are in it."""
    listed = {item["digest"] for item in named(registry.referrers(digest), "manifests")}
    return {artifact.manifest.digest for artifact in referring} <= listed


def _joined(registry: Registry, joint: _Joint, clock: Clock) -> bool:
    """Bring ours under the tag; whether anything had to be written for it."""
    conditional = True
    for attempt in range(TRIES):
        present = registry.manifest(joint.tag)
        there = _everything(present, joint)
        every = artifacts.merged(there, joint.ours)
        if len(every) == len(artifacts.merged(there, ())):
            return bool(attempt)
        artifact = joint.make(artifacts.bounded(every, joint.ours, artifacts.KEPT))
        _bring(registry, artifact.blobs)
        replacing = present.digest if present else ""
        try:
            registry.put_manifest(joint.tag, artifact.manifest, replacing=replacing if conditional else None)
        except ManifestChanged:
            now = registry.manifest(joint.tag)
            # A registry that refuses though nothing has changed means something else by the condition.
            conditional = (now.digest if now else "") != replacing
            clock.sleep(secrets.randbelow(50) / 1000)
    raise RegistryTrouble(f"{registry.reference} does not keep what is written under {joint.tag}.")


def _everything(present: Manifest | None, joint: _Joint) -> Sequence[Mapping[str, Any]]:
    """What stands under the tag, also what means nothing to us: nothing of others is left out.

    Raises:
        RegistryTrouble: it is of another form, so it can't be joined with ours.
    """
    if present is None:
        return ()
    try:
        found = json.loads(present.body)[joint.key]
        if not all(isinstance(item, dict) and isinstance(item["digest"], str) for item in found):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RegistryTrouble(
            f"What lies under {joint.tag} is not what belongs there, so nothing can be added to it.",
            why=f"It is a {present.media_type} without sound {joint.key}.",
            advice="Remove that tag from the registry if it is nobody's.",
        ) from None
    return list(found)


def _bring(registry: Registry, blobs: Sequence[bytes]) -> None:
    for body in blobs:
        registry.upload(Descriptor(digest=digest_of(body), size=len(body)), partial(io.BytesIO, body))
