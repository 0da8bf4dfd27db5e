"""``push``: the tested image to the registry, read back byte by byte, pulled, probed, signed, and only then tagged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from pipeline.core.containers import Manifest, Registry
from pipeline.core.evidence import Control, Evidence
from pipeline.core.gate import Gate, check_gate
from pipeline.core.oci_manifest import ImageContent, image_content, matches, tag_from
from pipeline.core.releases import place_of
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, Metric, Status, Tool
from pipeline.errors import CouldNotTell
from pipeline.settings import Settings
from pipeline.stages.context import Context
from pipeline.stages.push_declared import DeclaredPush
from pipeline.stages.push_exchange import pulled_and_probed, read_back, upload
from pipeline.stages.push_signing import Signed, is_signed_alike, signed
from pipeline.stages.service_container import image_under_test

UNIT = "blobs, signatures and tags"


@dataclass(frozen=True, slots=True)
class PushStage(DeclaredPush):
    """Unit of work: blobs and tags. Expected: what the manifest and the settings name. Checked: what was read back.

    ``needs`` are all other required stages; the composition names them.
    """

    def run(self, context: Context) -> Examination:
        """Push, read back, compare, probe, sign, tag, remember."""
        self.check_settings(context.settings, context.snapshot)
        self._require_the_others(context)
        image = image_under_test(context)
        engine, registry = context.ports.engine(), context.ports.registries().open()
        say = context.ports.progress.say
        say(f"pushing to {registry.reference}{' (a rehearsal)' if registry.rehearsal else ''}")
        sent = upload(context, engine, registry, image)
        manifest, content = sent.manifest, image_content(sent.manifest)
        context.keep("manifest.json", manifest.body.decode("utf-8", "backslashreplace"))
        say(f"reading back {manifest.digest}")
        read = read_back(registry, manifest)
        probed = pulled_and_probed(context, registry, manifest, image)
        gates = (same_configuration(manifest, content, image), *probed.gates)
        tags = release_tags(context.settings, context.snapshot)
        done, moves = Signed(), Moves()
        if all(gate.passed for gate in gates):
            done = signed(context, registry, manifest, self.needs)
            say(f"tagging {', '.join(tags)}")
            likewise = partial(is_signed_alike, context, registry, trust=done.trust, needs=self.needs)
            moves = Moves.of(registry, tags, manifest, likewise)
        evidence = Evidence.of(
            UNIT,
            expected={manifest.digest, *(blob.digest for blob in content.blobs), *done.expected, *tags},
            checked={manifest.digest, *(blob.digest for blob in content.blobs), *done.expected, *moves.stayed},
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
            "bytes_sent": sent.bytes_sent,
            "bytes_read_back": read + len(manifest.body),
            "tags": " ".join(tags),
        }
        return Examination(
            evidence=evidence,
            gates=(*gates, *done.gates),
            metrics={**metrics, **done.metrics},
            tools=(Tool(name=engine.name, version=engine.version),),
            doubts=moves.doubts,
            notes=(_note(registry, manifest, tags), *done.notes, *moves.notes),
            not_checked=(*probed.not_checked, *done.not_checked),
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


def release_tags(settings: Settings, snapshot: Snapshot) -> tuple[str, ...]:
    """The tags of a release: the version, and the first 12 characters of the commit; a dirty tree's says so."""
    commit = snapshot.commit[:12] + ("-dirty" if snapshot.dirty else "")
    return tuple(dict.fromkeys(tag_from(text) for text in (settings.project.version, commit) if text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Which tags name what they may, and what is to be said of those that name another image: full sentences."""

    stayed: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, registry: Registry, tags: Iterable[str], manifest: Manifest, likewise: Callable[[Manifest], bool]
    ) -> Moves:
        """Give the manifest each tag, and read back what it names then.

        Two pushes at once may share a tag, and the later one has it: ``likewise`` says of another image whether it is
        signed as this one is.
        """
        stayed, doubts, notes = [], [], []
        for tag in tags:
            registry.put_manifest(tag, manifest)
            found = registry.manifest(tag)
            if found is not None and found.digest == manifest.digest and found.body == manifest.body:
                stayed.append(tag)
            elif found is not None and likewise(found):
                stayed.append(tag)
                notes.append(f"Another push has moved {tag} on to {found.digest}, which has the same signer.")
            else:
                names = f"names {found.digest}" if found else "is not there"
                doubts.append(
                    f"The tag {tag} was moved to {manifest.digest}, and {names} a moment later: "
                    "another push may have moved it."
                )
        return cls(stayed=tuple(stayed), doubts=tuple(doubts), notes=tuple(notes))


def same_configuration(manifest: Manifest, content: ImageContent, image: str) -> Gate:
    """An image id is the configuration's digest, or, in an engine that stores what registries do, the manifest's."""
    same = image in (content.configuration.digest, manifest.digest)
    return check_gate(
        same, what="image that the manifest in the registry names", allowed=image, found=content.configuration.digest
    )


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
