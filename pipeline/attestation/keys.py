"""ECDSA keys on the curve P-256, as cosign and DSSE use them: read from PEM, sign, verify, and refuse anything else.

A signature is ASN.1 DER over the SHA-256 of the message (FIPS 186-5; RFC 3279, section 2.2.3). A key is named by the
SHA-256 of its public half's SubjectPublicKeyInfo (RFC 5280), in hexadecimal.
"""

# pylint: disable=import-outside-toplevel  # cryptography costs 0.1 s, which a stage that signs nothing need not pay

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

ADVICE = "Make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -out signing-key.pem"
_COSIGN = "ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"


class Signer(Protocol):
    """Signs with a key that stays where it is."""

    @property
    def public_key(self) -> PublicKey:
        """The half by which everybody can check."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature."""
        ...


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a key; ``der`` is its SubjectPublicKeyInfo."""

    der: bytes

    @property
    def id(self) -> str:
        """The SHA-256 of the key, in hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def pem(self) -> str:
        """As a file holds it."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature is this key's over exactly this message."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self._key().verify(signature, message, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    def _key(self) -> EllipticCurvePublicKey:
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        key = load_der_public_key(self.der)
        if not isinstance(key, EllipticCurvePublicKey):
            raise ConfigurationError("A key that is not one of ECDSA was taken for one.")
        return key


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """Fulfils :class:`Signer`. Never shown."""

    _key: EllipticCurvePrivateKey = field(repr=False)

    @property
    def public_key(self) -> PublicKey:
        """The half by which everybody can check."""
        return _public(self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        """The signature; another one each time, since ECDSA draws a random number."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        return self._key.sign(message, ECDSA(SHA256()))


def ephemeral_key() -> PrivateKey:
    """A new key that nobody keeps: what it signs shows that the parts belong together, and not who made them."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    return PrivateKey(generate_private_key(SECP256R1()))


def read_private_key(pem: bytes, passphrase: str, source: str) -> PrivateKey:
    """The key in PEM (PKCS #8, also encrypted, RFC 5958; or SEC 1); ``source`` says for people where it comes from.

    Raises:
        ConfigurationError: it is no such key, of another curve, or the passphrase is missing or wrong.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if any(name.encode() in pem for name in _COSIGN):
        raise ConfigurationError(
            f"The signing key in {source} has cosign's own encrypted form, which is not read here.",
            advice=f"Use one in PKCS #8, which cosign takes too ('cosign import-key-pair'). {ADVICE}",
        )
    try:
        key = load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    except TypeError:
        why = "It is not encrypted, and there is a passphrase." if passphrase else "It is encrypted."
        raise ConfigurationError(
            f"The signing key in {source} can't be opened.",
            why=why,
            advice="Its passphrase belongs in PIPELINE_PUSH_SIGNING_PASSPHRASE; without one leave that unset.",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        # The library's own words may hold a part of what it was given.
        raise ConfigurationError(
            f"The signing key in {source} can't be read: it is no PEM private key, or the passphrase is wrong.",
            advice=ADVICE,
        ) from None
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise ConfigurationError(f"The signing key in {source} is not one of ECDSA on the curve P-256.", advice=ADVICE)
    return PrivateKey(key)


def read_public_key(pem: bytes, source: str) -> PublicKey:
    """The public key in PEM.

    Raises:
        ConfigurationError: it is none, or not one of ECDSA on the curve P-256.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ConfigurationError(f"{source} holds no public key of ECDSA on the curve P-256 in PEM.")
    return _public(key)


def _public(key: EllipticCurvePublicKey) -> PublicKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return PublicKey(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
