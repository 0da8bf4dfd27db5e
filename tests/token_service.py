"""A token service for a real registry (distribution's "Token Authentication Specification"), with a login."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.scripted_http import Asked, Reply, scripted_http

ISSUER, SERVICE = "test-issuer", "test-registry"


@dataclass
class TokenService:
    """``realm`` is its address; ``issued`` counts the tokens; ``certificate`` is what a registry trusts."""

    realm: str
    certificate: Path
    issued: int = 0

    def protect(self, configuration: dict[str, Any]) -> None:
        """Make a registry ask for this service's tokens."""
        configuration["auth"] = {
            "token": {
                "realm": self.realm,
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(self.certificate),
            }
        }


@contextlib.contextmanager
def token_service(folder: Path, username: str, password: str, *, lasts_s: int = 60) -> Iterator[TokenService]:
    """Gives tokens to this one login; each is good for ``lasts_s`` seconds."""
    key_path, certificate = folder / "token-key.pem", folder / "token-certificate.pem"
    subprocess.run(
        ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=tokens",
         "-keyout", str(key_path), "-out", str(certificate)),
        check=True, capture_output=True,
    )  # fmt: skip
    key = load_pem_private_key(key_path.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    der = "".join(certificate.read_text(encoding="ascii").splitlines()[1:-1])
    login = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("authorization") != login:
            return Reply(status=401)
        query = parse_qs(urlsplit(asked.path).query)
        kind, name, actions = query["scope"][0].split(":") if "scope" in query else ("", "", "")
        service.issued += 1
        now = int(time.time())
        claims = {
            "iss": ISSUER, "sub": username, "aud": SERVICE, "exp": now + lasts_s, "nbf": now - 5, "iat": now,
            "jti": token_hex(8), "access": [{"type": kind, "name": name, "actions": actions.split(",")}],
        }  # fmt: skip
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "x5c": [der]}, claims))
        signature = key.sign(signed.encode(), padding.PKCS1v15(), SHA256())
        return Reply(body=json.dumps({"token": f"{signed}.{_encoded(signature)}"}).encode())

    service = TokenService(realm="", certificate=certificate)
    with scripted_http(answer) as server:
        service.realm = f"http://{server.host}/token"
        yield service


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
