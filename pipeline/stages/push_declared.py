"""``push`` as it declares itself: all that its statements say, and settings under which it can be signed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from pipeline.core.cache_inputs import EVERYTHING, Inputs
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult
from pipeline.errors import ConfigurationError, RegistryTrouble
from pipeline.settings import Settings
from pipeline.settings_push import Push
from pipeline.stages.context import Context
from pipeline.stages.declared import whole
from pipeline.stages.inputs import OF_BUILDER, release_of

SIGNED_ANEW = "What goes to a real registry under a key is signed, and read back, each time."
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")
# The OCI distribution specification's rule for <name>.
_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")


@dataclass(frozen=True, slots=True)
class DeclaredPush:
    """What the ``push`` stage declares. ``needs`` are all other required stages; the composition names them."""

    needs: tuple[str, ...]
    name: str = "push"
    summary: str = "Push the tested image, read it back, pull and probe it, sign it, then tag it."
    tags: tuple[str, ...] = ("container",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError for an impossible address, and for a dirty tree that would go to a real one."""
        check_address(settings.push)
        check_signing(settings)
        if settings.push.registry and snapshot.dirty:
            raise ConfigurationError(
                f"The checkout has changes that are not committed, so nothing is pushed to {settings.push.registry}.",
                why="What a real registry holds must be found again under its commit.",
                advice="Commit the changes; or leave push.registry empty, which is a rehearsal.",
            )

    def inputs(self, context: Context) -> Inputs:
        """All that its statements say: the content, its commit, and the results of what was tested."""
        settings, snapshot = context.settings, context.snapshot
        signs = settings.push.sign != "off" and (
            settings.push.keyless or settings.push.key_file or "push.signing_key" in settings.sources
        )
        return Inputs(
            files=(EVERYTHING,),
            follows_links=False,
            settings=("push", "name", "version", "build", "smoke", "required", "audit.lock"),
            python=False,
            variables=OF_BUILDER,
            results=self.needs,
            judged=False,
            facts={"the commit": f"{snapshot.commit}{' with changes' if snapshot.dirty else ''}"},
            engine=True,
            why_not=SIGNED_ANEW if settings.push.registry and signs else "",
        )

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """A rehearsal does while its release is the current one; of a real registry the digest is asked, once."""
        digest = str(result.metrics.get("manifest_digest"))
        if not context.settings.push.registry:
            return release_of(context) == digest
        try:
            return context.ports.registries().open().manifest(digest) is not None
        except RegistryTrouble:
            # What it does not say is no yes; the push says what is wrong.
            return False

    def run(self, context: Context) -> Examination:
        """With the work of the stage, which is loaded now."""
        return whole(self, "pipeline.stages.push:PushStage").run(context)


def check_signing(settings: Settings) -> None:
    """Raises ConfigurationError when a push must be signed and can't be, by what the settings and the machine have."""
    push = settings.push
    keyed = bool(push.key_file) or "push.signing_key" in settings.sources
    for name, file in (("push.key_file", push.key_file), ("push.trust_config", push.trust_config)):
        if push.sign != "off" and file and not Path(file).is_file():
            raise ConfigurationError(f"{name} names {file!r}, and there is no such file.")
    if push.sign == "off" or not push.registry:
        return
    if push.keyless:
        if keyed:
            raise ConfigurationError(
                "push.keyless is on, and there is a signing key as well.",
                advice="Turn push.keyless off, or take the key away: either signs, and not both.",
            )
        # Loaded here, since few pushes are signed so.
        import_module("pipeline.attestation.identity").require_extra()
    elif push.sign == "required" and not keyed:
        raise ConfigurationError(
            "push.sign is 'required', and there is no key to sign with.",
            advice="Name its file in push.key_file, or put the key into PIPELINE_PUSH_SIGNING_KEY; "
            "or turn push.keyless on, so that the CI's identity signs.",
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
