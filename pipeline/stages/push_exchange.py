"""The image's way into the registry by its digest alone, and back: uploaded, read back, compared, pulled, probed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pipeline.core.containers import ContainerEngine, Manifest, Registry
from pipeline.core.gate import Gate, check_gate
from pipeline.core.oci_manifest import image_content
from pipeline.core.stage import NotChecked
from pipeline.errors import EngineTrouble, RegistryTrouble, TargetFault, ToolTrouble
from pipeline.images.pushable import PushableImage, pushable
from pipeline.stages.context import Context
from pipeline.stages.service_container import serving

_DISTRUST = ("x509", "certificate", "HTTP response to HTTPS client")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What was brought there; ``bytes_sent`` are those of blobs that the registry did not have."""

    manifest: Manifest
    bytes_sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What pulling and starting the image showed."""

    gates: tuple[Gate, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()


def exported(context: Context, engine: ContainerEngine, image: str) -> PushableImage:
    """The image out of the engine, ready to be uploaded: the very layers that were tested, compressed as build did."""
    archive, folder = context.scratch / "push.tar", context.ports.cache / "blobs"
    folder.mkdir(parents=True, exist_ok=True)
    engine.export(image, archive)
    with archive.open("rb") as stream:
        ready = pushable(stream, folder)
    archive.unlink()
    return ready


def upload(context: Context, engine: ContainerEngine, registry: Registry, image: str) -> Upload:
    """Bring the blobs there that are not there yet, and then the manifest, by its digest and without a tag.

    Raises:
        RegistryTrouble: the registry refused, or failed for too long.
        ToolTrouble: the manifest is not the one that build has told of.
    """
    ready = exported(context, engine, image)
    _require_as_built(context, ready.manifest)
    sent = 0
    for blob in image_content(ready.manifest).blobs:
        sent += registry.upload(blob, partial(ready.open, blob.digest))
    registry.put_manifest(ready.manifest.digest, ready.manifest)
    return Upload(manifest=ready.manifest, bytes_sent=sent)


def _require_as_built(context: Context, manifest: Manifest) -> None:
    """What was checked by its digest is what goes out; another one is not sent at all."""
    told = str(context.results["build"].metrics.get("manifest_digest", "")) if "build" in context.results else ""
    if told and told != manifest.digest:
        raise ToolTrouble(
            f"The image that was built had the manifest {told}, and what would be pushed now has {manifest.digest}.",
            why="The layers are the same, so another version of the compressor has packed them.",
            advice="Build again with the version that pushes.",
        )


def read_back(registry: Registry, manifest: Manifest) -> int:
    """Read the manifest and every blob by its digest; the number of bytes of the blobs.

    Raises:
        RegistryTrouble: the registry does not hold what was sent to it.
    """
    found = registry.manifest(manifest.digest)
    if found is None:
        raise RegistryTrouble(
            f"{registry.reference} took {manifest.digest} and does not hold it.",
            why="The manifest can't be read back, so nobody could pull the image.",
            advice="Push again; if that does not help, ask whoever runs the registry.",
        )
    if found.body != manifest.body:
        raise RegistryTrouble(f"{registry.reference} gave another manifest than {manifest.digest}, which it took.")
    return registry.verify_blobs(manifest)


def pulled_and_probed(context: Context, registry: Registry, manifest: Manifest, image: str) -> Probe:
    """Pull by digest as a deployment would, compare, and start what was pulled.

    An engine that does not trust a private registry pulls nothing from it. That is the engine's configuration, which is
    not ours to change, and every byte has been read back already: it is said, and no fault of the image.
    """
    engine, settings = context.ports.engine(), context.settings.push
    reference = f"{registry.reference}@{manifest.digest}"
    try:
        pulled = engine.pull(reference, registry.credentials, timeout_s=settings.timeout_s)
    except (RegistryTrouble, EngineTrouble) as trouble:
        if not (settings.ca_file or settings.insecure) or not any(sign in str(trouble) for sign in _DISTRUST):
            raise
        return Probe(not_checked=(NotChecked(what="a pull of the image by the container engine", reason=str(trouble)),))
    # An engine that stores images as registries do names them by the manifest.
    same = check_gate(pulled in (image, manifest.digest), what="image pulled by digest", allowed=image, found=pulled)
    if not same.passed:
        return Probe(gates=(same,))
    path = context.settings.smoke.ready_path
    context.ports.progress.say("probing the pulled image")
    try:
        with serving(context, pulled, "pulled"):
            found = "200"
    except TargetFault as fault:
        found = str(fault)
    ready = check_gate(found == "200", what=f"answer of the pulled image at {path}", allowed="200", found=found)
    return Probe(gates=(same, ready))
