"""With what a push signs, or why it does not."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.attestation.keys import Signer
from pipeline.attestation.predicates import Builder


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """``signer`` is none where nothing is signed, and ``why_not`` then says why, as a full sentence.

    An ``ephemeral`` key is made for one run and then forgotten; it vouches for nobody.
    """

    builder: Builder
    signer: Signer | None = None
    ephemeral: bool = False
    why_not: str = ""
