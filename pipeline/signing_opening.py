"""With what this checkout signs (a key, or the CI's identity), whom it believes, and who builds according to the CI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.attestation.identity import ByIdentity, verifier_of
from pipeline.attestation.keys import PublicKey, ephemeral_key, read_private_key, read_public_key
from pipeline.attestation.predicates import LOCAL_BUILDER, Builder
from pipeline.attestation.signing import Signing
from pipeline.attestation.trust import ByKey, Trust
from pipeline.core.ports import Redactor
from pipeline.errors import ConfigurationError
from pipeline.keyless import open_keyless
from pipeline.settings_loading import SIGNING_KEY
from pipeline.settings_push import GITHUB, Push

UNLOCKS = "PIPELINE_PUSH_SIGNING_PASSPHRASE"
NO_KEY = f"Nothing was signed: there is neither push.key_file nor {SIGNING_KEY}."
NO_IDENTITY = "Nothing was signed: push.keyless is on, and this is no CI job that has an identity."
TURNED_OFF = 'Nothing was signed: push.sign is "off".'


def open_signing(settings: Push, environ: Mapping[str, str], redact: Redactor, *, run: str, version: str) -> Signing:
    """With what the next push signs. A rehearsal always uses a key of its own that nobody keeps.

    The real key must not vouch for a rehearsal: a signature is good wherever its digest is, and a rehearsal may be of
    content that nobody has committed.

    Raises:
        ConfigurationError: the key can't be used, or one is required and there is none; the extra is missing.
        CouldNotTell: sigstore's services do not do their part.
    """
    builder = masked(builder_of(settings, environ, run=run, version=version), redact)
    if settings.sign == "off":
        return Signing(builder=builder, why_not=TURNED_OFF)
    if not settings.registry:
        return Signing(builder=builder, signer=ephemeral_key(), ephemeral=True)
    if settings.keyless:
        name = settings.trust_config
        config = _read(name, "push.trust_config").decode("utf-8", "replace") if name else ""
        signer = open_keyless(config, name, redact)
        if signer is None and settings.sign == "required":
            raise ConfigurationError(
                "push.sign is 'required', push.keyless is on, and this is no CI job that has an identity.",
                advice="Push from CI; or turn push.keyless off, and sign with a key.",
            )
        return Signing(builder=builder, keyless=signer, why_not="" if signer else NO_IDENTITY)
    pem, source = _pem(settings, environ, redact)
    if pem:
        passphrase = environ.get(UNLOCKS, "")
        redact.also(passphrase)
        return Signing(builder=builder, signer=read_private_key(pem, passphrase, source))
    if settings.sign == "required":
        raise ConfigurationError(f"push.sign is 'required', and there is neither push.key_file nor {SIGNING_KEY}.")
    return Signing(builder=builder, why_not=NO_KEY)


def _pem(settings: Push, environ: Mapping[str, str], redact: Redactor) -> tuple[bytes, str]:
    """The private key as it is written, and from where; the file that the settings name comes first."""
    if settings.key_file:
        pem, source = _read(settings.key_file, "push.key_file"), settings.key_file
    else:
        pem, source = environ.get(SIGNING_KEY, "").encode("utf-8", "surrogateescape"), SIGNING_KEY
    redact.also(pem.decode("utf-8", "replace"))
    return pem, source


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Whom the command line names: a public key's file; or an identity, its issuer, and the file of a trusted root."""

    key: str = ""
    identity: str = ""
    issuer: str = ""
    trusted_root: str = ""


def believed(settings: Push, environ: Mapping[str, str], redact: Redactor, named: Named | None = None) -> Trust:
    """Whose signatures count: who is ``named``, else whom the settings name, else the signing key's.

    Raises:
        ConfigurationError: nobody is named, or both a key and an identity, or what is named can't be used.
    """
    given = named or Named()
    if given.key and (given.identity or given.issuer or given.trusted_root):
        raise ConfigurationError("Either a key is believed or an identity.", advice="Leave one of the two out.")
    if not given.key and not given.identity and settings.public_key and settings.identity:
        raise ConfigurationError("push.public_key and push.identity are both set, and either is believed, not both.")
    if given.identity or (settings.identity and not given.key):
        return _identity(settings, given)
    if given.issuer or given.trusted_root:
        raise ConfigurationError("--issuer and --trusted-root are about an identity.", advice="Name it: --identity.")
    return ByKey(_key(settings, environ, redact, given.key))


def _identity(settings: Push, given: Named) -> ByIdentity:
    issuer = given.issuer or settings.issuer
    if not issuer:
        raise ConfigurationError(
            "An identity counts only together with who vouches for it.",
            advice=f"Name the issuer with --issuer or in push.issuer; it is {GITHUB} for GitHub Actions.",
        )
    root = given.trusted_root or settings.trusted_root
    where = "--trusted-root" if given.trusted_root else "push.trusted_root"
    text = _read(root, where).decode("utf-8", "replace") if root else ""
    return ByIdentity(name=given.identity or settings.identity, issuer=issuer, verifier=verifier_of(text, root))


def _key(settings: Push, environ: Mapping[str, str], redact: Redactor, given: str) -> PublicKey:
    named = given or settings.public_key
    if named:
        return read_public_key(_read(named, "--key" if given else "push.public_key"), named)
    pem, source = _pem(settings, environ, redact)
    if not pem:
        raise ConfigurationError(
            "Nobody has said whose signature counts.",
            advice="Name the public key's file with --key, or in push.public_key; or an identity with --identity.",
        )
    return read_private_key(pem, environ.get(UNLOCKS, ""), source).public_key


def _read(name: str, what: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{what} names {name!r}, which can't be read: {error.strerror or error}.") from error


def masked(builder: Builder, redact: Redactor) -> Builder:
    """Without a login that somebody has written into a URI: a statement is there for everybody to read."""
    return replace(builder, id=redact(builder.id), invocation=redact(builder.invocation), source=redact(builder.source))


def builder_of(settings: Push, environ: Mapping[str, str], *, run: str, version: str) -> Builder:
    """Who builds, as far as the settings or a known CI system say so.

    Sources: GitHub's "Default environment variables", GitLab's "Predefined CI/CD variables".
    """
    identity, invocation, source = "", "", ""
    if environ.get("GITHUB_ACTIONS") == "true":
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        source = f"{server}/{environ.get('GITHUB_REPOSITORY', '')}"
        identity = f"{server}/{environ.get('GITHUB_WORKFLOW_REF', '')}"
        invocation = (
            f"{source}/actions/runs/{environ.get('GITHUB_RUN_ID')}/attempts/{environ.get('GITHUB_RUN_ATTEMPT')}"
        )
    elif environ.get("GITLAB_CI") == "true":
        source = environ.get("CI_PROJECT_URL", "")
        identity = f"{source}/-/runners/{environ.get('CI_RUNNER_ID', '')}"
        invocation = environ.get("CI_JOB_URL", "")
    return Builder(
        id=settings.builder or identity or LOCAL_BUILDER,
        version=version,
        invocation=invocation or f"urn:proven-pipeline:run:{run}",
        source=settings.source or source,
    )
