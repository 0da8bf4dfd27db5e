"""Masking of secrets in everything that is written or printed, before it is.

What counts as one: the value of an environment variable with a secret-like name (at least 8 characters long), the
credentials of a URL, and whatever a stage adds (what the secret scanner found, the random key of a container). Masked
in plain, URL-encoded and base64 form, and as JSON and XML write it; of a secret of several lines each line counts,
since tools indent what they print.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

MASK = "[secret]"
SHORTEST = 8

_NAME = re.compile(
    r"(SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)|(^|_)(KEY|AUTH)(_|$)", re.I
)
# Everything up to the last @ before the path: a password may hold one, and a token may stand without a password.
# Bounded, so that no input makes it slow.
_URL = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]{0,20}://)[^\s/'\"<>]{1,768}@")
_ORDINARY = frozenset(
    {"disabled", "required", "optional", "password", "changeme", "localhost", "production", "development"}
)


class SecretRedactor:
    """A Redactor that knows the secrets of this process's environment and whatever is added later."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for name, value in environ.items():
            # Many such names hold a path to a secret and not the secret; but a base64 text may begin with a slash too.
            if _NAME.search(name) and not ("/" in value and os.path.exists(value)):
                self.also(value)

    def also(self, secret: str) -> None:
        """From now on mask this value too, unless it is short or an ordinary word: masking those would hide text."""
        if len(secret) < SHORTEST or secret.lower() in _ORDINARY:
            return
        # The first and last line of a PEM file are no secret.
        lines = (line.strip() for line in secret.splitlines() if not line.startswith("-----"))
        for part in (secret, *lines):
            if len(part) >= SHORTEST and part.lower() not in _ORDINARY:
                self._forms |= _forms(part)
        # Longest first, so that no form leaves the rest of a longer one behind.
        longest_first = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(form) for form in longest_first))

    def __call__(self, text: str) -> str:
        """The text with every known secret masked."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        return _URL.sub(rf"\g<scheme>{MASK}@", text) if "://" in text else text


def _forms(secret: str) -> set[str]:
    """The ways in which a secret may be written."""
    raw = secret.encode("utf-8", "surrogateescape")
    encoded = (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode())
    return {
        secret,
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        *encoded,
        *(text.rstrip("=") for text in encoded),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        escape(secret),
        escape(secret, {'"': "&quot;"}),
        escape(secret, {'"': "&quot;", "'": "&#x27;"}),
    }
