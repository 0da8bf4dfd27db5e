"""What counts as a secret, and every form in which one may be written: pure, for whoever masks them.

Out of reach, and so said: a value that is split over several lines by the one who writes it (base64 in lines of 76
characters), or that is encoded twice, compressed or encrypted.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from html import escape as html_escape
from urllib.parse import quote, quote_plus, unquote, urlsplit

from pipeline.core.ordinary_words import ORDINARY_WORDS

MASK = "[secret]"
"""What stands in the place of a secret."""
SHORTEST = 8
"""Characters; a shorter value would hide ordinary text wherever it stands."""

_NAME = re.compile(
    r"SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|PASSCODE|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|SIGNING_?KEY"
    r"|(^|_)(KEY|AUTH|PASS|JWT|BEARER|COOKIE)(_|$)|[^_]_PWD(_|$)|(^|_)PWD_",
    re.I,
)


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret: ``DB_PASSWORD``, ``apiKey``; but ``PWD`` is a folder."""
    return _NAME.search(name) is not None


def is_ordinary(value: str) -> bool:
    """Whether a value can't be masked: it is short, an ordinary word, or one character over and over."""
    return len(value) < SHORTEST or value.lower() in ORDINARY_WORDS or len(set(value)) == 1


def values_of(name: str, value: str) -> Iterator[str]:
    """The secrets that a variable holds: its value, by its name; the credentials of an address, whatever its name."""
    if is_secret_name(name):
        yield value
        yield from _within_json(value)
    for address in re.findall(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"<>,;]+", value) if "://" in value else ():
        yield from credentials_of(address)


def credentials_of(address: str) -> Iterator[str]:
    """The password of an address, as it stands there and decoded; the user, where a token stands alone in its place."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
    secret = password if colon and password else user
    if secret:
        yield from {secret, unquote(secret)}


def parts_of(secret: str) -> Iterator[str]:
    """The secret, and of one of several lines each line, since tools indent what they print.

    The first and the last line of a PEM file (RFC 7468) are no secret.
    """
    yield secret
    yield secret.strip()
    lines = secret.splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines if not line.startswith("-----"))


def forms(secret: str) -> frozenset[str]:
    """The ways in which a secret may be written: plain, percent-encoded, in base64, and escaped as other texts do."""
    try:
        raw = secret.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = secret.encode("utf-8", "surrogatepass")
    return frozenset({secret, *_percent(raw), *_base64(raw), *_escaped(secret)})


def _within_json(value: str) -> Iterator[str]:
    """The texts with secret-like names in a JSON object, as the key file of a service account is one."""
    if not value.lstrip().startswith("{"):
        return
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return
    for name, text in document.items():
        if isinstance(text, str) and is_secret_name(name):
            yield text


def _percent(raw: bytes) -> Iterator[str]:
    """RFC 3986, 2.1, as Python, browsers (encodeURIComponent, encodeURI) and forms write it, in either case."""
    for safe in ("", "/", "!'()*", ";,/?:@&=+$!*'()#"):
        for text in (quote(raw, safe=safe), quote_plus(raw, safe=safe)):
            yield text
            yield re.sub("%..", lambda match: match.group().lower(), text)
    yield "".join(f"%{byte:02X}" for byte in raw)
    yield "".join(f"%{byte:02x}" for byte in raw)


def _base64(raw: bytes) -> Iterator[str]:
    """RFC 4648, both alphabets: of the secret alone, and of one that begins anywhere in what was encoded.

    Within a longer text a secret has one of three alignments; of each, the characters that depend on it alone. The one
    at either end that also depends on its neighbour tells at most four of its bits and stays.
    """
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        whole = encode(raw).decode()
        parts = [whole, whole.rstrip("=")]
        for before in range(3):
            first = -(-8 * before // 6)
            beyond = 8 * (before + len(raw)) // 6
            parts.append(encode(bytes(before) + raw).decode()[first:beyond])
        for part in parts:
            yield part
            yield quote(part, safe="")


def _escaped(secret: str) -> Iterator[str]:
    """As JSON (once and twice), Python's repr, XML, HTML and a shell write it."""
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield once.replace("/", "\\/")
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    yield repr(secret)[1:-1]
    yield ascii(secret)[1:-1]
    yield from (secret.replace("\\", "\\\\").replace(mark, f"\\{mark}") for mark in "'\"")
    yield html_escape(secret, quote=False)
    yield html_escape(secret)
    yield html_escape(secret).replace("&#x27;", "&#39;")
    yield html_escape(secret).replace("&#x27;", "'")
    yield html_escape(secret).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    yield html_escape(secret).replace("&quot;", '"')
    yield html_escape(secret).replace("&#x27;", "&apos;")
    yield from (secret.replace("'", instead) for instead in ("'\"'\"'", "'\\''"))
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", secret)
