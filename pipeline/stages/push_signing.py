"""The signature of a push: what is signed, brought to the registry, read back from there, verified as by anybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from pipeline.attestation.attaching import attach, attach_bundles
from pipeline.attestation.demands import Demands
from pipeline.attestation.identity import ByIdentity
from pipeline.attestation.keys import Signer
from pipeline.attestation.reading import Held, held
from pipeline.attestation.signing import Keyless, Signing
from pipeline.attestation.statement import SIGNATURE as IMAGE_SIGNATURE
from pipeline.attestation.statement import Statement
from pipeline.attestation.trust import ByKey, Trust
from pipeline.core.containers import Manifest, Registry
from pipeline.core.gate import Gate
from pipeline.core.stage import Metric, NotChecked
from pipeline.errors import RegistryTrouble
from pipeline.stages.context import Context
from pipeline.stages.push_evidence import (
    PUBLIC_KEY,
    SIGNATURE,
    attested,
    has_sbom,
    kept_files,
    signature_file,
    signature_gate,
    wrong_in,
)
from pipeline.stages.push_statements import SBOM_FILE, statements

EPHEMERAL = "ephemeral"
"""By what the keys that are made for one run know each other's signatures again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What came of it. ``expected`` are the names of what has to be attached; all of it was read back and verified.

    ``trust`` is whose signature it is, or none.
    """

    trust: Trust | None = None
    expected: frozenset[str] = frozenset()
    gates: tuple[Gate, ...] = ()
    metrics: dict[str, Metric] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """What was brought to the registry, whose it is (``who``, in words), and under which tags."""

    said: tuple[Statement, ...]
    trust: Trust
    who: str
    tags: tuple[str, ...]
    metrics: dict[str, Metric]
    note: str


def signed(context: Context, registry: Registry, manifest: Manifest, needs: tuple[str, ...]) -> Signed:
    """Sign, attach, read back, verify; or say why nothing is signed.

    Raises:
        RegistryTrouble: what the registry gives back does not verify, or is not all there.
        ConfigurationError: the key can't be used.
        CouldNotTell: sigstore's services do not do their part.
    """
    signing = context.ports.signing()
    attach_all = _way(context, registry, manifest, signing)
    if attach_all is None:
        skipped = NotChecked(what="the signature of the image", reason=signing.why_not)
        return Signed(metrics={"signed": "no"}, notes=(signing.why_not,), not_checked=(skipped,))
    context.ports.progress.say("signing")
    every = statements(context, registry.reference, manifest.digest, signing.builder, needs)
    attached = attach_all(every)
    for statement in every:
        context.keep(f"statements/{statement.title.replace(' ', '-')}.json", statement.render().decode("ascii") + "\n")
    context.ports.progress.say("reading back the signature and the attestations")
    builder = signing.builder
    demands = attested(needs, sbom=has_sbom(every), builder=builder.id, source=builder.source)
    found = verify_again(context, registry, manifest, attached.trust, demands)
    _keep(context, found, attached)
    return Signed(
        trust=attached.trust,
        expected=frozenset({"signature", *(statement.title for statement in every)}),
        gates=(signature_gate((), attached.who),),
        metrics={**attached.metrics, "signature_tags": " ".join(attached.tags)},
        notes=(attached.note,),
        not_checked=() if has_sbom(every) else (_no_sbom(),),
    )


def _way(
    context: Context, registry: Registry, manifest: Manifest, signing: Signing
) -> Callable[[tuple[Statement, ...]], Attached] | None:
    """How statements are signed and attached; none where nobody signs."""
    if signing.keyless is not None:
        return partial(_keyless, context, registry, manifest, signing.keyless)
    if signing.signer is not None:
        return partial(_with_key, context, registry, manifest, signing, signing.signer)
    return None


def _with_key(
    context: Context,
    registry: Registry,
    manifest: Manifest,
    signing: Signing,
    signer: Signer,
    every: tuple[Statement, ...],
) -> Attached:
    label = EPHEMERAL if signing.ephemeral else ""
    tags = attach(registry, manifest, every, signer, context.ports.clock, label=label)
    key = signer.public_key
    context.keep(PUBLIC_KEY, key.pem)
    kind = "ephemeral key" if signing.ephemeral else "key"
    note = f"Signed with the key {key.id[:12]}, builder {signing.builder.id}."
    if signing.ephemeral:
        note = (
            f"Signed with a key made for this run and forgotten ({key.id[:12]}): "
            "it shows that the parts belong together, and vouches for nobody."
        )
    return Attached(
        said=every,
        trust=ByKey(key),
        who=f"{kind} {key.id[:12]}",
        tags=tags,
        metrics={"signed": kind, "signing_key": key.id},
        note=note,
    )


def _keyless(
    context: Context, registry: Registry, manifest: Manifest, keyless: Keyless, every: tuple[Statement, ...]
) -> Attached:
    name = registry.reference
    itself = Statement(name=name, digest=manifest.digest, predicate_type=IMAGE_SIGNATURE, predicate={})
    bundles, trust = keyless.signed((itself, *every))
    tags = attach_bundles(registry, manifest, bundles, trust.label, context.ports.clock)
    known = (trust.name, trust.issuer) if isinstance(trust, ByIdentity) else (trust.title, "")
    return Attached(
        said=(itself, *every),
        trust=trust,
        who=trust.title.removeprefix("the "),
        tags=tags,
        metrics={"signed": "keyless", "signing_identity": known[0], "signing_issuer": known[1]},
        note=f"Signed without a key of its own, as {trust.title}; sigstore's log has a public entry of each signature.",
    )


def _keep(context: Context, found: Held, attached: Attached) -> None:
    """Keep what was read back of what was attached, so that the gate can be derived again."""
    bare = isinstance(attached.trust, ByKey)
    for name, text in kept_files(found, attached.said, bundles=not bare).items():
        context.keep(name, text)
    if isinstance(attached.trust, ByKey):
        key = attached.trust.key
        ours = [pair for pair in found.signatures if key.verifies(pair[1], pair[0])]
        context.keep(SIGNATURE, signature_file(*ours[-1]))


def verify_again(context: Context, registry: Registry, manifest: Manifest, trust: Trust, demands: Demands) -> Held:
    """Read back what was attached, as anybody would, and judge it as ``pipeline verify --image`` does.

    Raises:
        RegistryTrouble: it is not what was signed, or not all of it.
    """
    found = held(registry, manifest)
    wrong = wrong_in(found, trust, demands, context.ports.clock.now())
    if wrong:
        raise RegistryTrouble(
            f"{registry.reference} does not give back what was signed for {manifest.digest}.",
            why=" ".join(wrong),
            advice="Nothing was tagged. Push again.",
        )
    return found


def is_signed_alike(
    context: Context, registry: Registry, other: Manifest, trust: Trust | None, needs: tuple[str, ...]
) -> bool:
    """Whether another image there is signed by the same signer, as passed; nothing is, where nothing is signed."""
    if trust is None:
        return False
    return not wrong_in(held(registry, other), trust, Demands(stages=needs), context.ports.clock.now())


def _no_sbom() -> NotChecked:
    return NotChecked(
        what="the SBOM as an attestation", reason=f"The reports hold no {SBOM_FILE} that names this image's id."
    )
