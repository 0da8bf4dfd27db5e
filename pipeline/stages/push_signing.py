"""The signature of a push: what is signed, brought to the registry, read back from there and verified by its key."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.attestation.attaching import attach
from pipeline.attestation.checking import checked
from pipeline.attestation.demands import ALWAYS, Demands
from pipeline.attestation.keys import PublicKey
from pipeline.attestation.reading import held
from pipeline.attestation.signing import Signing
from pipeline.attestation.statement import SBOM, Statement
from pipeline.core.containers import Manifest, Registry
from pipeline.core.gate import Gate, check_gate
from pipeline.core.stage import Metric, NotChecked
from pipeline.core.verification import Answer
from pipeline.errors import RegistryTrouble
from pipeline.stages.context import Context
from pipeline.stages.push_statements import SBOM_FILE, statements

PUBLIC_KEY = "signing-key.pub"
"""The public half of the key among the stage's raw files, for whoever verifies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What came of it. ``expected`` are the names of what has to be attached; all of it was read back and verified.

    ``key`` is what signed, or none.
    """

    key: PublicKey | None = None
    expected: frozenset[str] = frozenset()
    gates: tuple[Gate, ...] = ()
    metrics: dict[str, Metric] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()


def signed(context: Context, registry: Registry, manifest: Manifest, needs: tuple[str, ...]) -> Signed:
    """Sign, attach, read back, verify; or say why nothing is signed.

    Raises:
        RegistryTrouble: what the registry gives back does not verify, or is not all there.
        ConfigurationError: the key can't be used.
    """
    signing = context.ports.signing()
    if signing.signer is None:
        skipped = NotChecked(what="the signature of the image", reason=signing.why_not)
        return Signed(metrics={"signed": "no"}, notes=(signing.why_not,), not_checked=(skipped,))
    say = context.ports.progress.say
    say("signing")
    every = statements(context, registry.reference, manifest.digest, signing.builder, needs)
    tags = attach(registry, manifest, every, signing.signer, context.ports.clock)
    key = signing.signer.public_key
    context.keep(PUBLIC_KEY, key.pem)
    for statement in every:
        context.keep(f"statements/{statement.title.replace(' ', '-')}.json", statement.render().decode("ascii") + "\n")
    say("reading back the signature and the attestations")
    verify_again(context, registry, manifest, key, demands_of(signing, every, needs))
    kind = "ephemeral key" if signing.ephemeral else "key"
    return Signed(
        key=key,
        expected=frozenset({"signature", *(statement.title for statement in every)}),
        gates=(
            check_gate(
                True,
                what="signature and attestations in the registry",
                allowed="verified",
                found=f"verified with the {kind} {key.id[:12]}",
            ),
        ),
        metrics={"signed": kind, "signing_key": key.id, "signature_tags": " ".join(tags)},
        notes=(_note(signing, key.id),),
        not_checked=() if _has_sbom(every) else (_no_sbom(),),
    )


def demands_of(signing: Signing, every: tuple[Statement, ...], needs: tuple[str, ...]) -> Demands:
    """What must be found again: exactly what was said."""
    return Demands(
        stages=needs,
        attestations=(*ALWAYS, "sbom") if _has_sbom(every) else ALWAYS,
        builder=signing.builder.id,
        source=signing.builder.source,
        max_age_days=1.0,
    )


def verify_again(context: Context, registry: Registry, manifest: Manifest, key: PublicKey, demands: Demands) -> None:
    """Read back what was attached, as anybody would, and judge it as ``pipeline verify --image`` does.

    Raises:
        RegistryTrouble: it is not what was signed, or not all of it.
    """
    found = checked(held(registry, manifest), key, demands, context.ports.clock.now())
    wrong = [finding.text for finding in found if finding.answer in (Answer.CONTRADICTED, Answer.OUTDATED)]
    if wrong:
        raise RegistryTrouble(
            f"{registry.reference} does not give back what was signed for {manifest.digest}.",
            why=" ".join(wrong),
            advice="Nothing was tagged. Push again.",
        )


def is_of_the_same_key(
    context: Context, registry: Registry, other: Manifest, key: PublicKey | None, needs: tuple[str, ...]
) -> bool:
    """Whether another image there has been signed by the same key, as passed; nothing is, where nothing is signed."""
    if key is None:
        return False
    found = checked(held(registry, other), key, Demands(stages=needs), context.ports.clock.now())
    return not any(finding.answer in (Answer.CONTRADICTED, Answer.OUTDATED) for finding in found)


def _has_sbom(every: tuple[Statement, ...]) -> bool:
    return any(statement.predicate_type == SBOM for statement in every)


def _no_sbom() -> NotChecked:
    return NotChecked(
        what="the SBOM as an attestation", reason=f"The reports hold no {SBOM_FILE} that names this image's id."
    )


def _note(signing: Signing, key: str) -> str:
    if signing.ephemeral:
        return (
            f"Signed with a key made for this run and forgotten ({key[:12]}): "
            "it shows that the parts belong together, and vouches for nobody."
        )
    return f"Signed with the key {key[:12]}, builder {signing.builder.id}."
