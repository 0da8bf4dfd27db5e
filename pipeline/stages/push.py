"""``push``: the tested image to the registry, read back byte by byte, pulled, probed, and only then tagged."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.core.containers import ContainerEngine, Manifest, Registry
from pipeline.core.evidence import Control, Evidence
from pipeline.core.gate import Gate, check_gate
from pipeline.core.oci_manifest import ImageContent, image_content, matches, tag_from
from pipeline.core.releases import place_of
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, Metric, StageResult, Status, Tool
from pipeline.errors import ConfigurationError, CouldNotTell, RegistryTrouble, TargetFault
from pipeline.settings import Push, Settings
from pipeline.stages.context import Context
from pipeline.stages.service_container import image_under_test, serving

UNIT = "blobs and tags"
_STAGING = "staging-"
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")
# The OCI distribution specification's rule for <name>.
_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")


@dataclass(frozen=True, slots=True)
class PushStage:
    """Unit of work: blobs and tags. Expected: what the manifest and the settings name. Checked: what was read back.

    ``needs`` are all other required stages; the composition names them.
    """

    needs: tuple[str, ...]
    name: str = "push"
    summary: str = "Push the tested image, read it back, pull and probe it, then tag it."
    tags: tuple[str, ...] = ("container",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError for an impossible address, and for a dirty tree that would go to a real one."""
        check_address(settings.push)
        if settings.push.registry and snapshot.dirty:
            raise ConfigurationError(
                f"The checkout has changes that are not committed, so nothing is pushed to {settings.push.registry}.",
                why="What a real registry holds must be found again under its commit.",
                advice="Commit the changes; or leave push.registry empty, which is a rehearsal.",
            )

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """Never: what a registry holds is its owner's to change, and asking anew for all of it is the push itself."""
        del context, result
        return False

    def run(self, context: Context) -> Examination:
        """Push, read back, compare, probe, tag, remember."""
        self.check_settings(context.settings, context.snapshot)
        self._require_the_others(context)
        image = image_under_test(context)
        engine, registry = context.ports.engine(), context.ports.registries().open()
        say = context.ports.progress.say
        say(f"pushing to {registry.reference}{' (a rehearsal)' if registry.rehearsal else ''}")
        manifest = push_staged(context, engine, registry, image)
        context.keep("manifest.json", manifest.body.decode("utf-8", "backslashreplace"))
        content = image_content(manifest)
        say(f"reading back {manifest.digest}")
        read = registry.verify_blobs(manifest)
        checked = {manifest.digest, *(blob.digest for blob in content.blobs if read == content.size)}
        gates = (same_configuration(manifest, content, image), *_pulled_and_probed(context, registry, manifest, image))
        tags = release_tags(context.settings, context.snapshot)
        if all(gate.passed for gate in gates):
            say(f"tagging {', '.join(tags)}")
            checked |= {tag for tag in tags if moved(registry, tag, manifest)}
        evidence = Evidence.of(
            UNIT,
            expected={manifest.digest, *(blob.digest for blob in content.blobs), *tags},
            checked=checked,
            controls=(
                Control(
                    tool="the digest verification",
                    planted="corrupted manifest",
                    caught=not matches(_corrupted(manifest)),
                ),
            ),
        )
        if not evidence.doubts and all(gate.passed for gate in gates):
            context.ports.releases.record(place_of(registry), manifest.digest)
        metrics: dict[str, Metric] = {
            "manifest_digest": manifest.digest,
            "image_id": image,
            "registry": "rehearsal" if registry.rehearsal else "real",
            "reference": f"{registry.reference}@{manifest.digest}",
            "bytes_read_back": read + len(manifest.body),
            "tags": " ".join(tags),
        }
        return Examination(
            evidence=evidence,
            gates=gates,
            metrics=metrics,
            tools=(Tool(name=engine.name, version=engine.version),),
            notes=(_note(registry, manifest, tags),),
        )

    def _require_the_others(self, context: Context) -> None:
        """This stage's own check, besides the plan's: what is not proved for this very snapshot is not pushed."""
        for need in self.needs:
            result = context.results.get(need)
            if result is None or result.status is not Status.PASS or result.snapshot != context.snapshot.digest:
                status = "has not run" if result is None else f"is {result.status}"
                raise CouldNotTell(f"push needs {need} to pass for this snapshot, and {need} {status}.")
        if "canary" in self.needs and "image_id" not in context.results["canary"].metrics:
            raise CouldNotTell(
                "The canary judged a live deployment and not this image.", advice="Run the canary stage without --url."
            )


def check_address(push: Push) -> None:
    """Raises ConfigurationError for a registry, repository or CA file that can't be one."""
    if push.registry and not _HOST.fullmatch(push.registry):
        raise ConfigurationError(
            f"push.registry is {push.registry!r}, which is not host or host:port.",
            advice="Leave out https:// and the repository; the repository is push.repository.",
        )
    if not _REPOSITORY.fullmatch(push.repository):
        raise ConfigurationError(
            f"push.repository is {push.repository!r}, which no registry accepts.",
            advice="Use lower-case letters, digits and . _ - / between them.",
        )
    if push.ca_file and not Path(push.ca_file).is_file():
        raise ConfigurationError(f"push.ca_file names {push.ca_file!r}, and there is no such file.")


def push_staged(context: Context, engine: ContainerEngine, registry: Registry, image: str) -> Manifest:
    """Push under a staging tag, which nobody pulls, and read the manifest back by the digest that was confirmed.

    Raises:
        RegistryTrouble: the registry refused, or does not hold what it confirmed.
    """
    staging = f"{registry.reference}:{_STAGING}{image.removeprefix('sha256:')[:12]}"
    engine.tag(image, staging)
    digest = engine.push(staging, registry.credentials, timeout_s=context.settings.push.timeout_s)
    manifest = registry.manifest(digest)
    if manifest is None:
        raise RegistryTrouble(
            f"{registry.reference} confirmed {digest} and does not hold it.",
            why="The manifest can't be read back, so nobody could pull the image.",
            advice="Push again; if that does not help, ask whoever runs the registry.",
        )
    if manifest.digest != digest or not matches(manifest):
        raise RegistryTrouble(f"{registry.reference} gave another manifest than {digest}, which it confirmed.")
    return manifest


def release_tags(settings: Settings, snapshot: Snapshot) -> tuple[str, ...]:
    """The tags of a release: the version, and the first 12 characters of the commit; a dirty tree's says so."""
    commit = snapshot.commit[:12] + ("-dirty" if snapshot.dirty else "")
    return tuple(dict.fromkeys(tag_from(text) for text in (settings.project.version, commit) if text))


def moved(registry: Registry, tag: str, manifest: Manifest) -> bool:
    """Give the manifest a tag, and read back whether the tag now names it."""
    registry.put_manifest(tag, manifest)
    found = registry.manifest(tag)
    return found is not None and found.digest == manifest.digest and found.body == manifest.body


def same_configuration(manifest: Manifest, content: ImageContent, image: str) -> Gate:
    """An image id is the configuration's digest, or, in an engine that stores what registries do, the manifest's."""
    same = image in (content.configuration.digest, manifest.digest)
    return check_gate(
        same, what="image that the manifest in the registry names", allowed=image, found=content.configuration.digest
    )


def _pulled_and_probed(context: Context, registry: Registry, manifest: Manifest, image: str) -> tuple[Gate, ...]:
    """Pull by digest as a deployment would, compare, and start what was pulled."""
    engine = context.ports.engine()
    pulled = engine.pull(
        f"{registry.reference}@{manifest.digest}", registry.credentials, timeout_s=context.settings.push.timeout_s
    )
    same = check_gate(pulled == image, what="image pulled by digest", allowed=image, found=pulled)
    if not same.passed:
        return (same,)
    path = context.settings.smoke.ready_path
    context.ports.progress.say("probing the pulled image")
    try:
        with serving(context, pulled, "pulled"):
            found = "200"
    except TargetFault as fault:
        found = str(fault)
    return (same, check_gate(found == "200", what=f"answer of the pulled image at {path}", allowed="200", found=found))


def _corrupted(manifest: Manifest) -> Manifest:
    """The same manifest with one bit of one byte turned."""
    return replace(manifest, body=bytes((manifest.body[0] ^ 1,)) + manifest.body[1:])


def _note(registry: Registry, manifest: Manifest, tags: tuple[str, ...]) -> str:
    if registry.rehearsal:
        return (
            f"This was a rehearsal: {manifest.digest} is in the local rehearsal registry, tagged {', '.join(tags)}; "
            "nobody else can pull it. Set push.registry to push for real."
        )
    return f"{registry.reference}@{manifest.digest} is pushed, read back and tagged {', '.join(tags)}."
