"""Keyless signing with the real sigstore library and stand-ins for its services: who signs, and who is believed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import keyless
from pipeline.attestation.certificate import ByClaim, claimed
from pipeline.attestation.checking import checked
from pipeline.attestation.demands import Demands
from pipeline.attestation.envelope import NotTrusted
from pipeline.attestation.identity import ByIdentity, verifier_of
from pipeline.attestation.reading import Held, held
from pipeline.attestation.statement import SIGNATURE, Statement
from pipeline.attestation.trust import Trust
from pipeline.core.verification import Answer
from pipeline.errors import ConfigurationError, CouldNotTell
from pipeline.execution.redaction import SecretRedactor
from tests.memory_registry import MemoryRegistry
from tests.signed_images import IMAGE, NOW, STAGES, said, signed_registry, statements
from tests.sigstore_stand_in import ISSUER, WORKFLOW, StandIn, sigstore_stand_in

ITSELF = said(SIGNATURE, {})


@pytest.fixture(name="services", scope="module")
def services_fixture() -> Iterator[StandIn]:
    with sigstore_stand_in() as services:
        yield services


@pytest.fixture(name="bundles", scope="module")
def bundles_fixture(services: StandIn) -> tuple[bytes, ...]:
    """Everything that a push attaches, signed."""
    with pytest.MonkeyPatch.context() as patch:
        services.ambient(patch)
        every, trust = signer(services).signed((ITSELF, *statements()))
    assert (trust.name, trust.issuer) == (WORKFLOW, ISSUER)
    return tuple(body for _, body in every)


def signer(services: StandIn) -> keyless.KeylessSigner:
    found = keyless.open_keyless(json.dumps(services.trust_config()), "a file", SecretRedactor({}))
    assert found is not None
    return found


def about(bundles: tuple[bytes, ...]) -> Held:
    return Held(image=IMAGE, reference="", signatures=(), envelopes=(), bundles=bundles)


def by_identity(services: StandIn, name: str = WORKFLOW, issuer: str = ISSUER) -> ByIdentity:
    return ByIdentity(name=name, issuer=issuer, verifier=verifier_of(json.dumps(services.trusted_root()), "root"))


def against(trust: Trust, bundles: tuple[bytes, ...]) -> str:
    """What speaks against the image."""
    found = checked(about(bundles), trust, Demands(stages=STAGES), NOW)
    return " ".join(item.text for item in found if item.answer is Answer.CONTRADICTED)


def test_what_the_identity_has_signed_is_believed_offline(services: StandIn, bundles: tuple[bytes, ...]) -> None:
    asked = len(services.logged)
    assert not against(by_identity(services), bundles)
    assert by_identity(services).signed_as(about(bundles)) == ITSELF.name
    assert len(services.logged) == asked


def test_the_certificate_names_what_it_was_made_for(bundles: tuple[bytes, ...]) -> None:
    found = claimed(bundles[0])
    assert (found.identity, found.issuer) == (WORKFLOW, ISSUER)
    assert not against(ByClaim(name=WORKFLOW, issuer=ISSUER), bundles)
    assert "Its certificate names" in against(ByClaim(name="another", issuer=ISSUER), bundles)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "https://github.com/another/.github/workflows/x.yml@refs/heads/main"}, "SANs do not match"),
        ({"issuer": "https://another.example"}, "No signature on .* is by the identity"),
    ],
)
def test_another_identity_or_issuer_is_refused(
    services: StandIn, bundles: tuple[bytes, ...], changes: dict[str, str], sentence: str
) -> None:
    with pytest.raises(NotTrusted, match=sentence):
        by_identity(services, **changes).signed_as(about(bundles))
    assert "There is no provenance" in against(by_identity(services, **changes), bundles)


def test_another_root_of_trust_is_refused(bundles: tuple[bytes, ...]) -> None:
    with pytest.raises(NotTrusted, match="No signature on"):
        by_identity(StandIn(url="http://127.0.0.1:1")).signed_as(about(bundles))


def changed(body: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    document: dict[str, Any] = json.loads(body)
    change(document)
    return json.dumps(document).encode()


def another_payload(document: dict[str, Any]) -> None:
    payload = base64.b64decode(document["dsseEnvelope"]["payload"]).replace(b"team/echo", b"team/evil")
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()


@pytest.mark.parametrize(
    "change",
    [
        another_payload,
        lambda document: document["dsseEnvelope"].update(signatures=[]),
        lambda document: document["verificationMaterial"].update(tlogEntries=[]),
        lambda document: document["verificationMaterial"]["tlogEntries"][0].pop("inclusionProof"),
        lambda document: document["verificationMaterial"]["tlogEntries"][0].pop("inclusionPromise"),
        lambda document: document["verificationMaterial"]["tlogEntries"][0].update(integratedTime="1700000000"),
        lambda document: document["verificationMaterial"].update(certificate={"rawBytes": "AAAA"}),
        lambda document: document["verificationMaterial"].pop("certificate"),
        lambda document: document.pop("dsseEnvelope"),
        lambda document: document.update(mediaType="text/plain"),
        lambda document: document.clear(),
    ],
)
def test_a_bundle_of_which_a_part_is_missing_or_another_counts_for_nothing(
    services: StandIn, bundles: tuple[bytes, ...], change: Callable[[dict[str, Any]], object]
) -> None:
    spoilt = tuple(changed(body, change) for body in bundles)
    assert "No signature on" in against(by_identity(services), spoilt)
    assert not by_identity(services).payloads(about(spoilt))[0]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"verificationMaterial": 1}'])
def test_what_is_no_bundle_counts_for_nothing(services: StandIn, body: bytes) -> None:
    for trust in (by_identity(services), ByClaim(name=WORKFLOW, issuer=ISSUER)):
        assert not trust.payloads(about((body,)))[0]
        with pytest.raises(NotTrusted, match="No signature on"):
            trust.signed_as(about((body,)))
    with pytest.raises(NotTrusted, match="There is no signature"):
        by_identity(services).signed_as(about(()))


def test_attestations_alone_are_no_signature_and_one_of_another_image_is_none(
    services: StandIn, bundles: tuple[bytes, ...]
) -> None:
    with pytest.raises(NotTrusted, match="There are attestations only"):
        by_identity(services).signed_as(about(bundles[1:]))
    other = replace(about(bundles), image=replace(IMAGE, digest="sha256:" + "0" * 64))
    with pytest.raises(NotTrusted, match="made for another image than"):
        by_identity(services).signed_as(other)


def test_bundles_of_a_key_say_nothing_of_an_identity(services: StandIn) -> None:
    assert "that comes with a certificate" in against(by_identity(services), held(MemoryRegistry(), IMAGE).bundles)
    found = held(signed_registry(), IMAGE)
    assert len(found.bundles) == 3 and not by_identity(services).payloads(found)[0]


def test_a_certificate_that_had_run_out_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with sigstore_stand_in(late_s=3600) as services:
        services.ambient(monkeypatch)
        every, trust = signer(services).signed((ITSELF,))
        with pytest.raises(NotTrusted, match="No signature on"):
            trust.signed_as(about((every[0][1],)))


def test_an_issuer_in_the_older_form_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with sigstore_stand_in(old_issuer=True) as services:
        services.ambient(monkeypatch)
        every, trust = signer(services).signed((ITSELF,))
        assert trust.issuer == ISSUER and trust.signed_as(about((every[0][1],))) == ITSELF.name


def test_where_there_is_no_identity_nobody_signs(services: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "CIRCLECI", "BUILDKITE", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    assert keyless.open_keyless(json.dumps(services.trust_config()), "", SecretRedactor({})) is None


def test_the_token_is_masked(services: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    services.ambient(monkeypatch)
    hidden: list[str] = []

    class Redact(SecretRedactor):
        """Remembers."""

        def also(self, secret: str) -> None:
            """Keep it."""
            hidden.append(secret)

    keyless.open_keyless(json.dumps(services.trust_config()), "", Redact({}))
    assert [secret.count(".") for secret in hidden] == [2]


@pytest.mark.parametrize("path", ["/token", "/api/v2/signingCert", "/api/v1/log/entries"])
def test_a_service_that_fails_is_trouble_and_never_unsigned(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    with sigstore_stand_in(broken=path) as services:
        services.ambient(monkeypatch)
        with pytest.raises(CouldNotTell, match=r"Sigstore could not .* so nothing was signed.*id-token: write"):
            signer(services).signed((ITSELF,))


def test_a_job_that_may_not_ask_who_it_is_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", raising=False)
    with pytest.raises(CouldNotTell, match="id-token: write"):
        keyless.open_keyless("", "", SecretRedactor({}))


def test_a_service_that_is_silent_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyless, "LIMIT_S", 0.2)
    with sigstore_stand_in(silent_s=5.0) as services:
        services.ambient(monkeypatch)
        with pytest.raises(CouldNotTell, match="there was no answer within"):
            signer(services)


def test_files_that_are_something_else_are_refused(services: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    services.ambient(monkeypatch)
    for text in ("{", "{}", "[]", json.dumps(services.trusted_root())):
        with pytest.raises(ConfigurationError, match="some file is no trust configuration"):
            keyless.open_keyless(text, "some file", SecretRedactor({}))
    for text in ("{", "[]", json.dumps(services.trust_config())):
        with pytest.raises(ConfigurationError, match="some file is no root of trust"):
            verifier_of(text, "some file")


def test_the_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.attestation.identity.find_spec", lambda name: None)
    for call in (lambda: keyless.open_keyless("", "", SecretRedactor({})), lambda: verifier_of("", "")):
        with pytest.raises(ConfigurationError, match=r"pip install 'proven-pipeline\[keyless\]'"):
            call()


def test_the_library_s_own_root_of_trust_serves_without_a_network(
    bundles: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    public = ByIdentity(name=WORKFLOW, issuer=ISSUER, verifier=verifier_of("", ""))
    with pytest.raises(NotTrusted, match="No signature on"):
        public.signed_as(about(bundles))


def test_a_statement_says_what_it_is() -> None:
    assert Statement(name="", digest=IMAGE.digest, predicate_type=SIGNATURE, predicate={}).title == "signature"
