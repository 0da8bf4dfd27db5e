"""With what is signed, whose signature counts, and who builds according to the CI."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.attestation.keys import ephemeral_key
from pipeline.attestation.predicates import LOCAL_BUILDER
from pipeline.attestation.signing import Signing
from pipeline.attestation.trust import ByKey
from pipeline.errors import ConfigurationError
from pipeline.execution.redaction import SecretRedactor
from pipeline.settings_loading import SIGNING_KEY, load
from pipeline.settings_push import Push
from pipeline.signing_opening import NO_IDENTITY, NO_KEY, TURNED_OFF, UNLOCKS, Named, believed, builder_of, open_signing
from tests.sigstore_stand_in import StandIn, sigstore_stand_in
from tests.support import PASSWORD, write_files

REAL = "registry.example"


@pytest.fixture(name="pem", scope="module")
def pem_fixture() -> str:
    """An encrypted key."""
    command = (
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-aes256",
        "-pass",
        f"pass:{PASSWORD}",
    )
    return subprocess.run(("openssl", *command), check=True, capture_output=True, text=True).stdout


def opened(push: Push, environ: dict[str, str] | None = None, redact: SecretRedactor | None = None) -> Signing:
    return open_signing(push, environ or {}, redact or SecretRedactor({}), run="7-a", version="pipeline 1")


def test_a_rehearsal_has_a_key_of_its_own_each_time_whatever_else_there_is(pem: str) -> None:
    environ = {SIGNING_KEY: pem, UNLOCKS: PASSWORD}
    first, second = opened(Push(), environ), opened(Push(sign="required"))
    assert first.ephemeral and second.ephemeral
    assert first.signer and second.signer and first.signer.public_key != second.signer.public_key
    assert ByKey(first.signer.public_key) != believed(Push(), environ, SecretRedactor({}))


def test_the_key_comes_from_the_file_or_the_environment_and_is_never_shown(pem: str, tmp_path: Path) -> None:
    path = write_files(tmp_path, {"key.pem": pem}) / "key.pem"
    ids = set()
    for push, environ in (
        (Push(registry=REAL, key_file=str(path)), {UNLOCKS: PASSWORD}),
        (Push(registry=REAL), {SIGNING_KEY: pem, UNLOCKS: PASSWORD}),
        (Push(registry=REAL, key_file=str(path)), {SIGNING_KEY: "of no account", UNLOCKS: PASSWORD}),
    ):
        redact = SecretRedactor({})
        signing = opened(push, environ, redact)
        assert signing.signer is not None and not signing.ephemeral
        ids |= {signing.signer.public_key.id, believed(push, environ, redact).label}
        line = pem.splitlines()[1]
        assert line not in redact(f"a log with {line} and {PASSWORD}") and PASSWORD not in redact(PASSWORD)
    assert len(ids) == 1


def test_where_nothing_is_signed_it_is_said_why() -> None:
    assert opened(Push(registry=REAL)).why_not == NO_KEY
    assert opened(Push(registry=REAL, sign="off")).why_not == TURNED_OFF
    assert opened(Push(sign="off")).signer is None
    with pytest.raises(ConfigurationError, match=r"push\.sign is 'required'"):
        opened(Push(registry=REAL, sign="required"))
    with pytest.raises(ConfigurationError, match="which can't be read"):
        opened(Push(registry=REAL, key_file="/no/such/file"))


def test_the_key_that_counts_is_the_one_that_was_named_last(pem: str, tmp_path: Path) -> None:
    other = subprocess.run(
        ("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
        check=True,
        capture_output=True,
    ).stdout
    public = subprocess.run(("openssl", "pkey", "-pubout"), input=other, check=True, capture_output=True).stdout
    path = str(write_files(tmp_path, {"key.pub": public}) / "key.pub")
    environ, redact = {SIGNING_KEY: pem, UNLOCKS: PASSWORD}, SecretRedactor({})
    own = believed(Push(), environ, redact)
    assert believed(Push(public_key=path), environ, redact) != own
    assert believed(Push(), environ, redact, Named(key=path)) == believed(Push(public_key=path), {}, redact)
    with pytest.raises(ConfigurationError, match="Nobody has said whose signature counts"):
        believed(Push(), {}, redact)
    with pytest.raises(ConfigurationError, match="--key names '/no/such/file'"):
        believed(Push(), {}, redact, Named(key="/no/such/file"))
    with pytest.raises(ConfigurationError, match=r"push\.public_key names '/no/such/file'"):
        believed(Push(public_key="/no/such/file"), {}, redact)


GITHUB = {
    "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "team/echo",
    "GITHUB_WORKFLOW_REF": "team/echo/.github/workflows/pipeline.yml@refs/heads/main", "GITHUB_RUN_ID": "17",
    "GITHUB_RUN_ATTEMPT": "2",
}  # fmt: skip
GITLAB = {
    "GITLAB_CI": "true", "CI_PROJECT_URL": "https://gitlab.example/team/echo", "CI_RUNNER_ID": "3",
    "CI_JOB_URL": "https://gitlab.example/team/echo/-/jobs/9",
}  # fmt: skip


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            GITHUB,
            (
                "https://github.com/team/echo/.github/workflows/pipeline.yml@refs/heads/main",
                "https://github.com/team/echo/actions/runs/17/attempts/2",
                "https://github.com/team/echo",
            ),
        ),
        (
            GITLAB,
            (
                "https://gitlab.example/team/echo/-/runners/3",
                "https://gitlab.example/team/echo/-/jobs/9",
                "https://gitlab.example/team/echo",
            ),
        ),
        ({}, (LOCAL_BUILDER, "urn:proven-pipeline:run:7-a", "")),
    ],
)
def test_who_builds_is_what_the_ci_says(environ: dict[str, str], expected: tuple[str, str, str]) -> None:
    builder = builder_of(Push(), environ, run="7-a", version="pipeline 1")
    assert (builder.id, builder.invocation, builder.source) == expected
    named = builder_of(Push(builder="urn:b", source="urn:s"), environ, run="7-a", version="")
    assert (named.id, named.source) == ("urn:b", "urn:s")


def test_no_login_in_a_uri_is_signed() -> None:
    source = f"https://user:{PASSWORD}@example.org/repository"
    builder = opened(Push(source=source)).builder
    assert PASSWORD not in builder.source and "example.org/repository" in builder.source


def test_credentials_in_the_environment_are_no_unknown_settings(tmp_path: Path) -> None:
    write_files(tmp_path, {"pyproject.toml": ""})
    names = ("USERNAME", "PASSWORD", "SIGNING_KEY", "SIGNING_PASSPHRASE")
    settings = load(tmp_path, {f"PIPELINE_PUSH_{name}": PASSWORD for name in names})
    assert PASSWORD not in repr(settings)
    assert settings.sources["push.signing_key"] == SIGNING_KEY
    assert "push.signing_key" not in load(tmp_path, {}).sources
    with pytest.raises(ConfigurationError, match="push has no key 'passwort'"):
        load(tmp_path, {"PIPELINE_PUSH_PASSWORT": PASSWORD})


def test_the_identity_of_a_job_signs_where_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sigstore_stand_in() as services:
        config, _ = services.files(tmp_path)
        push = Push(registry=REAL, keyless=True, trust_config=config)
        for name in ("GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE"):
            monkeypatch.delenv(name, raising=False)
        assert opened(push).why_not == NO_IDENTITY
        with pytest.raises(ConfigurationError, match=r"this is no CI job that has an identity.*Push from CI"):
            opened(replace(push, sign="required"))
        services.ambient(monkeypatch)
        signing = opened(push)
        assert signing.keyless is not None and signing.signer is None and not signing.why_not
        # A rehearsal's signature vouches for nobody, and no log needs to know of it.
        assert opened(replace(push, registry="")).ephemeral and not services.logged
        with pytest.raises(ConfigurationError, match=r"push\.trust_config names '/no/such/file'"):
            opened(replace(push, trust_config="/no/such/file"))


def test_an_identity_is_believed_by_the_options_before_the_settings(tmp_path: Path) -> None:
    config, root = StandIn(url="http://127.0.0.1:1").files(tmp_path)
    redact, settings = SecretRedactor({}), Push(identity="a", issuer="https://issuer.example", trusted_root=root)
    assert believed(settings, {}, redact).title == "the identity a of https://issuer.example"
    named = Named(identity="b", issuer="https://other.example", trusted_root=root)
    assert believed(settings, {}, redact, named).title == "the identity b of https://other.example"
    key = write_files(tmp_path, {"key.pub": ephemeral_key().public_key.pem}) / "key.pub"
    assert believed(settings, {}, redact, Named(key=str(key))).short == "this key"
    assert believed(settings, {}, redact).label != believed(settings, {}, redact, named).label
    for push, given, sentence in (
        (replace(settings, public_key=str(key)), Named(), "either is believed, not both"),
        (settings, Named(key=str(key), issuer="https://x"), "Either a key is believed or an identity"),
        (Push(identity="a"), Named(), "only together with who vouches for it"),
        (Push(), Named(trusted_root=root), "are about an identity"),
        (settings, Named(identity="b", trusted_root=config), "is no root of trust in sigstore's form"),
        (settings, Named(identity="b", trusted_root="/no/such/file"), "--trusted-root names '/no/such/file'"),
    ):
        with pytest.raises(ConfigurationError, match=sentence):
            believed(push, {}, redact, given)
