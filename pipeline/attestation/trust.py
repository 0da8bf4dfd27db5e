"""Whose signatures count: what a verifier asks of everything that is held about an image.

A key of one's own is one answer, an identity that sigstore vouches for (:mod:`.identity`) the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pipeline.attestation.envelope import NotTrusted
from pipeline.attestation.keys import PublicKey
from pipeline.attestation.reading import Held
from pipeline.attestation.simple_signing import signed_reference
from pipeline.attestation.statement import SIGNATURE, read_statement


class Trust(Protocol):
    """Somebody whose signatures count. ``title`` and ``short`` say who, within a sentence."""

    @property
    def title(self) -> str:
        """Who, like ``the key 0123456789ab``."""
        ...

    @property
    def short(self) -> str:
        """The same where it was said before: ``this key``."""
        ...

    @property
    def label(self) -> str:
        """What stands at what this signer attaches, so that it finds its own again. It proves nothing."""
        ...

    def signed_as(self, held: Held) -> str:
        """The name as which the image is signed. Raises NotTrusted, with every reason, when it is not."""
        ...

    def payloads(self, held: Held) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
        """What was signed of the attestations that are held, and why others do not count (full sentences)."""
        ...


@dataclass(frozen=True, slots=True)
class ByKey:
    """Fulfils :class:`Trust`: what this key has signed."""

    key: PublicKey

    @property
    def title(self) -> str:
        """The key by the beginning of its name."""
        return f"the key {self.key.id[:12]}"

    @property
    def short(self) -> str:
        """This key."""
        return "this key"

    @property
    def label(self) -> str:
        """The key's name."""
        return self.key.id

    def signed_as(self, held: Held) -> str:
        """The name in the first signature (cosign's simple signing) that is this key's and about the image."""
        if not held.signatures:
            raise NotTrusted(f"There is no signature on {held.image.digest}.")
        reasons = []
        for payload, signature in held.signatures:
            if not self.key.verifies(signature, payload):
                reasons.append("It is by another key, or what was signed has been changed.")
                continue
            try:
                return signed_reference(payload, held.image.digest)
            except NotTrusted as error:
                reasons.append(str(error))
        why = " ".join(dict.fromkeys(reasons))
        raise NotTrusted(f"No signature on {held.image.digest} is by {self.title}: {why}")

    def payloads(self, held: Held) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
        """Of the envelopes."""
        opened, refused = [], []
        for envelope in held.envelopes:
            try:
                opened.append(envelope.opened(self.key))
            except NotTrusted as error:
                refused.append(str(error))
        return tuple(opened), tuple(refused)


def signed_within(trust: Trust, held: Held) -> str:
    """The name as which the image is signed by a statement in a bundle, as cosign 3 has it.

    Raises:
        NotTrusted: there is no such statement by whom ``trust`` names, with every reason.
    """
    if not held.bundles:
        raise NotTrusted(f"There is no signature on {held.image.digest} that comes with a certificate.")
    opened, refused = trust.payloads(held)
    reasons = list(refused)
    for payload in opened:
        try:
            statement = read_statement(payload, held.image.digest)
        except NotTrusted as error:
            reasons.append(str(error))
            continue
        if statement.predicate_type == SIGNATURE:
            return statement.name
    why = " ".join(dict.fromkeys(reasons)) or "There are attestations only."
    raise NotTrusted(f"No signature on {held.image.digest} is by {trust.title}: {why}")
