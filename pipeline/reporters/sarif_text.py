"""Texts and paths as SARIF wants them written (SARIF 2.1.0, sections 3.4.3 and 3.11)."""

from __future__ import annotations

from urllib.parse import quote

from pipeline.core.safe_text import cut, visible

LONGEST_MESSAGE = 4000


def message_text(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """A plain text message that says the text as it is.

    Braces are doubled, as a placeholder is written in single ones (3.11.5), and no text becomes a link (3.11.6): what
    would be one has a space in it.
    """
    shown = visible(cut(text, longest), keep="\n\t").strip().replace("](", "] (")
    return shown.replace("{", "{{").replace("}", "}}") or "(no text)"


def uri(path: str) -> str:
    """A path below the root as a relative reference (RFC 3986) that begins with no scheme, not even seemingly."""
    kind = "surrogateescape" if _encodable(path) else "backslashreplace"
    return quote(path.encode("utf-8", kind))


def _encodable(path: str) -> bool:
    """Whether it is text, or bytes of a file's name that are none."""
    return path.isascii() or not any(
        "\ud800" <= character < "\udc80" or "\udcff" < character <= "\udfff" for character in path
    )
