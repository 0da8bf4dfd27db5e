"""Runs detect-secrets' detectors over files. A program of its own: it runs in the scanner's environment, where this
package is not.

The scanner's own ``scan`` can't carry a proof. It skips files by extension (``.lock``, ``.css``, ``.svg``), by name,
and what is not UTF-8, without a word; it drops a whole line that looks like a call, or on which an ``_id`` stands; and
it looks at the unquoted values of a file only when its first pass found nothing. So its detectors are used here, over
our own reading of every file; what is no secret is sorted out later, in ``secret_scanner_filters``.

Standard input: JSON ``{"files": [names]}``, relative to the working folder. Standard output: one JSON document; it
holds secrets in plain text and is for the caller alone. Exit code: 0 when it came to its end.
"""

from __future__ import annotations

import codecs
import importlib
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol

SCHEMA = "pipeline.secret-scan/v1"
# A public address is no credential, and version numbers look like one.
LEFT_OUT = {"IPPublicDetector"}
# Longer lines are searched in overlapping pieces: some of the detectors' patterns take quadratic time.
WINDOW, OVERLAP = 4000, 1000

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_PRINTABLE = re.compile(rb"[\t\x20-\x7e]{8,}")
_LINE_END = re.compile(r"\r\n|\r|\n")
# As the scanner reads them (detect_secrets/filters/allowlist.py), with ";" for INI files.
_COMMENT = r"(?:#|//|/\*|'|--|;|<!--)[ \t]*"
_PRAGMA = re.compile(_COMMENT + r"(?P<text>pragma: ?(?:allow|white)list[ -]secret.*)$")
_PRAGMA_NEXT = re.compile(r"^[ \t]*" + _COMMENT + r"(?P<text>pragma: ?allowlist[ -]nextline[ -]secret.*)$")


@dataclass(frozen=True)
class Match:
    """A value that a detector takes for a secret."""

    secret_value: str | None


class Detector(Protocol):
    """One of the scanner's detectors."""

    secret_type: str

    def analyze_line(self, *, filename: str, line: str, line_number: int) -> Iterable[Any]:
        """What it takes for a secret on a line, each with its ``secret_value``."""
        ...


@dataclass(frozen=True)
class TokenDetector:
    """A kind of token that the scanner does not know yet."""

    secret_type: str
    pattern: str

    def analyze_line(self, *, filename: str, line: str, line_number: int) -> list[Match]:
        """What it takes for a secret on a line."""
        del filename, line_number
        return [Match(value) for value in re.findall(self.pattern, line)]


# The formats: GitHub's blog of 2022-10-18 on fine-grained tokens; Google's documentation of API keys.
OWN = (
    TokenDetector("GitHub Fine-Grained Token", r"\bgithub_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}\b"),
    TokenDetector("Google API Key", r"\bAIza[0-9A-Za-z_-]{35}\b"),
)


def load_detectors() -> list[Detector]:
    """All detectors that the installed scanner brings, but those left out, and our own; in a stable order."""
    classes = (
        importlib.import_module("detect_secrets.core.plugins.util").get_mapping_from_secret_type_to_class().values()
    )
    theirs = [kind() for kind in sorted(classes, key=lambda c: str(c.__name__)) if kind.__name__ not in LEFT_OUT]
    return [*theirs, *OWN]


def decoded(content: bytes) -> tuple[str, str]:
    """A file's text, and how it was read: ``text``, ``lossy`` (not all decoded) or ``binary`` (printable runs)."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            text = content.decode(encoding, "replace")
            return text, "lossy" if "\ufffd" in text else "text"
    if b"\0" in content:
        # Once as it is, once without the zero bytes, which is how UTF-16 without a mark becomes readable.
        runs = [*_PRINTABLE.findall(content), *_PRINTABLE.findall(content.replace(b"\0", b""))]
        return "\n".join(dict.fromkeys(run.decode("ascii") for run in runs)), "binary"
    try:
        return content.decode("utf-8"), "text"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "lossy"


_CODE = {
    ".c", ".cc", ".cls", ".cpp", ".cs", ".css", ".go", ".h", ".html", ".ipynb", ".java", ".js", ".json", ".jsx", ".kt",
    ".m", ".php", ".pl", ".py", ".pyi", ".rb", ".rs", ".scala", ".svg", ".swift", ".tf", ".ts", ".tsx", ".xml",
}  # fmt: skip
_PROSE = {".adoc", ".csv", ".log", ".md", ".rst", ".tsv", ".txt"}
_SETTING = re.compile(
    r"""^\s*(?:[#;]+\s*)?(?:-\s+)?(?:(?:export|set|ENV|ARG)\s+)?["']?(?P<name>[\w./-]+)["']?"""
    r"""(?:\s*[:=]|(?<=\w)\s(?=\S+$))\s*(?P<value>[^\s"'|>&*\[{].*?)(?:\s+\#.*)?\s*$"""
)
# In prose only a word with a letter and a digit is worth a look: "password: a secret word" is no password.
_MENTION = re.compile(
    r"""(?:^|[\s`(])(?P<name>[\w.-]+)(?:=|:\s*)`?(?P<value>(?=\S*\d)(?=\S*[a-zA-Z])[^\s`"'<>]{6,}?)`?\s*$"""
)
_ANNOTATED = re.compile(r"""^(?P<name>\s*[\w.]+)\s*:\s*[\w.\[\], |"']+?\s*=\s*(?=[rbuRBU]{0,2}["'])""")
_WITH_DEFAULT = re.compile(
    r"""\b(?:get\w*|setdefault|pop|str|env|config)\(\s*["'](?P<name>\w+)["']\s*,\s*(?:default\s*=\s*)?(?=["'])"""
)


def views(name: str, line: str) -> Iterator[tuple[str, bool]]:
    """A line as the detectors want it, ``name = "value"``, and whether its quotes are its own.

    First the line itself; then with what stands between a name and its value taken out (a type annotation, a look-up
    with a default, the escapes of a notebook); or, in what is no program, with its unquoted value in quotes (``.env``,
    Dockerfile, YAML).
    """
    yield line, True
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _CODE:
        rewritten = (
            _ANNOTATED.sub(r"\g<name> = ", line),
            _WITH_DEFAULT.sub(r"\g<name> = ", line),
            line.replace('\\"', '"'),
        )
        yield from ((view, True) for view in dict.fromkeys(rewritten) if view != line)
        return
    match = (_MENTION if suffix in _PROSE else _SETTING).search(line)
    if match:
        value = match["value"].replace('"', '\\"')
        yield f'{match["name"]} = "{value}"', False


def pieces(line: str) -> Iterator[str]:
    """The line, or overlapping pieces of a very long one; no credential with a form is longer than the overlap."""
    if len(line) <= WINDOW:
        yield line
        return
    for start in range(0, len(line), WINDOW - OVERLAP):
        yield line[start : start + WINDOW]


_TOKEN_NAME = re.compile(r"token(?=\w*[\"'\]]{0,2}\s*(?::=?|={1,3}|=>)\s*)", re.I)
_NAME_BEFORE = re.compile(r"(?P<name>[\w.-]+)(?:\(\))?[\"'\]]{0,2}\s*(?:=>|[:=]{1,3}|!==?)?\s*[\"'`@(]{0,3}$")
_AROUND = (re.compile(r"[\w-]*$"), re.compile(r"[\w+/.=-]*"))


def candidates(name: str, line: str, detectors: list[Detector]) -> Iterator[dict[str, Any]]:
    """What the detectors take for a secret on a line, with what the filters need to know of it."""
    for piece in pieces(line):
        for view, own_quotes in views(name, piece):
            for detector in detectors:
                kind = type(detector).__name__
                yield from _candidates(name, view, detector, kind, {"own_quotes": own_quotes, "renamed": False})
                if kind == "KeywordDetector" and (renamed := _TOKEN_NAME.sub("secret", view)) != view:
                    # This scanner does not know "token" for a secret's name; so its pattern is given a name that it
                    # knows.
                    yield from _candidates(name, renamed, detector, kind, {"own_quotes": own_quotes, "renamed": True})


def _candidates(name: str, view: str, detector: Detector, kind: str, facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for value in _values(detector, name, view):
        place = view.find(value)
        before = view[:place] if place >= 0 else ""
        named = _NAME_BEFORE.search(before)
        whole = value
        if place >= 0 and kind not in ("KeywordDetector", "PrivateKeyDetector"):
            # Some detectors return a part of the token only; what is masked must be all of it.
            left, right = _AROUND[0].search(before), _AROUND[1].match(view, place + len(value))
            whole = (left[0] if left else "") + value + (right[0] if right else "")
        yield {
            "type": detector.secret_type, "kind": kind, "value": value, "whole": whole,
            "name": named["name"] if named else "",
            "quoted": facts["own_quotes"] and before.endswith(('"', "'", "`")), "renamed": facts["renamed"],
        }  # fmt: skip


def _values(detector: Detector, name: str, view: str) -> list[str]:
    """All values that a detector sees, also behind the first one, where most patterns stop."""
    values: set[str] = set()
    rest = view
    while rest:
        fresh = {
            m.secret_value for m in detector.analyze_line(filename=name, line=rest, line_number=1) if m.secret_value
        } - values
        if not fresh:
            break
        values |= fresh
        rest = rest[max(rest.find(value) + len(value) for value in fresh) :]
    return sorted(values)


def scan(name: str, content: bytes, detectors: list[Detector]) -> dict[str, Any]:
    """What is in a file: its ``mode``, number of ``lines``, ``candidates``, and allow-list comments (``allowed``).

    ``hides`` tells of such a comment whether a detector would have spoken; of what, not even that leaves.
    """
    text, mode = decoded(content)
    lines = _LINE_END.split(text)
    # In a binary file any short run of letters has the entropy of a key.
    used = [d for d in detectors if mode != "binary" or not type(d).__name__.endswith("HighEntropyString")]
    found: list[dict[str, Any]] = []
    allowed: list[dict[str, Any]] = []
    above: dict[str, Any] | None = None
    for number, line in enumerate(lines, 1):
        following = _PRAGMA_NEXT.search(line)
        pragma = following or _PRAGMA.search(line)
        if pragma:
            allowed.append({"path": name, "line": number, "text": pragma["text"].strip(), "hides": False})
        excuse = allowed[-1] if pragma else above
        if excuse is not None:
            excuse["hides"] |= not following and any(candidates(name, line, used))
        elif line.strip():
            place = {
                "path": name,
                "line": 0 if mode == "binary" else number,
                "text": line if len(line) <= WINDOW else "",
            }
            for candidate in candidates(name, line, used):
                body = _key_body(lines, number) if candidate["kind"] == "PrivateKeyDetector" else []
                found.append({**place, **candidate, "body": body})
        above = excuse if following else None
    return {"mode": mode, "lines": len(lines), "candidates": found, "allowed": allowed}


def _key_body(lines: list[str], number: int) -> list[str]:
    """The lines of a private key that follow its header on line ``number``."""
    body: list[str] = []
    for line in lines[number : number + 200]:
        if "-----END" in line:
            break
        body.append(line.strip())
    return [line for line in body if len(line) >= 16]


def main() -> int:
    """Scan what standard input names, and print what was found."""
    wanted: list[str] = json.load(sys.stdin)["files"]
    detectors = load_detectors()
    document: dict[str, Any] = {
        "schema": SCHEMA, "version": importlib.metadata.version("detect-secrets"),
        "detectors": sorted(detector.secret_type for detector in detectors),
        "files": [], "candidates": [], "allowed": [], "errors": [],
    }  # fmt: skip
    for name in wanted:
        try:
            with open(name, "rb") as file:
                result = scan(name, file.read(), detectors)
        except (ArithmeticError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
            # What can't be read, or a detector can't take, must not hide the others: it is named, and not checked.
            # Anything else ends the driver, which is trouble.
            document["errors"].append(
                {"path": name, "reason": getattr(error, "strerror", None) or type(error).__name__}
            )
            continue
        document["files"].append({"path": name, "mode": result["mode"], "lines": result["lines"]})
        document["candidates"].extend(result["candidates"])
        document["allowed"].extend(result["allowed"])
    json.dump({**document, "complete": True}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
