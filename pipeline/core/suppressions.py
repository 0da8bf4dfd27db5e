"""Comments that tell a tool to keep quiet: found in every file by our own reading, each with the reason beside it.

The tools name none of them, or only those that hid something. Where a tool reads lines and not comments (coverage, the
secret scanner) lines are read here too, so that a directive inside a string, which the tool obeys, is not missed.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.core.stage import Suppression


class SuppressionKind(StrEnum):
    """What is told to keep quiet. ``SKIP`` and ``XFAIL`` are marks in the code: :mod:`pipeline.core.skip_marks`."""

    NOSEC = "nosec"
    NOQA = "noqa"
    PYLINT = "pylint-disable"
    TYPE_IGNORE = "type-ignore"
    NO_COVER = "no-cover"
    ALLOWLIST = "allowlist"
    SKIP = "skip"
    XFAIL = "xfail"


_CODES = r"(?:[ \t]*:[ \t]*[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)?"
_PATTERNS: Mapping[SuppressionKind, re.Pattern[str]] = {
    # bandit/core/manager.py, NOSEC_COMMENT: it has no word boundary, so that a comment which merely begins with
    # "nosecret" silences its line too.
    SuppressionKind.NOSEC: re.compile(r"#\s*nosec:?(?:[ ,]*\bB\d{3}\b)*"),
    # flake8's and ruff's comments on one line and on a whole file; ruff's ranges; those of its isort rules.
    SuppressionKind.NOQA: re.compile(
        rf"#\s*(?:(?:ruff|flake8)\s*:\s*)?(?i:noqa)\b{_CODES}"
        r"|#\s*ruff\s*:\s*(?:ignore|disable|file-ignore)\s*\[[^\]]*\]"
        r"|#\s*(?:ruff\s*:\s*)?isort\s*:\s*(?:skip_file|skip|off)\b"
    ),
    # pylint/utils/pragma_parser.py, OPTION_RGX.
    SuppressionKind.PYLINT: re.compile(r"(?:#\s*)?\bpylint:\s*(?=[^;#\n]*\b(?:disable|skip-file))[^;#\n]+"),
    # PEP 484; mypy's "inline configuration"; the comments of pyright and ty.
    SuppressionKind.TYPE_IGNORE: re.compile(
        r"#\s*(?:type|pyright|ty)\s*:\s*ignore(?![\w-])(?:\[[^\]]*\])?"
        r"|#\s*mypy\s*:\s*(?:ignore-errors|disable-error-code)[^#]*"
    ),
    # coverage/config.py, DEFAULT_EXCLUDE and DEFAULT_PARTIAL.
    SuppressionKind.NO_COVER: re.compile(r"#\s*(?:pragma|PRAGMA)[:\s]?\s*(?:no|NO)\s*(?:cover|COVER|branch|BRANCH)\b"),
}
# As the secret scanner reads them (detect_secrets/filters/allowlist.py), with ";" for INI files. The driver, which runs
# without this package, has the same patterns; a test holds the two together.
_LINE_COMMENT = r"(?:#|//|/\*|'|--|;|<!--)[ \t]*"
_ALLOWED = re.compile(_LINE_COMMENT + r"(?P<text>pragma: ?(?:allow|white)list[ -]secret.*)$")
_ALLOWED_NEXT = re.compile(r"^[ \t]*" + _LINE_COMMENT + r"(?P<text>pragma: ?allowlist[ -]nextline[ -]secret.*)$")
_ALLOW_WORDS = re.compile(r"pragma: ?(?:allow|white)list[ -](?:nextline[ -])?secret")
_LINE_END = re.compile(r"\r\n|\r|\n")
# What stands around a reason and is none of it.
_FRAME = " \t#-:;,.\u2013\u2014*/<>!()[]"
_LETTERS = re.compile(r"[^\W\d_]")
# Looked for one by one in lower case, which takes a tenth of what one expression takes that ignores case.
_QUICK = (b"nosec", b"noqa", b"pylint", b"ignore", b"disable", b"isort", b"mypy", b"pragma")
# A whole file is taken from ruff only by a comment on a line of its own, without codes (seen with ruff 0.17.6).
_WHOLE_FILE = re.compile(r"#\s*(?:ruff|flake8)\s*:\s*(?i:noqa)\b(?!\s*[:,])")
# Names of bandit's tests that are one word (bandit 1.9.4); all others have an underscore.
_BANDIT_WORDS = {"ciphers", "eval", "ftplib", "marshal", "md5", "pickle", "random", "telnetlib", "trojansource"}
# Directives that suppress nothing, and are no reason either.
_OTHER = re.compile(r"#\s*fmt\s*:\s*(?:skip|on|off)\b|\bpylint:\s*enable[^;#\n]*|#\s*ruff\s*:\s*enable\s*\[[^\]]*\]")


@dataclass(frozen=True, slots=True)
class _Source:
    """A file's comments by line, those that fill their line, and its lines."""

    comments: dict[int, str]
    alone: frozenset[int]
    lines: list[str] = field(default_factory=list)


def comments_of(path: str, source: bytes, kinds: Collection[SuppressionKind]) -> tuple[Suppression, ...]:
    """The suppressions of these kinds in a Python file, in order.

    Of a file that is no valid Python every line counts as a comment, since its strings can't be told.
    """
    lower = source.lower()
    if not any(word in lower for word in _QUICK):
        return ()
    read = _read(source)
    found = []
    for kind in kinds:
        places = _on_lines(read) if kind is SuppressionKind.NO_COVER else read.comments
        for line, text in places.items():
            for match in _PATTERNS[kind].finditer(text):
                shown = text[match.start() :].strip()
                more = kind is SuppressionKind.NOSEC and _hides_more(match[0], text[match.end() :])
                reason = "" if more else _reason(read, line, text)
                found.append(Suppression(kind=kind, path=path, line=line, text=shown, reason=reason))
    return tuple(sorted(found, key=lambda item: (item.line, item.kind)))


def allowed_secrets(path: str, text: str) -> tuple[Suppression, ...]:
    """The secret scanner's allow-list comments in a file of any type."""
    if "list" not in text:
        return ()
    lines = _LINE_END.split(text)
    found = []
    for number, line in enumerate(lines, 1):
        match = _ALLOWED_NEXT.search(line) or _ALLOWED.search(line)
        if match is None:
            continue
        shown = match["text"].strip()
        above = lines[number - 2].strip() if number > 1 else ""
        is_comment = re.match(_LINE_COMMENT, above) is not None and not _ALLOW_WORDS.search(above)
        reason = _trimmed(_ALLOW_WORDS.sub(" ", shown)) or (_trimmed(above) if is_comment else "")
        found.append(Suppression(kind=SuppressionKind.ALLOWLIST, path=path, line=number, text=shown, reason=reason))
    return tuple(found)


def exempts_itself(source: bytes) -> bool:
    """Whether a Python file tells ruff, by a comment, to report nothing about it; one that is no valid Python does not:
    that is reported as a syntax error, exempt or not.
    """
    if b"ruff" not in source and b"flake8" not in source:
        # Such a comment holds one of these words, and tokens take a hundred times as long.
        return False
    try:
        tokens = list(tokenize.tokenize(io.BytesIO(source).readline))
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):
        return False
    return any(
        token.type == tokenize.COMMENT and not token.line[: token.start[1]].strip() and _WHOLE_FILE.search(token.string)
        for token in tokens
    )


def states_a_reason(suppression: Suppression) -> bool:
    """Whether its reason says something: two words, or four letters of a script that is written without spaces."""
    words = [word for word in suppression.reason.split() if _LETTERS.search(word)]
    return len(words) > 1 or (len(words) == 1 and not words[0].isascii() and len(words[0]) > 3)


def reason_near(source: bytes, line: int) -> str:
    """What the comment on a line of a Python file says besides directives, or else the comment lines right above it."""
    read = _read(source)
    return _reason(read, line, read.comments.get(line, ""))


def _read(source: bytes) -> _Source:
    lines = source.decode("utf-8", "backslashreplace").splitlines()
    try:
        tokens = [t for t in tokenize.tokenize(io.BytesIO(source).readline) if t.type == tokenize.COMMENT]
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):
        alone = frozenset(number for number, text in enumerate(lines, 1) if text.lstrip().startswith("#"))
        return _Source(dict(enumerate(lines, 1)), alone, lines)
    alone = frozenset(token.start[0] for token in tokens if not token.line[: token.start[1]].strip())
    return _Source({token.start[0]: token.string for token in tokens}, alone, lines)


def _on_lines(read: _Source) -> dict[int, str]:
    """For coverage, which looks at whole lines: the comment of each that has a pragma, or the line with its strings."""
    return {
        number: comment if _mentions(comment := read.comments.get(number, "")) else text
        for number, text in enumerate(read.lines, 1)
        if _mentions(text)
    }


def _mentions(text: str) -> bool:
    return _PATTERNS[SuppressionKind.NO_COVER].search(text) is not None


def _hides_more(directive: str, behind: str) -> bool:
    """Whether bandit hides more than a ``nosec`` seems to say, so that the words behind it are no reason: it begins a
    longer word; or it names tests by number, and bandit takes a word behind them, up to the next ``#``, for another.
    """
    if behind[:1].isalnum() and not re.search(r"\d$", directive):
        return True
    words = re.findall(r"\w+", behind.partition("#")[0])
    return bool(re.search(r"\d$", directive)) and any("_" in word or word in _BANDIT_WORDS for word in words)


def _reason(read: _Source, line: int, comment: str) -> str:
    return _remainder(comment[comment.find("#") :]) or " ".join(reversed(list(_above(read, line))))


def _above(read: _Source, line: int) -> Iterator[str]:
    """The comment lines that end right above ``line``, upwards, without their directives."""
    while (line := line - 1) in read.alone:
        if text := _remainder(read.comments[line]):
            yield text


def _remainder(comment: str) -> str:
    """A comment without its directives."""
    for pattern in (*_PATTERNS.values(), _OTHER):
        comment = pattern.sub(" ", comment)
    return _trimmed(_ALLOW_WORDS.sub(" ", comment))


def _trimmed(text: str) -> str:
    return " ".join(text.split()).strip(_FRAME)
