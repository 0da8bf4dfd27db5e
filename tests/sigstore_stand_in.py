"""Stand-ins on loopback for what keyless signing talks to: GitHub's tokens, Fulcio, Rekor; and their root of trust.

They speak the real protocols with keys that are made here, so that the real ``sigstore`` library signs and verifies
(certificate, its time stamp in a certificate log, entry in a transparency log). What they do not do: check the token,
and keep a tree (each entry is the only leaf of a tree of its own). Sources: Fulcio's and Rekor's OpenAPI documents,
RFC 6962, C2SP's ``signed-note`` and ``tlog-checkpoint``.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.scripted_http import Asked, Reply, ScriptedHttp, scripted_http

ISSUER = "https://token.actions.githubusercontent.com"
WORKFLOW = "https://github.com/team/echo/.github/workflows/pipeline.yml@refs/heads/main"
SUBJECT = "repo:team/echo:ref:refs/heads/main"
_SCT = "1.3.6.1.4.1.11129.2.4.2"
_ISSUER_V1, _ISSUER_V2 = "1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8"


def der_of(key: EllipticCurvePublicKey) -> bytes:
    """Its SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Log:
    """A log's key, and its name: the digest of the public half."""

    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))

    @property
    def name(self) -> bytes:
        """The log's id."""
        return hashlib.sha256(der_of(self.key.public_key())).digest()

    def sign(self, message: bytes) -> bytes:
        """A signature over its SHA-256."""
        return self.key.sign(message, ECDSA(SHA256()))

    def described(self, url: str) -> dict[str, Any]:
        """As a root of trust has it."""
        key = {"rawBytes": _text(der_of(self.key.public_key())), "keyDetails": "PKIX_ECDSA_P256_SHA_256", **_VALID}
        return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": key, "logId": {"keyId": _text(self.name)}}


@dataclass
class StandIn:
    """The services, once they run. ``identity`` is what certificates name; a ``broken`` path is answered with 500.

    The log enters everything ``late_s`` seconds after its time.
    """

    identity: str = WORKFLOW
    issuer: str = ISSUER
    old_issuer: bool = False
    late_s: int = 0
    broken: str = ""
    silent_s: float = 0.0
    url: str = ""
    authority: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    certificates: Log = field(default_factory=Log)
    entries: Log = field(default_factory=Log)
    logged: list[bytes] = field(default_factory=list)

    def answer(self, asked: Asked) -> Reply:
        """What each service answers."""
        path = asked.path.partition("?")[0]
        time.sleep(self.silent_s)
        if path == self.broken:
            return Reply(status=500, body=b'{"message": "out of order"}')
        answers = {"/token": self._token, "/api/v2/signingCert": self._certificate, "/api/v1/log/entries": self._entry}
        document = answers[path](asked)
        return Reply(body=json.dumps(document).encode(), headers={"Content-Type": "application/json"})

    def ambient(self, patch: pytest.MonkeyPatch) -> None:
        """Make this process a job of GitHub Actions that may ask who it is."""
        patch.setenv("GITHUB_ACTIONS", "true")
        patch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request")
        patch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{self.url}/token")

    def trusted_root(self) -> dict[str, Any]:
        """Sigstore's ``trusted_root.json`` for these services."""
        chain = {"certificates": [{"rawBytes": _text(self.root.public_bytes(Encoding.DER))}]}
        authority = {
            "subject": {"organization": "test", "commonName": "test"}, "uri": self.url, "certChain": chain, **_VALID,
        }  # fmt: skip
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self.entries.described(self.url)],
            "certificateAuthorities": [authority],
            "ctlogs": [self.certificates.described(self.url)],
            "timestampAuthorities": [],
        }

    def trust_config(self) -> dict[str, Any]:
        """Sigstore's ``ClientTrustConfig`` for these services."""
        service = {"url": self.url, "majorApiVersion": 1, "operator": "test", **_VALID}
        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self.trusted_root(),
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": [service], "oidcUrls": [service], "rekorTlogUrls": [service], "tsaUrls": [],
                "rekorTlogConfig": {"selector": "ANY"}, "tsaConfig": {"selector": "ANY"},
            },
        }  # fmt: skip

    def files(self, folder: Path) -> tuple[str, str]:
        """The trust configuration and the trusted root, in files."""
        folder.mkdir(parents=True, exist_ok=True)
        config, root = folder / "trust_config.json", folder / "trusted_root.json"
        config.write_text(json.dumps(self.trust_config()), encoding="utf-8")
        root.write_text(json.dumps(self.trusted_root()), encoding="utf-8")
        return str(config), str(root)

    def __post_init__(self) -> None:
        public = self.authority.public_key()
        self.root = (
            _begun(_NAME, public, timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self.authority, SHA256())
        )

    def _token(self, asked: Asked) -> dict[str, Any]:
        assert asked.path.endswith("audience=sigstore") and asked.headers["authorization"] == "bearer request"
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": SUBJECT, "aud": "sigstore", "iat": now, "nbf": now - 5, "exp": now + 300}
        parts = (json.dumps({"alg": "RS256"}).encode(), json.dumps(claims).encode(), b"not checked")
        return {"value": ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)}

    def _certificate(self, asked: Asked) -> dict[str, Any]:
        assert asked.headers["authorization"].startswith("Bearer ")
        pem = base64.b64decode(json.loads(asked.body)["certificateSigningRequest"])
        key = x509.load_pem_x509_csr(pem).public_key()
        assert isinstance(key, EllipticCurvePublicKey)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key())
        issuer = self.issuer.encode() if self.old_issuer else bytes((0x0C, len(self.issuer))) + self.issuer.encode()
        vouching = x509.ObjectIdentifier(_ISSUER_V1 if self.old_issuer else _ISSUER_V2)
        builder = (
            _begun(x509.Name([]), key, timedelta(minutes=10))
            .add_extension(_usage(sign=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(authority, critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(self.identity)]), critical=True)
            .add_extension(x509.UnrecognizedExtension(vouching, issuer), critical=False)
        )
        stamp = self._timestamp(builder.sign(self.authority, SHA256()).tbs_certificate_bytes)
        made = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(_SCT), stamp), critical=False)
        chain = [made.sign(self.authority, SHA256()), self.root]
        certificates = [item.public_bytes(Encoding.PEM).decode() for item in chain]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": certificates}}}

    def _timestamp(self, precertificate: bytes) -> bytes:
        """The list of one signed time stamp (RFC 6962, sections 3.2 and 3.3) in its DER."""
        issuer, now = hashlib.sha256(der_of(self.authority.public_key())).digest(), int(time.time() * 1000)
        entry = issuer + struct.pack("!I", len(precertificate))[1:] + precertificate
        signature = self.certificates.sign(struct.pack("!BBQH", 0, 0, now, 1) + entry + b"\0\0")
        stamp = struct.pack("!B32sQHBBH", 0, self.certificates.name, now, 0, 4, 3, len(signature)) + signature
        listed = struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp
        length = (len(listed),) if len(listed) < 0x80 else (0x81, len(listed))
        return bytes((0x04, *length)) + listed

    def _entry(self, asked: Asked) -> dict[str, Any]:
        proposed = json.loads(asked.body)["spec"]["proposedContent"]
        envelope = json.loads(proposed["envelope"])
        spec: dict[str, Any] = {
            "envelopeHash": _hash(proposed["envelope"].encode()),
            "payloadHash": _hash(base64.b64decode(envelope["payload"])),
            "signatures": [{"signature": envelope["signatures"][0]["sig"], "verifier": proposed["verifiers"][0]}],
        }
        body = rfc8785.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        root = hashlib.sha256(b"\0" + body).digest()
        self.logged.append(body)
        at, index, name = int(time.time()) + self.late_s, len(self.logged), self.entries.name
        promise: dict[str, Any] = {"body": _text(body), "integratedTime": at, "logID": name.hex(), "logIndex": index}
        note = f"log.test\n1\n{_text(root)}\n"
        signature = _text(name[:4] + self.entries.sign(note.encode()))
        proof = {
            "logIndex": 0, "treeSize": 1, "rootHash": root.hex(), "hashes": [],
            "checkpoint": f"{note}\n\u2014 log.test {signature}\n",
        }  # fmt: skip
        promised = _text(self.entries.sign(rfc8785.dumps(promise)))
        return {"1": {**promise, "verification": {"inclusionProof": proof, "signedEntryTimestamp": promised}}}


@contextlib.contextmanager
def sigstore_stand_in(**changes: Any) -> Iterator[StandIn]:
    """The services on a port of loopback."""
    services = StandIn(**changes)
    server: ScriptedHttp
    with scripted_http(services.answer) as server:
        services.url = f"http://{server.host}"
        yield services


_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
_VALID = {"validFor": {"start": "2020-01-01T00:00:00Z"}}


def _begun(subject: x509.Name, key: EllipticCurvePublicKey, lasts: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_NAME)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + lasts)
    )


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign, key_cert_sign=not sign, crl_sign=not sign, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _hash(body: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(body).hexdigest()}


def _text(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")
