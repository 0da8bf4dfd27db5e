"""What ``push`` signs, with a registry in memory: the order, the inputs, and that nothing is tagged in doubt."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.attestation.attaching import attach
from pipeline.attestation.signing import Signing
from pipeline.core.containers import Manifest
from pipeline.core.image_inputs import ImageInput, InputKind, Making, as_details
from pipeline.core.stage import Status
from pipeline.core.verdict import conclude
from pipeline.errors import ConfigurationError, EngineTrouble, PipelineError, RegistryTrouble
from pipeline.settings import Settings
from pipeline.settings_push import Push
from pipeline.stages.push_declared import check_signing
from tests.memory_registry import MemoryRegistry
from tests.push_in_memory import IMAGE, NEEDS, TAGS, Bench
from tests.signed_images import BUILDER, key
from tests.support import write_files


@pytest.fixture(name="bench")
def bench_fixture(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_signed_push_is_green_and_tags_come_last(bench: Bench) -> None:
    examination = bench.run()
    outcome, reasons = conclude(examination)
    assert outcome is Status.PASS, reasons
    assert bench.registry.puts[-2:] == list(TAGS) and bench.registry.puts[0].startswith("sha256:")
    assert examination.metrics["signed"] == "key"
    assert examination.metrics["signing_key"] == key().public_key.id
    assert {"signature", "provenance", "test result", "verification summary"} < examination.evidence.checked
    assert bench.releases.recorded == [f"registry.example/team/echo {examination.metrics['manifest_digest']}"]
    assert f"builder {BUILDER.id}" in reasons[1]
    assert [item.what for item in examination.not_checked] == ["the SBOM as an attestation"]


def test_without_a_key_it_is_pushed_and_said_that_nothing_is_signed(bench: Bench) -> None:
    bench.signing = Signing(builder=BUILDER, why_not="Nothing was signed.")
    examination = bench.run()
    assert conclude(examination)[0] is Status.PASS
    assert "Nothing was signed." in examination.notes
    assert [item.what for item in examination.not_checked] == ["the signature of the image"]
    assert examination.metrics["signed"] == "no" and bench.tagged == list(TAGS)
    assert not [tag for tag in bench.registry.manifests if tag.startswith("sha256-")]


def spoilt(monkeypatch: pytest.MonkeyPatch, change: Callable[[MemoryRegistry], None]) -> None:
    """Do it after everything is attached, before it is read back."""

    def attach_and_change(registry: MemoryRegistry, *more: Any, **named: Any) -> tuple[str, ...]:
        tags = attach(registry, *more, **named)
        change(registry)
        return tags

    monkeypatch.setattr("pipeline.stages.push_signing.attach", attach_and_change)


def without(*suffixes: str) -> Callable[[MemoryRegistry], None]:
    """Take the tags away that end so."""

    def change(registry: MemoryRegistry) -> None:
        for tag in [tag for tag in registry.manifests if tag.startswith("sha256-") and tag[71:] in suffixes]:
            del registry.manifests[tag]

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without(".sig"), "There is no signature on"),
        (without(".att", ""), "There is no provenance"),
        (
            lambda registry: registry.spoil_blobs(lambda body: body.replace(b'"sig":"', b'"sig":"AAAA')),
            "None of its 1 signatures",
        ),
        (lambda registry: registry.spoil_blobs(lambda body: body.replace(b"sha256:", b"sha256:0")), "another key"),
    ],
)
def test_what_is_not_read_back_as_it_was_signed_is_not_tagged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, change: Callable[[MemoryRegistry], None], sentence: str
) -> None:
    spoilt(monkeypatch, change)
    with pytest.raises(RegistryTrouble, match=f"does not give back what was signed.*{sentence}"):
        bench.run()
    assert not bench.tagged and not bench.releases.recorded


def test_either_way_of_finding_the_attestations_is_enough(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt(monkeypatch, without(".att"))
    assert conclude(bench.run())[0] is Status.PASS


def test_an_image_that_can_not_be_read_back_is_neither_signed_nor_tagged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.registry, "put_manifest", lambda *arguments, **options: None)
    with pytest.raises(RegistryTrouble, match="and does not hold it"):
        bench.run()
    other = MemoryRegistry()
    monkeypatch.setattr(other, "manifest", lambda name: Manifest(digest=name, media_type="", body=b"other"))
    with pytest.raises(RegistryTrouble, match="gave another manifest"):
        replace(bench, registry=other, folder=bench.folder / "second").run()


def test_a_tag_that_another_push_takes_counts_only_with_the_same_signature(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run()
    (digest,) = {bench.registry.manifests[tag].digest for tag in TAGS}
    twin = replace(bench, folder=bench.folder / "second")
    other = bench.registry.manifests[digest]
    real = bench.registry.put_manifest

    def moving(reference: str, manifest: Manifest, *, replacing: str | None = None) -> None:
        real(reference, manifest, replacing=replacing)
        if reference == "1.0":
            bench.registry.manifests[reference] = replace(other, media_type="other", body=other.body + b" ")

    monkeypatch.setattr(bench.registry, "put_manifest", moving)
    outcome, reasons = conclude(twin.run())
    # It names the digest of what we have signed, so what lies there under that digest counts.
    assert outcome is Status.PASS and "Another push has moved 1.0" in " ".join(reasons)
    other = replace(other, digest="sha256:" + "0" * 64)
    outcome, reasons = conclude(replace(bench, folder=bench.folder / "third").run())
    assert outcome is Status.INCONCLUSIVE
    assert "The tag 1.0 was moved to" in reasons[0] and "another push may have moved it" in reasons[0]
    unsigned = Signing(builder=BUILDER, why_not="Nothing was signed.")
    assert conclude(replace(bench, folder=bench.folder / "fourth", signing=unsigned).run())[0] is Status.INCONCLUSIVE


def test_the_provenance_names_every_input_with_its_digest(bench: Bench) -> None:
    wheel = ImageInput(
        kind=InputKind.WHEEL,
        name="one-1.0-py3-none-any.whl",
        sha256="1" * 64,
        version="1.0",
        uri="pkg:pypi/one@1.0?file_name=one-1.0-py3-none-any.whl",
    )
    lock = ImageInput(kind=InputKind.BASE_LOCK, name="base.lock", sha256="2" * 64)
    made = Making(created="2026-01-01T00:00:00Z", compressor="deflate", compressed_bytes=1)
    bench.details = as_details((lock, wheel), made)
    bench.run()
    definition = bench.predicate("provenance")["buildDefinition"]
    found = {item["name"]: item for item in definition["resolvedDependencies"]}
    assert bench.context is not None
    assert found["snapshot"]["digest"] == {"sha256": bench.context.snapshot.digest}
    assert found["commit"] == {
        "name": "commit", "uri": f"git+{BUILDER.source}@{'c' * 40}", "digest": {"gitCommit": "c" * 40}
    }  # fmt: skip
    assert found["base.lock"] == {"name": "base.lock", "digest": {"sha256": lock.sha256}}
    assert found[wheel.name] == {"name": wheel.name, "uri": wheel.uri, "digest": {"sha256": wheel.sha256}}
    assert definition["externalParameters"]["version"] == "1.0"
    run = bench.predicate("provenance")["runDetails"]
    assert run["builder"]["id"] == BUILDER.id
    assert run["metadata"]["finishedOn"] == "2026-01-01T00:00:02.500Z"


def test_a_base_of_the_recipe_and_an_unknown_time_are_not_made_up(bench: Bench) -> None:
    bench.signing = Signing(builder=replace(BUILDER, source=""), signer=key())
    bench.run()
    names = [item["name"] for item in bench.predicate("provenance")["buildDefinition"]["resolvedDependencies"]]
    assert names == ["snapshot", "commit"]
    assert bench.predicate("test-result")["passedTests"] == list(NEEDS)
    summary = bench.predicate("verification-summary")
    assert summary["policy"]["digest"] == {"sha256": "p" * 64}
    assert summary["verificationResult"] == "PASSED"


@pytest.mark.parametrize(
    ("text", "attested"),
    [
        (json.dumps({"bomFormat": "CycloneDX", "image": IMAGE}), True),
        (json.dumps({"bomFormat": "CycloneDX", "image": "another"}), False),
        (json.dumps({"bomFormat": "other", "image": IMAGE}), False),
        ("{", False),
    ],
)
def test_the_sbom_is_attested_if_it_is_this_image_s(bench: Bench, text: str, attested: bool) -> None:
    write_files(bench.folder / "reports", {"sbom/image.cdx.json": text})
    examination = bench.run()
    assert ("SBOM" in examination.evidence.checked) is attested
    assert bool(examination.not_checked) is not attested
    if attested:
        assert bench.predicate("SBOM")["image"] == IMAGE


@pytest.mark.parametrize(
    "trouble", [RegistryTrouble("x509: unknown authority"), EngineTrouble("x509: unknown authority")]
)
def test_an_engine_that_does_not_trust_a_private_registry_is_no_fault_of_the_image(
    bench: Bench, tmp_path: Path, trouble: PipelineError
) -> None:
    def refuse() -> str:
        raise trouble

    bench.engine.pulls = refuse
    with pytest.raises(type(trouble)):
        bench.run()
    ca_file = str(write_files(tmp_path, {"ca.pem": ""}) / "ca.pem")
    private = replace(bench, folder=bench.folder / "second", push=replace(bench.push, ca_file=ca_file))
    examination = private.run()
    assert conclude(examination)[0] is Status.PASS
    assert examination.not_checked[0].what == "a pull of the image by the container engine"


def test_another_image_than_was_pushed_is_a_fault_and_is_neither_signed_nor_tagged(bench: Bench) -> None:
    bench.engine.pulls = lambda: "sha256:other"
    outcome, reasons = conclude(bench.run())
    assert outcome is Status.FAIL and "image pulled by digest" in reasons[0]
    assert not bench.tagged and len(bench.registry.puts) == 1


def test_a_push_that_must_be_signed_is_refused_before_anything_runs_without_a_key(tmp_path: Path) -> None:
    must = Push(registry="registry.example", repository="echo", sign="required")
    with pytest.raises(ConfigurationError, match="no key to sign with"):
        check_signing(Settings(push=must))
    check_signing(Settings(push=must, sources={"push.signing_key": "PIPELINE_PUSH_SIGNING_KEY"}))
    check_signing(Settings(push=replace(must, registry="")))
    with pytest.raises(ConfigurationError, match="there is no such file"):
        check_signing(Settings(push=replace(must, key_file="/no/such/file")))
    file = str(write_files(tmp_path, {"key": ""}) / "key")
    check_signing(Settings(push=replace(must, key_file=file)))


def test_a_push_that_an_identity_must_sign_needs_the_extra_and_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push = Push(registry="registry.example", repository="echo", keyless=True, sign="required")
    check_signing(Settings(push=push))
    with pytest.raises(ConfigurationError, match="there is a signing key as well"):
        check_signing(Settings(push=push, sources={"push.signing_key": "PIPELINE_PUSH_SIGNING_KEY"}))
    with pytest.raises(ConfigurationError, match=r"push\.trust_config names"):
        check_signing(Settings(push=replace(push, trust_config=str(tmp_path / "none"))))
    monkeypatch.setattr("pipeline.attestation.identity.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'proven-pipeline\[keyless\]'"):
        check_signing(Settings(push=push))
    for other in (replace(push, sign="off"), replace(push, registry="")):
        check_signing(Settings(push=other))
