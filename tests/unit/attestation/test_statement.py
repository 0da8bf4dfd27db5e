"""Statements and signed payloads are read back only for the image that they were made for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.attestation.envelope import NotTrusted
from pipeline.attestation.predicates import Material, image_url
from pipeline.attestation.simple_signing import payload_for, signed_reference
from pipeline.attestation.statement import PROVENANCE, STATEMENT, read_statement
from tests.signed_images import IMAGE, said

OTHER = "sha256:" + "0" * 64
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_a_statement_is_read_as_it_was_written(predicate: dict[str, Any]) -> None:
    statement = said("urn:test", predicate)
    assert read_statement(statement.render(), IMAGE.digest) == statement
    assert statement.render() == said("urn:test", dict(reversed(predicate.items()))).render()
    assert statement.title == "urn:test" and said(PROVENANCE, {}).title == "provenance"
    with pytest.raises(NotTrusted, match="another image"):
        read_statement(statement.render(), OTHER)


def test_one_of_several_subjects_is_enough() -> None:
    document = json.loads(said("urn:test", {}).render())
    document["subject"].insert(0, {"digest": {"sha256": "0" * 64}})
    assert read_statement(json.dumps(document).encode(), IMAGE.digest).name == "team/echo"


@given(JSON)
def test_whatever_is_signed_is_a_statement_or_refused(document: Any) -> None:
    with pytest.raises(NotTrusted):
        read_statement(json.dumps(document).encode(), IMAGE.digest)
    with pytest.raises(NotTrusted):
        signed_reference(json.dumps(document).encode(), IMAGE.digest)


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"}, {"predicate": None}, {"predicateType": 1}, {"subject": [1]},
        {"subject": [{"digest": None}]}, {"subject": []},
    ],
)  # fmt: skip
def test_a_statement_of_another_form_is_refused(change: dict[str, Any]) -> None:
    document = {**json.loads(said("urn:test", {}).render()), **change}
    assert document["_type"] != STATEMENT or change
    with pytest.raises(NotTrusted):
        read_statement(json.dumps(document).encode(), IMAGE.digest)


def test_a_payload_is_for_one_image_and_of_one_type() -> None:
    payload = payload_for("registry.example/echo", IMAGE.digest)
    assert signed_reference(payload, IMAGE.digest) == "registry.example/echo"
    with pytest.raises(NotTrusted, match="another image"):
        signed_reference(payload, OTHER)
    with pytest.raises(NotTrusted, match="of the type 'x'"):
        signed_reference(payload.replace(b"cosign container image signature", b"x"), IMAGE.digest)


def test_an_image_and_a_material_are_named_by_uris() -> None:
    assert (
        image_url("host:5000/team/Echo", "sha256:ab") == "pkg:oci/echo@sha256%3Aab?repository_url=host%3A5000/team/Echo"
    )
    assert Material(name="a", digest={"sha256": "b"}).descriptor() == {"name": "a", "digest": {"sha256": "b"}}
    assert Material(name="a", digest={}, uri="urn:c").descriptor() == {"name": "a", "uri": "urn:c", "digest": {}}
