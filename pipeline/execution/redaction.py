"""Masking of secrets in everything that is written or printed, before it is.

What counts as one: the value of an environment variable with a secret-like name (at least 8 characters long), the credentials of a
URL, and whatever a stage adds (what the secret scanner found, the random key of a container). Masked in plain, URL-encoded and
base64 form.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

MASK = "[secret]"
SHORTEST = 8

_NAME = re.compile(
    r"(SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)|(^|_)(KEY|AUTH)(_|$)", re.I
)
# The user part may be empty; neither part holds a slash or white space. Bounded, so that no input makes it slow.
_URL = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]{0,20}://)(?P<user>[^\s/:@'\"]{0,256}):(?P<password>[^\s/@'\"]{1,512})@"
)
_ORDINARY = frozenset(
    {"disabled", "required", "optional", "password", "changeme", "localhost", "production", "development"}
)


class SecretRedactor:
    """A Redactor that knows the secrets of this process's environment and whatever is added later."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for name, value in environ.items():
            if _NAME.search(name) and not value.startswith(("/", "./")):
                self.also(value)

    def also(self, secret: str) -> None:
        """From now on mask this value too; short values and ordinary words are left alone, since masking them would hide text."""
        if len(secret) < SHORTEST or secret.lower() in _ORDINARY:
            return
        raw = secret.encode("utf-8", "surrogateescape")
        encoded = base64.b64encode(raw).decode()
        urlsafe = base64.urlsafe_b64encode(raw).decode()
        forms = {
            secret,
            quote(raw, safe=""),
            quote(raw),
            quote_plus(raw),
            encoded,
            urlsafe,
            encoded.rstrip("="),
            urlsafe.rstrip("="),
        }
        self._forms |= {form for form in forms if len(form) >= SHORTEST}
        # Longest first, so that no form leaves the rest of a longer one behind.
        longest_first = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(form) for form in longest_first))

    def __call__(self, text: str) -> str:
        """The text with every known secret masked."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        return _URL.sub(rf"\g<scheme>{MASK}@", text) if "://" in text else text
