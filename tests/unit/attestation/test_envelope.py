"""DSSE: the encoding of the specification's own example, and envelopes that are opened by the right key alone."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.attestation.envelope import PAYLOAD_TYPE, NotTrusted, encoded, envelope_of, read_envelope, sealed
from tests.signed_images import key, strange_key


def test_the_encoding_is_that_of_the_specification() -> None:
    # DSSE protocol.md, "Test vectors".
    assert encoded("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert encoded("ü", "ü".encode()) == b"DSSEv1 2 \xc3\xbc 2 \xc3\xbc"


@given(st.text(max_size=9), st.binary(max_size=9), st.text(max_size=9), st.binary(max_size=9))
def test_no_two_payloads_are_encoded_alike(kind: str, body: bytes, other_kind: str, other: bytes) -> None:
    assert (encoded(kind, body) == encoded(other_kind, other)) == ((kind, body) == (other_kind, other))


@given(st.binary(max_size=100))
def test_an_envelope_is_read_as_it_was_written(payload: bytes) -> None:
    envelope = sealed(payload, key())
    assert read_envelope(envelope.render()) == envelope
    assert envelope.opened(key().public_key) == payload
    with pytest.raises(NotTrusted, match="None of its 1 signatures"):
        envelope.opened(strange_key().public_key)
    with pytest.raises(NotTrusted, match="None of its 1 signatures"):
        replace(envelope, payload=payload + b" ").opened(key().public_key)
    with pytest.raises(NotTrusted, match="None of its 0 signatures"):
        replace(envelope, signatures=()).opened(key().public_key)


def test_one_good_signature_among_others_is_enough() -> None:
    envelope = sealed(b"x", key())
    both = replace(envelope, signatures=(*sealed(b"x", strange_key()).signatures, *envelope.signatures))
    assert both.opened(key().public_key) == b"x"


SOUND: dict[str, Any] = {
    "payload": base64.b64encode(b"{}").decode(),
    "payloadType": PAYLOAD_TYPE,
    "signatures": [{"sig": "eA=="}],
}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "not a DSSE envelope"),
        ({**SOUND, "payload": "?"}, "not a DSSE envelope"),
        ({**SOUND, "payload": 1}, "not a DSSE envelope"),
        ({**SOUND, "signatures": None}, "not a DSSE envelope"),
        ({**SOUND, "signatures": ["x"]}, "not a DSSE envelope"),
        ({**SOUND, "signatures": [{"sig": "é"}]}, "not a DSSE envelope"),
        ({**SOUND, "payloadType": "text/plain"}, "not an in-toto statement"),
    ],
)
def test_what_is_no_envelope_is_refused(document: Any, sentence: str) -> None:
    assert envelope_of(SOUND).signatures[0].keyid == ""
    with pytest.raises(NotTrusted, match=sentence):
        envelope_of(document)
    with pytest.raises(NotTrusted, match=sentence):
        read_envelope(json.dumps(document).encode())


@pytest.mark.parametrize("body", [b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(NotTrusted, match="not JSON"):
        read_envelope(body)


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_an_envelope_with_a_bit_turned_gives_the_same_payload_or_none(at: int, bit: int) -> None:
    payload = b'{"predicate": "what was signed"}'
    body = bytearray(ENVELOPE)
    body[at % len(body)] ^= 1 << bit
    try:
        found = read_envelope(bytes(body)).opened(key().public_key)
    except NotTrusted:
        return
    # The key's name is only a hint, and the last letter of base64 has bits that mean nothing.
    assert found == payload


ENVELOPE = sealed(b'{"predicate": "what was signed"}', key()).render()
