"""The certificate in a sigstore bundle: for whom it says that it was made, and its key. It is believed by nobody here.

Sources: sigstore's bundle format 0.3; Fulcio's ``docs/certificate-specification.md`` and ``docs/oid-info.md``.
"""

# pylint: disable=import-outside-toplevel  # cryptography costs 0.1 s, which a stage that signs nothing need not pay

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.attestation.envelope import Envelope, NotTrusted, envelope_of
from pipeline.attestation.keys import PublicKey
from pipeline.attestation.reading import Held
from pipeline.attestation.trust import signed_within

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_ISSUER, _ISSUER_AS_BYTES, _OTHER_NAME = "1.3.6.1.4.1.57264.1.8", "1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.7"
_UTF8_STRING = 0x0C


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Who has signed ``envelope`` by the word of the bundle: an identity, who vouches for it, and the key."""

    identity: str
    issuer: str
    key: PublicKey
    envelope: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class ByClaim:
    """Fulfils :class:`.trust.Trust` without any root of trust: the certificate in a bundle has signed it and names him.

    This shows that the parts of a bundle belong together, and not that sigstore has made the certificate.
    """

    name: str
    issuer: str

    @property
    def title(self) -> str:
        """The identity and who is said to vouch for it."""
        return f"the identity {self.name} of {self.issuer}"

    @property
    def short(self) -> str:
        """This identity."""
        return "this identity"

    @property
    def label(self) -> str:
        """The name; nothing is ever attached as such."""
        return self.name

    def signed_as(self, held: Held) -> str:
        """The name in a statement that the image is signed."""
        return signed_within(self, held)

    def payloads(self, held: Held) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
        """Of the bundles."""
        opened, refused = [], []
        for body in held.bundles:
            try:
                found = claimed(body)
                if (found.identity, found.issuer) != (self.name, self.issuer):
                    raise NotTrusted(f"Its certificate names {found.identity[:200]} of {found.issuer[:200]}.")
                opened.append(found.envelope.opened(found.key))
            except NotTrusted as error:
                refused.append(str(error))
        return tuple(opened), tuple(refused)


def claimed(body: bytes) -> Claimed:
    """What a bundle claims.

    Raises:
        NotTrusted: it is no bundle of an envelope, or has no certificate of such a kind.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import ExtensionNotFound, load_der_x509_certificate

    try:
        document = json.loads(body)
        raw = base64.b64decode(document["verificationMaterial"]["certificate"]["rawBytes"], validate=True)
        certificate = load_der_x509_certificate(raw)
        der = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return Claimed(
            identity=_identity(certificate),
            issuer=_issuer(certificate),
            key=PublicKey(der),
            envelope=envelope_of(document["dsseEnvelope"]),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, ExtensionNotFound):
        raise NotTrusted("It is no bundle with a certificate that names an identity.") from None


def _identity(certificate: Certificate) -> str:
    """The one name that it was made for."""
    from cryptography.x509 import OtherName, RFC822Name, SubjectAlternativeName, UniformResourceIdentifier

    names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    others = [name.value for name in names.get_values_for_type(OtherName) if name.type_id.dotted_string == _OTHER_NAME]
    (found,) = [
        *names.get_values_for_type(RFC822Name),
        *names.get_values_for_type(UniformResourceIdentifier),
        *(value.decode("utf-8") for value in others),
    ]
    return str(found)


def _issuer(certificate: Certificate) -> str:
    """Who vouches for the name: a DER UTF8String, or in the older extension the mere bytes."""
    found: dict[str, bytes] = {
        extension.oid.dotted_string: extension.value.public_bytes() for extension in certificate.extensions
    }
    if _ISSUER not in found:
        return found[_ISSUER_AS_BYTES].decode("utf-8")
    der = found[_ISSUER]
    # One byte of length, or (0x81) one that says so.
    start = 3 if der[1] == 0x81 else 2
    if der[0] != _UTF8_STRING or len(der) != start + der[start - 1]:
        raise ValueError
    return der[start:].decode("utf-8")
