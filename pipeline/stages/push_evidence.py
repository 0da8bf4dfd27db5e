"""What ``push`` keeps of a signature that it has read back, and what it amounts to, now and when derived again.

The files of whoever signed with a key are DSSE envelopes (``.intoto.json``) and cosign's signature; of a keyless
signature they are sigstore bundles (``.sigstore.json``).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from pipeline.attestation.checking import checked
from pipeline.attestation.demands import ALWAYS, Demands
from pipeline.attestation.envelope import NotTrusted, read_envelope
from pipeline.attestation.reading import Held, bundled
from pipeline.attestation.statement import SBOM, Statement
from pipeline.attestation.trust import Trust
from pipeline.core.containers import Manifest
from pipeline.core.gate import Gate, check_gate
from pipeline.core.verification import Answer
from pipeline.errors import ToolTrouble

FOLDER = "attestations/"
PUBLIC_KEY = "signing-key.pub"
"""The public half of the key among the stage's raw files, for whoever verifies."""
SIGNATURE = f"{FOLDER}image-signature.json"
ENVELOPE_END, BUNDLE_END = ".intoto.json", ".sigstore.json"
WHAT = "signature and attestations in the registry"


def kept_files(held: Held, every: Iterable[Statement], *, bundles: bool) -> dict[str, str]:
    """The raw files, by their names, of what is held and says exactly this: the whole bundles, or envelopes alone."""
    files = {}
    for statement in every:
        said, name = statement.render(), statement.title.replace(" ", "-")
        if bundles:
            for body in held.bundles:
                if [envelope.payload for envelope in bundled(body)] == [said]:
                    files[f"{FOLDER}{name}{BUNDLE_END}"] = body.decode("utf-8", "backslashreplace") + "\n"
        else:
            for envelope in held.envelopes:
                if envelope.payload == said:
                    files[f"{FOLDER}{name}{ENVELOPE_END}"] = envelope.render().decode("ascii") + "\n"
    return files


def signature_file(payload: bytes, signature: bytes) -> str:
    """A signature over the image, as a file."""
    document = {"payload": payload, "signature": signature}
    return json.dumps({name: base64.b64encode(value).decode("ascii") for name, value in document.items()}) + "\n"


def held_again(files: Mapping[str, str], image: Manifest) -> Held:
    """What the files hold about the image.

    Raises:
        ToolTrouble: one of them is not what such a file is.
    """
    try:
        signatures = []
        if SIGNATURE in files:
            document = json.loads(files[SIGNATURE])
            payload, signature = (base64.b64decode(document[name], validate=True) for name in ("payload", "signature"))
            signatures.append((payload, signature))
        envelopes = tuple(read_envelope(text.encode()) for text in _ending(files, ENVELOPE_END))
    except (ValueError, KeyError, TypeError, binascii.Error, NotTrusted) as error:
        raise ToolTrouble(f"What was kept of the signature can't be read: {error}") from error
    bundles = tuple(text.encode() for text in _ending(files, BUNDLE_END))
    return Held(image=image, reference="", signatures=tuple(signatures), envelopes=envelopes, bundles=bundles)


def has_sbom(every: Iterable[Statement]) -> bool:
    """Whether an SBOM is among the statements."""
    return any(statement.predicate_type == SBOM for statement in every)


def attested(stages: tuple[str, ...], *, sbom: bool, builder: str = "", source: str = "") -> Demands:
    """What must be found of a push that was just made: exactly what it has said."""
    kinds = (*ALWAYS, "sbom") if sbom else ALWAYS
    return Demands(stages=stages, attestations=kinds, builder=builder, source=source, max_age_days=1.0)


def wrong_in(held: Held, trust: Trust, demands: Demands, now: datetime) -> tuple[str, ...]:
    """What speaks against it: full sentences; nothing where it verifies."""
    found = checked(held, trust, demands, now)
    return tuple(item.text for item in found if item.answer in (Answer.CONTRADICTED, Answer.OUTDATED))


def signature_gate(wrong: tuple[str, ...], who: str) -> Gate:
    """The gate; ``who`` says with what it was verified."""
    found = " ".join(wrong) or f"verified with the {who}"
    return check_gate(not wrong, what=WHAT, allowed="verified", found=found)


def _ending(files: Mapping[str, str], end: str) -> list[str]:
    return [text for name, text in sorted(files.items()) if name.startswith(FOLDER) and name.endswith(end)]
