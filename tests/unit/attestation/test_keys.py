"""Keys: read in every form that is promised, refused in every other, and never shown."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.attestation.keys import PublicKey, read_private_key, read_public_key
from pipeline.errors import ConfigurationError
from tests.signed_images import key, strange_key
from tests.support import PASSWORD

CURVE = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def openssl(*arguments: str) -> bytes:
    return subprocess.run(("openssl", *arguments), check=True, capture_output=True).stdout


def public_half(private: bytes) -> bytes:
    command = ("openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER")
    return subprocess.run(command, input=private, check=True, capture_output=True).stdout


@pytest.mark.parametrize(
    ("arguments", "passphrase"),
    [
        (("genpkey", *CURVE), ""),
        (("genpkey", *CURVE, "-aes256", "-pass", f"pass:{PASSWORD}"), PASSWORD),
        (("ecparam", "-name", "prime256v1", "-genkey", "-noout"), ""),
    ],
    ids=["PKCS 8", "PKCS 8, encrypted", "SEC 1"],
)
def test_a_key_of_openssl_is_read(arguments: tuple[str, ...], passphrase: str) -> None:
    one = read_private_key(openssl(*arguments), passphrase, "a file")
    assert one.public_key.verifies(one.sign(b"message"), b"message")
    assert read_public_key(one.public_key.pem.encode(), "a file") == one.public_key
    assert "PRIVATE" not in repr(one)


def test_a_key_is_named_by_its_public_half(tmp_path: Path) -> None:
    path = tmp_path / "key.pub"
    path.write_text(key().public_key.pem, encoding="ascii")
    der = openssl("pkey", "-pubin", "-in", str(path), "-outform", "DER")
    assert key().public_key.id == hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize(
    ("arguments", "passphrase", "sentence"),
    [
        (("genpkey", *CURVE, "-aes256", "-pass", f"pass:{PASSWORD}"), "", "It is encrypted"),
        (("genpkey", *CURVE, "-aes256", "-pass", f"pass:{PASSWORD}"), PASSWORD[::-1], "the passphrase is wrong"),
        (("genpkey", *CURVE), PASSWORD, "It is not encrypted, and there is a passphrase"),
        (("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"), "", "not one of ECDSA on the curve"),
        (("genpkey", "-algorithm", "ED25519"), "", "not one of ECDSA on the curve"),
    ],
)
def test_another_key_is_refused(arguments: tuple[str, ...], passphrase: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        read_private_key(openssl(*arguments), passphrase, "a file")
    assert PASSWORD not in str(caught.value) and PASSWORD[::-1] not in str(caught.value)


def test_what_is_no_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="it is no PEM private key"):
        read_private_key(b"nothing", "", "a file")
    rsa = openssl("genpkey", "-algorithm", "ED25519", "-outform", "DER")
    with pytest.raises(ConfigurationError, match="was taken for one"):
        PublicKey(public_half(rsa)).verifies(b"", b"")
    form = "ENCRYPTED SIGSTORE PRIVATE " + "KEY"
    with pytest.raises(ConfigurationError, match="cosign's own encrypted form"):
        read_private_key(f"-----BEGIN {form}-----".encode(), "", "a file")
    for pem in (b"nothing", openssl("genpkey", *CURVE)):
        with pytest.raises(ConfigurationError, match="holds no public key"):
            read_public_key(pem, "a file")


@given(message=st.binary(max_size=200), at=st.integers(0, 199), signature=st.binary(max_size=80))
def test_nothing_but_the_same_message_verifies(message: bytes, at: int, signature: bytes) -> None:
    good = key().sign(message)
    assert key().public_key.verifies(good, message)
    assert not strange_key().public_key.verifies(good, message)
    assert not key().public_key.verifies(good, message + b"x")
    assert not key().public_key.verifies(signature, message)
    if message:
        turned = bytearray(message)
        turned[at % len(message)] ^= 1
        assert not key().public_key.verifies(good, bytes(turned))
