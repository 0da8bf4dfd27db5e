"""``push`` again as far as it goes: the manifest is kept, byte for byte, and names all that was to be read back."""

from __future__ import annotations

import json

from pipeline.core.containers import Manifest
from pipeline.core.evidence import Evidence
from pipeline.core.oci_manifest import IMAGE_TYPES, digest_of, image_content
from pipeline.core.stage import Examination, Metric
from pipeline.core.verification_raw import Rederived
from pipeline.errors import ToolTrouble
from pipeline.rederivation.kept import Kept
from pipeline.stages.push import same_configuration


def rederived(kept: Kept) -> Rederived:
    """What the manifest amounts to."""
    body = kept.text("manifest.json").encode("utf-8")
    digest = digest_of(body)
    if digest != kept.result.metrics.get("manifest_digest"):
        raise ToolTrouble(f"The manifest has the digest {digest}, and the result names another.")
    # Optional in OCI's own format, and then it is that one.
    media_type = str(json.loads(body).get("mediaType") or IMAGE_TYPES[0])
    manifest = Manifest(media_type=media_type, digest=digest, body=body)
    content = image_content(manifest)
    names = {digest, *(blob.digest for blob in content.blobs)}
    gate = same_configuration(manifest, content, str(kept.result.metrics.get("image_id")))
    metrics: dict[str, Metric] = {"manifest_digest": digest, "bytes_read_back": content.size + len(body)}
    return Rederived(
        examination=Examination(
            evidence=Evidence.of(kept.evidence.unit, expected=names, checked=names), gates=(gate,), metrics=metrics
        ),
        tools=(),
        fields=(),
        metrics=tuple(metrics) if kept.evidence.expected <= kept.evidence.checked else ("manifest_digest",),
        taken=(
            "That the registry held every blob, and what the pulled image answered, rest on the report's own word.",
        ),
    )
