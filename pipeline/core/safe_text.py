"""Text from outside made safe for where it is shown: one function for each sink, and the rules of them all.

Names, messages, logs and metadata come from the code under review, so they are an attacker's. Whatever is shown of them
must come out as the text that it is: no markup, no script, no workflow command, no escape of a terminal, nothing that
can't be seen. Secrets are another matter (:mod:`pipeline.core.masking`): they are masked before anything gets here.

Which function for which sink:

- a terminal or the log of a CI job: :func:`for_log`, on each line as it is finally written (after wrapping);
- XML: :func:`for_xml` for a text or attribute, then :func:`xml_document` over the whole document;
- HTML: :func:`visible` (``keep="\\n\\t"``) under a template that escapes by itself, :func:`html_document` at the end;
- JSON, also where it stands in a page's script: :func:`json_document` over the whole text;
- Markdown of GitHub and GitLab: :func:`for_markdown`, :func:`markdown_link`; a link anywhere else: :func:`web_link`;
- an annotation's workflow command: :func:`command_data` and :func:`command_property`;
- anything else: :func:`visible`, then what the format's own library does.

All are functions of the text alone, and none depends on Python's version of Unicode: a report that is made again must
be the same.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote, urlsplit

# What can't be seen, moves the cursor, breaks a line or turns the direction of writing: control characters (Cc), format
# characters (Cf), line separators (Zl, Zp) and Default_Ignorable_Code_Point of Unicode 15 (DerivedCoreProperties.txt;
# but for the two variation selectors of emoji), surrogates, and what is no character, in any plane.
_UNSEEN = (
    "\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0d\ufeff\uffa0"
    "\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
) + "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
_UNSEEN_CHARACTER = re.compile(f"[\x00-\x1f{_UNSEEN}]")
# Runs in which one may stand: all but these few ranges, which is ten times as fast as to look for all those. Said by
# what is none of them, since a range as long as that of the rest takes 4 ms to compile.
_UNSUSPECTED = "\x20-\x7e\xa0-\xac\xae-\u034e\u0350-\u05ff"
_SUSPECT_IN_LINE = re.compile(f"[^{_UNSUSPECTED}]+")
_SUSPECT_IN_LINES = re.compile(f"[^\t\n{_UNSUSPECTED}]+")
_PLAIN = bytes(range(0x20, 0x7F)) + b"\n"
# GitHub reads "::" at the beginning of a line; it and Azure read "##[" and "##vso[" anywhere in it, TeamCity
# "##teamcity[". GitLab reads its section markers at the beginning of a line.
_AT_START = re.compile(r"^(\s*)(::|section_(?:start|end):)")
_ANYWHERE = re.compile(r"##(?=\[|vso\[|teamcity\[)", re.IGNORECASE)
# A command of GitHub has a second "::"; CSS has lines that begin with the first.
_LINE_OF_DOCUMENT = re.compile(r"^([^\S\n]*):(?=:[^\n]*::)|^([^\S\n]*)s(?=ection_(?:start|end):)", re.MULTILINE)

# Everything that Markdown or HTML gives a meaning to.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()<>#+\-.!|~&$@:^%=\"']")
# What GitHub and GitLab act upon although it is escaped, since they look at the text that comes out: mentions and
# e-mail addresses, references to issues and the like, addresses, names of emoji.
_ACTED_UPON = re.compile(
    r"[@#!$&%~^](?=[\w\"]|[^\x00-\x7f])|:(?=//|[\w+-]{0,64}[a-z][\w+-]{0,64}(?::|\Z)|(?:100|1234|[+-]1):)"
    r"|(?<=www)\.|(?<=GH)-(?=\d)",
    re.IGNORECASE | re.ASCII,
)
_BREAK = "&#8203;"
"""A zero-width space, as other programs that write comments put it behind the "@" of what is no mention."""
_SPACES = re.compile(r"[ \t\r\n]+")

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})|\[[0-9a-fA-F:.]{2,45}\]")
LONGEST_LINK = 2000
"""Characters of an address; browsers and report readers cut longer ones, each elsewhere."""


def visible(text: str, *, keep: str = "") -> str:
    """The text with every character that can't be seen as its escape, like ``\\x1b`` or ``\\u202e``.

    ``keep`` is "" or, where the sink shows lines, "\\n\\t". The result can always be encoded as UTF-8.
    """
    # Most texts, and many times faster than to look at each character: a big report has some 100,000 of them.
    plain = text.replace("\n", "").replace("\t", "") if keep else text
    if plain.isascii() and plain.isprintable():
        return text
    suspect = _SUSPECT_IN_LINES if keep else _SUSPECT_IN_LINE
    return suspect.sub(lambda run: _UNSEEN_CHARACTER.sub(_escaped, run.group()), text)


def cut(text: str, longest: int) -> str:
    """The text, of which no more than ``longest`` characters are left; an ellipsis says that there were more."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def for_log(text: str) -> str:
    """One line for a terminal or a log, that steers neither, nor the CI system that reads it.

    To be applied to a whole line as it is written: what is no command within a line is one where a line begins.
    """
    shown = visible(text.replace("\t", "    "))
    return _ANYWHERE.sub(r"#\\#", _AT_START.sub(r"\1\\\2", shown))


def for_xml(text: str, longest: int = 0) -> str:
    """Text that XML 1.0 can carry (section 2.2), in lines, cut to ``longest`` characters (0: as long as it is)."""
    return visible(cut(text, longest) if longest else text, keep="\n\t")


def xml_document(text: str) -> str:
    """A finished XML or HTML text in which no line is a workflow command, though it may be printed to a log.

    A character of each becomes a reference, so that a parser reads what was written. Comments and CDATA sections must
    hold nothing from outside.
    """
    if "::" in text or "section_" in text:
        text = _LINE_OF_DOCUMENT.sub(_referred, text)
    # Looked for first, since that is many times as fast, and a long report has none.
    return _ANYWHERE.sub("#&#35;", text) if "##" in text else text


html_document = xml_document


def json_document(text: str) -> str:
    """A finished JSON text, safe also in a log and within a page's script element.

    What other readers would take for their own becomes an escape, so that a JSON parser reads what was written.
    """
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    if not _is_plain(text):
        text = _SUSPECT_IN_LINES.sub(lambda run: _UNSEEN_CHARACTER.sub(_escaped_in_json, run.group()), text)
    return _ANYWHERE.sub(r"#\\u0023", text) if "##" in text else text


def for_markdown(text: str, longest: int = 300) -> str:
    """Text that Markdown shows as it is, on one line, cut to ``longest`` characters; not for the beginning of a line.

    It is neither markup nor HTML, mention, reference or link, by https://github.github.com/gfm/ and by what GitHub and
    GitLab make of the text that comes out of it.
    """
    shown = cut(visible(_SPACES.sub(" ", text)), longest)
    breaks = {match.start() for match in _ACTED_UPON.finditer(shown)}

    def one(match: re.Match[str]) -> str:
        return f"\\{match.group()}{_BREAK if match.start() in breaks else ''}"

    return _MARKDOWN.sub(one, shown)


def markdown_link(label: str, address: str, longest: int = 300) -> str:
    """A link, or the label alone where the address is none that may become one (:func:`web_link`)."""
    link = web_link(address)
    shown = for_markdown(label, longest)
    return f"[{shown}](<{link.replace('&', '&amp;')}>)" if link else shown


def web_link(address: str) -> str:
    """The address, if a reader may be led there with a click: http or https, a plain host, no credentials; else "".

    Whatever could end an attribute, a bracket or a table's cell is percent-encoded in it (RFC 3986, section 2).
    """
    if len(address) > LONGEST_LINK or _SPACES.search(address) or "\\" in address or visible(address) != address:
        return ""
    try:
        parts = urlsplit(address)
        plain = parts.scheme.lower() in ("http", "https") and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        # Brackets that are no IPv6 address, or a port that is no number.
        return ""
    host = parts.netloc if parts.port is None else parts.netloc.rpartition(":")[0]
    return quote(address, safe="%/:?#[]@!$&*+,;=~-._") if plain and _HOST.fullmatch(host.removesuffix(":")) else ""


def command_data(text: str) -> str:
    """The message of a workflow command (``@actions/core``, ``escapeData``): it may have lines."""
    shown = visible(text, keep="\n\t").replace("%", "%25").replace("\n", "%0A")
    return _ANYWHERE.sub(r"#\\#", shown)


def command_property(text: str) -> str:
    """A property of a workflow command (``@actions/core``, ``escapeProperty``), on one line."""
    return command_data(visible(text)).replace(":", "%3A").replace(",", "%2C")


def _is_plain(text: str) -> bool:
    """Whether all characters of a long text are of ASCII and can be seen, but for ends of lines; in no time at all."""
    return text.isascii() and not text.encode("ascii").translate(None, _PLAIN)


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape", "surrogatepass").decode("ascii")


def _escaped_in_json(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1]


def _referred(match: re.Match[str]) -> str:
    return f"{match[1]}&#58;" if match[1] is not None else f"{match[2]}&#115;"
