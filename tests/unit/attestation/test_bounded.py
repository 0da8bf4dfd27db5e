"""What a signer attached long ago goes, and nothing of anybody else ever does."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.attestation.artifacts import KEPT, SIGNER_ANNOTATION, bounded, tag_of
from pipeline.attestation.attaching import attach
from pipeline.attestation.keys import ephemeral_key
from pipeline.testing import FixedClock
from tests.signed_images import IMAGE, key, signed_registry, statements, strange_key

SIGNERS, KINDS = ("ours", "theirs", ""), ("provenance", "summary", "")


def item(number: int, signer: str, kind: str) -> dict[str, Any]:
    told = {SIGNER_ANNOTATION: signer, "predicateType": kind}
    return {"digest": f"sha256:{number}", "annotations": {name: value for name, value in told.items() if value}}


ITEMS = st.lists(st.tuples(st.sampled_from(SIGNERS), st.sampled_from(KINDS)), max_size=30)


@given(ITEMS, st.integers(1, 5))
def test_the_newest_of_each_kind_stay_in_order(spoken: list[tuple[str, str]], most: int) -> None:
    items = [item(number, *one) for number, one in enumerate(spoken)]
    ours = [item(100, "ours", "provenance"), item(101, "ours", "summary")]
    left = bounded([*items, *ours], ours, most)
    assert left[-2:] == ours
    assert [one for one in left if one in items] == [one for one in items if one in left]
    for kind in KINDS:
        of_kind = [one for one in (*items, *ours) if one["annotations"] == notes(kind)]
        # Of a kind that is not attached now nothing is taken away.
        expected = of_kind[-most:] if kind else of_kind
        assert [one for one in left if one["annotations"] == notes(kind)] == expected
    others = [one for one in items if one["annotations"].get(SIGNER_ANNOTATION) != "ours"]
    assert [one for one in left if one in others] == others


def notes(kind: str) -> dict[str, str]:
    found: dict[str, str] = item(0, "ours", kind)["annotations"]
    return found


def test_descriptors_without_annotations_stay() -> None:
    strange: list[dict[str, Any]] = [{"digest": "sha256:1"}, {"digest": "sha256:2", "annotations": 1}]
    assert bounded([*strange, item(3, "ours", "x")], [item(3, "ours", "x")], 1) == [*strange, item(3, "ours", "x")]


def test_a_signer_s_old_attestations_go_and_another_s_stay() -> None:
    registry = signed_registry()
    attach(registry, IMAGE, statements(), strange_key(), FixedClock())
    for _ in range(KEPT + 3):
        attach(registry, IMAGE, statements(), key(), FixedClock())
    assert len(registry.document(tag_of(IMAGE.digest))["manifests"]) == 3 * KEPT + 3
    assert len(registry.document(tag_of(IMAGE.digest, ".att"))["layers"]) == 3 * KEPT + 3
    assert len(registry.document(tag_of(IMAGE.digest, ".sig"))["layers"]) == KEPT + 1


def test_keys_of_single_runs_know_each_other_by_a_label() -> None:
    registry = signed_registry()
    for _ in range(KEPT + 3):
        attach(registry, IMAGE, statements(), ephemeral_key(), FixedClock(), label="ephemeral")
    assert len(registry.document(tag_of(IMAGE.digest, ".sig"))["layers"]) == KEPT + 1
