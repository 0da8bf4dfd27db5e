"""What ``push`` keeps of its signature, by key and keyless, and that ``verify`` derives the gate from it again."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.attestation.signing import Signing
from pipeline.core.stage import Artifact, Examination, StageResult, Status
from pipeline.core.verdict import conclude
from pipeline.core.verification import Answer
from pipeline.core.verification_raw import compared
from pipeline.errors import CouldNotTell, RegistryTrouble, ToolTrouble
from pipeline.execution.redaction import SecretRedactor
from pipeline.keyless import open_keyless
from pipeline.rederivation import DERIVATIONS, Kept
from pipeline.reporters.page_image import provenance
from pipeline.settings import Settings
from pipeline.settings_push import Push
from tests.push_in_memory import NEEDS, Bench
from tests.samples import RECORD, report
from tests.signed_images import BUILDER, key, strange_key
from tests.sigstore_stand_in import ISSUER, WORKFLOW, StandIn, sigstore_stand_in

SIGNED = "signature and attestations in the registry"


@dataclass
class Finished:
    """A push that has ended: its result, and its raw files by name."""

    result: StageResult
    raw: dict[str, str]
    required: tuple[str, ...] = (*NEEDS, "push")
    push: Push = Push()

    def again(self) -> str:
        """What contradicts the result when it is derived again, and what is left open."""
        record = replace(RECORD, required=self.required)
        settings = replace(Settings(), push=self.push)
        kept = Kept(result=self.result, raw=self.raw, settings=settings, record=record)
        found = compared(self.result, DERIVATIONS["push"](kept))
        return " ".join(item.text for item in found if item.answer is Answer.CONTRADICTED)

    def change(self, name: str, change: Callable[[str], str]) -> None:
        """Another text in a file."""
        self.raw[name] = change(self.raw[name])


def finished(bench: Bench) -> Finished:
    """The result of a push, as the run would write it."""
    examination = bench.run()
    assert bench.context is not None
    raw = bench.context.raw
    files = {path.relative_to(raw).as_posix(): path.read_text("utf-8") for path in raw.rglob("*") if path.is_file()}
    return Finished(result=result_of(examination), raw=files)


def result_of(examination: Examination) -> StageResult:
    status, reasons = conclude(examination)
    return StageResult(
        name="push",
        status=status,
        reasons=tuple(reasons),
        evidence=examination.evidence,
        gates=examination.gates,
        metrics=dict(examination.metrics),
        # The clock of the bench: the summary is of this moment.
        started="2026-01-01T00:00:00.000Z",
        duration_s=1.0,
    )


@pytest.fixture(name="bench")
def bench_fixture(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(name="services")
def services_fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with sigstore_stand_in() as services:
        services.ambient(monkeypatch)
        yield services


@pytest.fixture(name="keyless")
def keyless_fixture(bench: Bench, services: StandIn) -> Bench:
    """A push that the identity of a CI job signs."""
    signer = open_keyless(json.dumps(services.trust_config()), "", SecretRedactor({}))
    bench.signing = Signing(builder=BUILDER, keyless=signer)
    return bench


def test_the_gate_of_a_signature_by_key_is_derived_again(bench: Bench) -> None:
    push = finished(bench)
    assert push.result.status is Status.PASS, push.result.reasons
    assert {name for name in push.raw if name.startswith("attestations/")} == {
        "attestations/image-signature.json",
        "attestations/provenance.intoto.json",
        "attestations/test-result.intoto.json",
        "attestations/verification-summary.intoto.json",
    }
    assert push.again() == ""


def test_a_keyless_push_is_green_and_derived_again(keyless: Bench, services: StandIn) -> None:
    push = finished(keyless)
    assert push.result.status is Status.PASS, push.result.reasons
    metrics = push.result.metrics
    assert (metrics["signed"], metrics["signing_identity"], metrics["signing_issuer"]) == ("keyless", WORKFLOW, ISSUER)
    assert f"as the identity {WORKFLOW}" in push.result.reasons[1]
    # No key has signed, so nothing lies where cosign looks for what a key has signed.
    assert not [tag for tag in keyless.registry.manifests if tag.endswith((".sig", ".att"))]
    assert {name for name in push.raw if name.startswith("attestations/")} == {
        "attestations/signature.sigstore.json",
        "attestations/provenance.sigstore.json",
        "attestations/test-result.sigstore.json",
        "attestations/verification-summary.sigstore.json",
    }
    assert len(services.logged) == 4
    assert push.again() == ""


def test_a_keyless_push_is_not_tagged_when_the_log_takes_nothing(keyless: Bench, services: StandIn) -> None:
    services.broken = "/api/v1/log/entries"
    with pytest.raises(CouldNotTell, match="so nothing was signed"):
        keyless.run()
    assert not keyless.tagged


def test_a_keyless_push_is_not_tagged_when_its_bundles_are_lost(
    keyless: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.stages.push_signing.attach_bundles", lambda *arguments: ())
    with pytest.raises(RegistryTrouble, match="does not give back what was signed"):
        keyless.run()
    assert not keyless.tagged


def test_another_tag_holder_of_the_same_identity_counts(keyless: Bench) -> None:
    assert conclude(keyless.run())[0] is Status.PASS
    assert conclude(replace(keyless, folder=keyless.folder / "second").run())[0] is Status.PASS


def other_payload(text: str) -> str:
    document = json.loads(text)
    payload = base64.b64decode(document["payload"]).replace(b"PASSED", b"PASSEd")
    return json.dumps({**document, "payload": base64.b64encode(payload).decode()})


@pytest.mark.parametrize(
    "name",
    ["attestations/provenance.intoto.json", "attestations/image-signature.json"],
)
def test_what_was_changed_afterwards_contradicts_the_gate(bench: Bench, name: str) -> None:
    push = finished(bench)
    push.change(name, other_payload)
    if name.endswith("signature.json"):
        push.change(name, lambda text: json.dumps({**json.loads(text), "payload": "AAAA"}))
    else:
        push.change(name, lambda text: text.replace('"sig": "', '"sig": "AAAA'))
    assert f"{SIGNED} found" in push.again()


@pytest.mark.parametrize("kind", ["provenance", "test-result", "verification-summary"])
def test_what_is_missing_contradicts_the_gate(bench: Bench, kind: str) -> None:
    push = finished(bench)
    del push.raw[f"attestations/{kind}.intoto.json"]
    assert f"There is no {kind.replace('-', ' ')}" in push.again()


def test_a_stage_that_is_required_and_was_not_attested_contradicts_the_gate(bench: Bench) -> None:
    push = finished(bench)
    push.required = ("lint", *push.required)
    assert "these stages have passed: lint" in push.again()


def test_another_key_and_damaged_files_are_told(bench: Bench) -> None:
    push = finished(bench)
    whole = dict(push.raw)
    push.raw["signing-key.pub"] = strange_key().public_key.pem
    with pytest.raises(ToolTrouble, match="is another key than the result names"):
        push.again()
    for name in ("attestations/image-signature.json", "attestations/provenance.intoto.json"):
        for text in ("{", "{}", "[]", '{"payload": "?", "signature": ""}'):
            push.raw = {**whole, name: text}
            with pytest.raises(ToolTrouble, match="What was kept of the signature can't be read"):
                push.again()


def test_a_bundle_whose_certificate_names_another_contradicts_the_gate(keyless: Bench) -> None:
    push = finished(keyless)
    push.result = replace(
        push.result, metrics={**push.result.metrics, "signing_identity": "https://github.com/another"}
    )
    assert "Its certificate names" in push.again()


def test_an_unsigned_push_contradicts_a_policy_that_requires_a_signature(bench: Bench) -> None:
    bench.signing = Signing(builder=BUILDER, why_not="Nothing was signed.")
    push = finished(bench)
    assert push.again() == ""
    push.push = Push(registry="registry.example", sign="required")
    assert f"the gate on {SIGNED} is missing" in push.again()


def test_the_page_links_what_was_signed(bench: Bench) -> None:
    push = finished(bench)
    artifacts = tuple(Artifact(path=f"stages/push/raw/{name}", sha256="0" * 64) for name in sorted(push.raw))
    made = replace(report(), results=(replace(push.result, artifacts=artifacts),))
    linked = {file.name for file in provenance(made)}
    assert {name for name in push.raw if name.startswith("attestations/")} <= linked
    assert "manifest.json" not in linked
    assert key().public_key.id == push.result.metrics["signing_key"]
