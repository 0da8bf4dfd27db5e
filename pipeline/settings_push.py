"""The keys of ``[tool.pipeline.push]``: where images go, and how they are signed. No key of these holds a secret."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.settings_keys import key

URI = r"[A-Za-z][A-Za-z0-9+.-]*:\S+"
GITHUB = "https://token.actions.githubusercontent.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """The registry, and the signature on what goes there."""

    registry: str = key("", "host[:port] of the registry; none: a rehearsal on loopback")
    repository: str = key("", "the repository in it; default: the image's name")
    rehearsal_image: str = key(
        "registry:2", "image by which a rehearsal runs where docker-registry is not installed; never pulled"
    )
    insecure: bool = key(False, "whether plain HTTP is spoken with a registry that is not on loopback")
    ca_file: str = key("", "certificate authority of a private registry (PEM)")
    timeout_s: int = key(600, "seconds that the exchange may take", low=1)
    sign: str = key(
        "auto",
        "'auto': signed if there is a key, and the report says if not; 'required': no push without a key; 'off': never",
        one_of=("auto", "required", "off"),
    )
    key_file: str = key("", "the private key that signs (PEM); or the key itself in PIPELINE_PUSH_SIGNING_KEY")
    keyless: bool = key(
        False, "whether the identity of the CI job signs instead of a key, by sigstore (the extra 'keyless')"
    )
    trust_config: str = key("", "a private sigstore instance to sign with (ClientTrustConfig, JSON); default: public")
    identity: str = key("", "whose keyless signature 'promote' and 'verify --image' believe: the certificate's name")
    issuer: str = key("", "the OpenID Connect issuer that must vouch for push.identity", pattern=URI, like=GITHUB)
    trusted_root: str = key(
        "", "root of trust for keyless signatures (sigstore's trusted_root.json); default: the library's own"
    )
    public_key: str = key(
        "", "the public key that 'promote' and 'verify --image' believe (PEM); default: the signing key's"
    )
    policy: str = key("", "what 'promote' and 'verify --image' demand of an image (TOML); default: docs/signing.md")
    builder: str = key(
        "",
        "URI of the builder in the provenance; default: the CI job's",
        pattern=URI,
        like="https://ci.example.org/builder",
    )
    source: str = key(
        "",
        "URI of the source repository in the provenance; default: the CI's",
        pattern=URI,
        like="https://example.org/repository",
    )
