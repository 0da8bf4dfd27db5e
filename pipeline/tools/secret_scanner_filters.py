"""What a detector took for a secret and is surely none.

They stand in for the scanner's own filters, which are wider than they look and hide real ones. "Looks like a call"
drops the whole line, keys with certain prefixes included; "likely an id" looks at any ``_id`` earlier on the line, so
that a client secret behind a ``client_id`` is not seen; and a value is dropped that merely contains a UUID, begins with
a dollar sign, or has no letter. Each rule here says what it is sure of.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A value that the detector class ``kind`` takes for a secret.

    ``name`` is the word that stands directly before it; ``quoted`` tells whether it stands in quotes of its own;
    ``renamed`` whether the name was a "token" that had to be called a secret for the detector to see it.
    """

    kind: str
    value: str
    name: str = ""
    quoted: bool = True
    renamed: bool = False


# A variable of a shell or a template, a placeholder in brackets, an ellipsis, stars.
_REFERENCE = re.compile(
    r"\$[A-Za-z_({].*|%\(.*|%[A-Za-z_]+%|\{.*\}|<.*>|\[.*\]|!\w+.*|\.{3}.*|x{3,}|\*+|…", re.I | re.S
)
_PATH_OR_ADDRESS = re.compile(r"(?:~|\.{0,2})(?:/[a-z0-9_.-]+)+/?|https?://[^@\s]*")
_VERSION = re.compile(r"v?\d+(?:\.\d+)+")
_CONSTANT = re.compile(r"[A-Z]+(?:_[A-Z]+)+")
_CALL = re.compile(r"[\w.-]+[\[(].*[\])].*", re.S)
_NOTHING = re.compile(r"none|null|nil|true|false|yes|no|undefined|str|string|bool|bytes|optional", re.I)
_ABOUT = re.compile(
    r"[_-]?(?:file|path|dir|url|uri|endpoint|name|names|ref|length|len|min|max|ttl|timeout|expiry|expires|policy|type"
    r"|field|enabled|required|algorithm|count|limit|size|regex|pattern|header|prefix|suffix|label|help|env|var)",
    re.I,
)
_ABOUT_AT_END = re.compile(rf"\w*{_ABOUT.pattern}", re.I)
_UUID = re.compile(r"[a-f0-9]{8}-(?:[a-f0-9]{4}-){3}[a-f0-9]{12}", re.I)
# Subresource integrity (W3C) and its like: a digest with the name of its algorithm.
_LABELLED = re.compile(r"(?:sha(?:1|224|256|384|512)|md5)[-:=][A-Za-z0-9+/=_-]+", re.I)
_DIGEST_LENGTHS = {32, 40, 56, 64, 96, 128}
_DIGEST_NAME = re.compile(
    r"(?:.*[_.-])?(?:sha\d*|shasum|md5|hash|hexdigest|digest|checksum|integrity|rev|revision|reference|commit|ref)",
    re.I,
)
_IDENTITY = re.compile(r"(?:(?i:id|myid|userid|.*_id)|.*[a-z0-9]I[dD])s?")
# The runs of the scanner's is_sequential_string: nobody's key is the alphabet.
_RUNS = (
    string.ascii_uppercase * 2 + string.digits + "+/", string.digits + string.ascii_uppercase * 2 + "+/",
    (string.digits + string.ascii_uppercase) * 2, string.digits * 2, string.hexdigits.upper() * 2,
)  # fmt: skip
_SHORTEST_PASSWORD = 4
_SHORTEST_NUMBER = 6
_LONG_TOKEN = 20


def harmless(candidate: Candidate) -> bool:
    """Whether it is surely no secret."""
    if candidate.kind == "KeywordDetector":
        return _no_password(candidate)
    if candidate.kind.endswith("HighEntropyString"):
        return _no_key(candidate)
    return candidate.kind == "BasicAuthDetector" and _REFERENCE.fullmatch(candidate.value) is not None


def _no_password(candidate: Candidate) -> bool:
    """For what was found by its name: nothing, a reference, a name that only speaks of secrets, or a word of prose."""
    value, name = candidate.value, candidate.name
    return (
        len(value) < _SHORTEST_PASSWORD
        or not any(char.isalnum() for char in value)
        or any(pattern.fullmatch(value) for pattern in (_NOTHING, _REFERENCE, _PATH_OR_ADDRESS, _VERSION))
        or _ABOUT_AT_END.fullmatch(name) is not None
        or _is_a_name(value, name)
        or (candidate.renamed and not _like_a_token(value))
        or (not candidate.quoted and _no_setting(value))
    )


def _is_a_name(value: str, name: str) -> bool:
    """A table of names, ``{"API_KEY": "api_key"}``, or the name of a variable, ``PASSWORD = "SERVICE_PASSWORD"``."""
    constant = _CONSTANT.fullmatch(value) is not None and name.upper() in value
    return "_" in value and (constant or value.lower() == name.lower())


def _no_setting(value: str) -> bool:
    """Without quotes: an expression, a number that is no password, or text of several words."""
    return _CALL.fullmatch(value) is not None or " " in value or (value.isdigit() and len(value) < _SHORTEST_NUMBER)


def _like_a_token(value: str) -> bool:
    """Compilers have tokens too, ``if token == "else"``; a credential has a digit, or is long."""
    mixed = any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
    return " " not in value and (mixed or len(value) >= _LONG_TOKEN)


def _no_key(candidate: Candidate) -> bool:
    """For what was found by its entropy alone: a digest, an identifier, an alphabet."""
    value, name = candidate.value, candidate.name
    hexadecimal = all(char in string.hexdigits for char in value)
    return (
        any(value.upper() in run for run in _RUNS)
        or any(pattern.fullmatch(value) for pattern in (_UUID, _LABELLED))
        # In lock files, of commits and of files: the length is exact, and the name says what it is.
        or (hexadecimal and len(value) in _DIGEST_LENGTHS and _DIGEST_NAME.fullmatch(name) is not None)
        # Only the name that stands at the value counts, not any earlier one on the line.
        or _IDENTITY.fullmatch(name) is not None
    )
