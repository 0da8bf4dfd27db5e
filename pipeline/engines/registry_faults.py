"""What went wrong between us and a registry, in words of ours: those of others may hold a secret."""

from __future__ import annotations

import re
import ssl

import requests

_CODE = re.compile(r'"code"\s*:\s*"([A-Z_]{3,40})"')
_SIGNS = (
    (("Connection refused",), "Nothing listens there (connection refused)."),
    (("Read timed out", "ReadTimeout"), "It fell silent in the middle of an answer."),
    (("resolve", "Name or service", "getaddrinfo"), "Its name is not known to this machine's name service."),
    (("IncompleteRead", "ChunkedEncoding", "ContentDecoding"), "It closed the connection half-way."),
    (("ConnectTimeout",), "No connection could be made in time."),
)


def kind(error: requests.RequestException) -> str:
    """What went wrong, in words of ours."""
    text = f"{type(error).__name__} {error}"
    found = (sentence for signs, sentence in _SIGNS if any(sign in text for sign in signs))
    return next(found, "It closed the connection without a whole answer, or could not be reached.")


def tls_reason(error: BaseException) -> str:
    """OpenSSL's own word for it, dug out of the layers around it; the outer texts hold the whole URL."""
    seen: list[BaseException] = [error]
    for outer in seen:
        if isinstance(outer, ssl.SSLCertVerificationError):
            return outer.verify_message
        if isinstance(outer, ssl.SSLError) and outer.reason:
            return outer.reason
        inner = (*outer.args, getattr(outer, "reason", None), outer.__cause__, outer.__context__)
        seen.extend(item for item in inner if isinstance(item, BaseException) and item not in seen)
    return "the handshake failed"


def code_of(response: requests.Response) -> str:
    """The error code of the distribution specification, if the answer carries one; its free text is not repeated."""
    try:
        match = _CODE.search(next(response.iter_content(4096), b"").decode("utf-8", "replace"))
    except requests.RequestException:
        # It is closing the connection while it fails; the status has been read and says enough.
        return ""
    return f" ({match[1]})" if match else ""


def seconds_of(header: str) -> float:
    """``Retry-After`` in seconds; its other form, a date, counts as none."""
    return float(header) if header.isascii() and header.isdigit() and len(header) < 7 else 0.0
