"""With what a push signs, or why it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.attestation.keys import Signer
from pipeline.attestation.predicates import Builder
from pipeline.attestation.statement import Statement
from pipeline.attestation.trust import Trust


class Keyless(Protocol):
    """Signs as an identity that is known for this run alone; a certificate and a public log stand for it."""

    def signed(self, statements: Sequence[Statement]) -> tuple[tuple[tuple[Statement, bytes], ...], Trust]:
        """Each statement with its sigstore bundle, and who has signed them.

        Raises:
            CouldNotTell: one of sigstore's services does not do its part.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """``signer`` has a key, ``keyless`` an identity; with neither nothing is signed, and ``why_not`` says why.

    An ``ephemeral`` key is made for one run and then forgotten; it vouches for nobody.
    """

    builder: Builder
    signer: Signer | None = None
    keyless: Keyless | None = None
    ephemeral: bool = False
    why_not: str = ""
