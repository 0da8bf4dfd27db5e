"""``push`` again as far as it goes: the manifest and what was signed are kept, byte for byte, and name all the rest."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from pipeline.against import POLICY
from pipeline.attestation.certificate import ByClaim
from pipeline.attestation.keys import read_public_key
from pipeline.attestation.statement import SBOM, read_statement
from pipeline.attestation.trust import ByKey, Trust
from pipeline.core.containers import Manifest
from pipeline.core.evidence import Evidence
from pipeline.core.gate import Gate, check_gate
from pipeline.core.oci_manifest import IMAGE_TYPES, digest_of, image_content
from pipeline.core.stage import Examination, Metric
from pipeline.core.verification_raw import Rederived
from pipeline.errors import ToolTrouble
from pipeline.rederivation.kept import Kept
from pipeline.stages.push import same_configuration
from pipeline.stages.push_evidence import PUBLIC_KEY, WHAT, attested, held_again, signature_gate, wrong_in

_TAKEN = "That the registry held every blob, and what the pulled image answered, rest on the report's own word."
_NO_ROOT = "That sigstore made the certificate of the signature rests on the report's own word: use verify --image."


def rederived(kept: Kept) -> Rederived:
    """What the manifest, and what was signed of it, amount to."""
    body = kept.text("manifest.json").encode("utf-8")
    digest = digest_of(body)
    if digest != kept.result.metrics.get("manifest_digest"):
        raise ToolTrouble(f"The manifest has the digest {digest}, and the result names another.")
    # Optional in OCI's own format, and then it is that one.
    media_type = str(json.loads(body).get("mediaType") or IMAGE_TYPES[0])
    manifest = Manifest(media_type=media_type, digest=digest, body=body)
    content = image_content(manifest)
    names = {digest, *(blob.digest for blob in content.blobs)}
    gates = [same_configuration(manifest, content, str(kept.result.metrics.get("image_id")))]
    metrics: dict[str, Metric] = {"manifest_digest": digest, "bytes_read_back": content.size + len(body)}
    signature = _signature(kept, manifest)
    if signature is not None:
        gates.append(signature)
    return Rederived(
        examination=Examination(
            evidence=Evidence.of(kept.evidence.unit, expected=names, checked=names),
            gates=tuple(gates),
            metrics=metrics,
        ),
        tools=(),
        fields=(),
        metrics=tuple(metrics) if kept.evidence.expected <= kept.evidence.checked else ("manifest_digest",),
        taken=(_TAKEN, _NO_ROOT) if kept.result.metrics.get("signed") == "keyless" else (_TAKEN,),
    )


def _signature(kept: Kept, manifest: Manifest) -> Gate | None:
    """The gate on the signature; none where nothing was signed and nothing had to be, or the push did not get there."""
    told, push = kept.result.metrics.get("signed"), kept.settings.push
    if told in (None, "no"):
        must = push.sign == "required" and kept.result.metrics.get("registry") == "real"
        return check_gate(False, what=WHAT, allowed="verified", found="nothing was signed") if must else None
    trust, who = _signer(kept, str(told))
    found = held_again(kept.raw, manifest)
    payloads, _ = trust.payloads(found)
    sbom = any(read_statement(payload, manifest.digest).predicate_type == SBOM for payload in payloads)
    stages = tuple(name for name in kept.record.required if name not in ("push", POLICY))
    end = datetime.fromisoformat(kept.result.started) + timedelta(seconds=kept.result.duration_s)
    return signature_gate(wrong_in(found, trust, attested(stages, sbom=sbom), end), who)


def _signer(kept: Kept, told: str) -> tuple[Trust, str]:
    """Whose signature it must be, and the same in the words of the gate."""
    if told == "keyless":
        names = (str(kept.result.metrics.get(name)) for name in ("signing_identity", "signing_issuer"))
        claim = ByClaim(name=next(names), issuer=next(names))
        return claim, claim.title.removeprefix("the ")
    key = read_public_key(kept.text(PUBLIC_KEY).encode(), PUBLIC_KEY)
    if key.id != kept.result.metrics.get("signing_key"):
        raise ToolTrouble(f"{PUBLIC_KEY} is another key than the result names.")
    return ByKey(key), f"{told} {key.id[:12]}"
