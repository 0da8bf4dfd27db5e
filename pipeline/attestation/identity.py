"""Signatures without a key of one's own: an identity that sigstore vouches for, verified from a root of trust, offline.

The ``sigstore`` library does all of it (certificate, its time stamp, the transparency log's proof, the envelope); it
is the optional extra ``keyless`` of this package, and imported here alone.
"""

# pylint: disable=import-outside-toplevel  # an optional part, and one that takes half a second

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pipeline.attestation.envelope import PAYLOAD_TYPE, NotTrusted
from pipeline.attestation.reading import Held
from pipeline.attestation.trust import signed_within
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from sigstore.verify import Verifier

INSTALL = "pip install 'proven-pipeline[keyless]'"


def require_extra() -> None:
    """Raises ConfigurationError, with the command that mends it, where the extra ``keyless`` is not installed."""
    if find_spec("sigstore") is None:
        raise ConfigurationError(
            "Keyless signatures need the library sigstore, and it is not installed.",
            why="It is an extra of this package, since most projects sign with a key.",
            advice=f"Install it with: {INSTALL}; ./noxw installs it by itself where push.keyless is set.",
        )


def verifier_of(trusted_root: str, source: str) -> Verifier:
    """A verifier by a root of trust in sigstore's JSON form (``trusted_root.json``); ``source`` is its name for people.

    Without one it is that of sigstore's public instance, as the installed release of the library brings it.

    Raises:
        ConfigurationError: the extra is missing, or it is no such root.
    """
    require_extra()
    from sigstore.errors import Error
    from sigstore.models import TrustedRoot
    from sigstore.verify import Verifier
    from sigstore_models.trustroot.v1 import TrustedRoot as Document

    if not trusted_root:
        return Verifier.production(offline=True)
    try:
        return Verifier(trusted_root=TrustedRoot(Document.from_json(trusted_root)))
    except (Error, ValueError) as error:
        raise ConfigurationError(
            f"{source} is no root of trust in sigstore's form.",
            why=f"{type(error).__name__}.",
            advice="It is what sigstore calls trusted_root.json.",
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ByIdentity:
    """Fulfils :class:`.trust.Trust`: what ``name`` has signed, as ``issuer`` (an OpenID Connect issuer) knew it."""

    name: str
    issuer: str
    verifier: Verifier = field(repr=False, compare=False)

    @property
    def title(self) -> str:
        """The identity and who vouches for it."""
        return f"the identity {self.name} of {self.issuer}"

    @property
    def short(self) -> str:
        """This identity."""
        return "this identity"

    @property
    def label(self) -> str:
        """A digest of both names."""
        return hashlib.sha256(f"{self.issuer} {self.name}".encode()).hexdigest()

    def signed_as(self, held: Held) -> str:
        """The name in the first statement of this identity that the image is signed."""
        return signed_within(self, held)

    def payloads(self, held: Held) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
        """Of the bundles."""
        opened, refused = [], []
        for body in held.bundles:
            try:
                opened.append(self._opened(body))
            except NotTrusted as error:
                refused.append(str(error))
        return tuple(opened), tuple(refused)

    def _opened(self, body: bytes) -> bytes:
        """The payload of a bundle. Raises NotTrusted; a bundle is anybody's, so whatever goes wrong in it is that."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.x509 import ExtensionNotFound
        from sigstore.errors import Error
        from sigstore.models import Bundle
        from sigstore.verify.policy import AllOf, AnyOf, Identity, OIDCIssuer, OIDCIssuerV2

        try:
            vouched = AnyOf([OIDCIssuerV2(self.issuer), OIDCIssuer(self.issuer)])
            policy = AllOf([Identity(identity=self.name), vouched])
            kind, payload = self.verifier.verify_dsse(Bundle.from_json(body), policy)
        except (Error, ExtensionNotFound, UnsupportedAlgorithm) as error:
            raise NotTrusted(f"It is not by {self.title}: {_first_line(error)}") from None
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError, RecursionError):
            raise NotTrusted("It is no sigstore bundle with a certificate.") from None
        if kind != PAYLOAD_TYPE:
            raise NotTrusted(f"Its payload is a {kind[:80]!r} and not an in-toto statement.")
        return payload


def _first_line(error: Exception) -> str:
    """What the library says, as a sentence of bounded length; it may quote what anybody has put there."""
    text = str(error).strip().partition("\n")[0][:300] or type(error).__name__
    return text if text.endswith(".") else f"{text}."
