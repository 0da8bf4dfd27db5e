"""Runs detect-secrets' detectors over files. A program of its own: it runs in the scanner's environment, where this package is not.

The scanner's own ``scan`` can't carry a proof. It skips files by extension (``.lock``, ``.css``, ``.svg``), by name, and what is
not UTF-8, without a word; it drops a whole line that looks like a call, or on which an ``_id`` stands; and it looks at the unquoted
values of a file only when its first pass found nothing. So its detectors are used here, over our own reading of every file, and
its filters are replaced by the narrower ones in ``Doubter``.

Standard input: JSON ``{"files": [names]}``, relative to the working folder. Standard output: one JSON document, whose ``value``
and ``also`` hold secrets in plain text and are for the caller alone. Exit code: 0 nothing found, 3 something found; any other is
trouble (1 is Python's own for a traceback).
"""

from __future__ import annotations

import codecs
import importlib
import importlib.metadata
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol

SCHEMA = "pipeline.secret-scan/v1"
FOUND = 3
MASK = "[secret]"
# A public address is no credential, and version numbers look like one.
LEFT_OUT = {"IPPublicDetector"}
# Longer lines are searched in overlapping pieces: some detectors' patterns take quadratic time.
WINDOW, OVERLAP = 4000, 1000
_SNIPPET = 200

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_PRINTABLE = re.compile(rb"[\t\x20-\x7e]{8,}")
_LINE_END = re.compile(r"\r\n|\r|\n")
_COMMENT = r"(?:#|//|/\*|'|--|;|<!--[# \t]*?)[ \t]*"
_PRAGMA = re.compile(_COMMENT + r"(?P<text>pragma: ?(?:allow|white)list[ -]secret.*)$")
_PRAGMA_NEXT = re.compile(r"^[ \t]*" + _COMMENT + r"(?P<text>pragma: ?allowlist[ -]nextline[ -]secret.*)$")


class Match(Protocol):
    """What a detector returns."""

    secret_value: str | None


class Detector(Protocol):
    """One of the scanner's detectors."""

    secret_type: str

    def analyze_line(self, *, filename: str, line: str, line_number: int) -> Iterable[Match]:
        """What it takes for a secret on a line."""
        ...


def load_detectors() -> list[Detector]:
    """All detectors that the installed scanner brings, but those left out; sorted, so that the output is stable."""
    classes = importlib.import_module("detect_secrets.core.plugins.util").get_mapping_from_secret_type_to_class().values()
    return [kind() for kind in sorted(classes, key=lambda c: str(c.__name__)) if kind.__name__ not in LEFT_OUT]


def decoded(content: bytes) -> tuple[str, str]:
    """A file's text, and how it was read: ``text``, ``lossy`` (not valid in its encoding), or ``binary`` (its printable runs)."""
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


# --- views: a line as the detectors understand it ----------------------------------------------------------------------------

_CODE = {
    ".c", ".cc", ".cls", ".cpp", ".cs", ".css", ".go", ".h", ".html", ".java", ".js", ".jsx", ".json", ".kt", ".m", ".php", ".pl",
    ".py", ".pyi", ".rb", ".rs", ".scala", ".svg", ".swift", ".tf", ".ts", ".tsx", ".xml",
}  # fmt: skip
_PROSE = {".md", ".rst", ".txt", ".adoc", ".html", ".csv", ".tsv", ".log"}
_VALUE = r"""\s*(?P<value>[^\s"'|>&*\[{].*?)(?:\s+#.*)?\s*$"""
_SETTING = re.compile(
    r"""^\s*(?:[#;]+\s*)?(?:-\s+)?(?:(?:export|set|ENV|ARG)\s+)?["']?(?P<name>[\w./-]+)["']?(?:\s*[:=]|(?<=\w)\s(?=\S+$))""" + _VALUE
)
_MENTION = re.compile(r"(?:^|[\s`(])(?P<name>[\w.-]+)(?:=|:\s*)`?(?P<value>[^\s`\"'<>]{6,}?)`?\s*$")
_TOKEN = re.compile(r"token(?=\w*[\"'\]]{0,2}\s*(?::\s*\w+\s*)?(?::=?|={1,3}|=>)\s*)", re.I)
_ANNOTATED = re.compile(r"^(?P<name>\s*[\w.]+)\s*:\s*[\w.\[\], |\"']+?\s*=\s*(?=[rbuRBU]{0,2}[\"'])")
_CALL_DEFAULT = re.compile(r"[\"'](?P<name>\w+)[\"']\s*,\s*(?:default\s*=\s*)?(?=[\"'])")


def views(name: str, line: str) -> Iterator[str]:
    """The line itself, then with its unquoted value in quotes, or with what stands between name and value taken out.

    The detectors want ``name = "value"``; an ``.env`` file, a Dockerfile and a type annotation don't write it like that.
    """
    yield line
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _CODE:
        for pattern, form in ((_ANNOTATED, r"\g<name> = "), (_CALL_DEFAULT, r"\g<name> = ")):
            rewritten = pattern.sub(form, line)
            if rewritten != line:
                yield rewritten
        return
    match = (_MENTION if suffix in _PROSE else _SETTING).search(line)
    if match and (suffix not in _PROSE or (re.search(r"\d", match["value"]) and re.search(r"[a-zA-Z]", match["value"]))):
        value = match["value"].replace('"', '\\"')
        yield f'{match["name"]} = "{value}"'


def pieces(line: str) -> Iterator[str]:
    """The line, or overlapping pieces of a very long one; no credential that a detector knows is longer than the overlap."""
    if len(line) <= WINDOW:
        yield line
        return
    for start in range(0, len(line), WINDOW - OVERLAP):
        yield line[start : start + WINDOW]


# --- filters: what is surely no secret ---------------------------------------------------------------------------------------

_REFERENCE = re.compile(r"\$[A-Za-z_({]|%\(|%[A-Za-z_]+%$|\{|<.*>$|\[.*\]$|!|\.\.\.|x{3,}$|\*+$", re.I)
_CALL = re.compile(r"[\w.-]+[\[(].*[\])]")
_NOTHING = {"none", "null", "nil", "true", "false", "yes", "no", "undefined", "~", "str", "string", "bool", "int", "bytes"}
_ABOUT = re.compile(
    r"[_-]?(?:file|path|dir|url|uri|endpoint|name|names|ref|length|len|min|max|ttl|timeout|expiry|expires|policy|type|field|enabled"
    r"|required|algorithm|count|limit|size|regex|pattern|header|prefix|suffix|label|help|env|var)$",
    re.I,
)
_NAME_BEFORE = re.compile(r"(?P<name>[\w.-]+)[\"'\]]{0,2}\s*(?:=>|[:=]{1,3}|!==?)?\s*[\"'`@(]{0,3}$")
_DIGEST = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}", re.I)
_DIGEST_NAME = re.compile(r"(?:^|[_.-])(?:sha\d*|shasum|md5|hash|digest|checksum|integrity|rev|revision|reference|commit|ref)$", re.I)
_LABELLED = re.compile(r"(?:sha(?:1|224|256|384|512)|md5)[-:=][A-Za-z0-9+/=_-]+$", re.I)
_UUID = re.compile(r"[a-f0-9]{8}-(?:[a-f0-9]{4}-){3}[a-f0-9]{12}", re.I)
_IDENTITY = re.compile(r"(?:^(?:id|myid|userid)|_id)s?$", re.I)


@dataclass(frozen=True)
class Doubter:
    """What is surely no secret: narrower than the scanner's filters, each of which hides real ones (see the tests)."""

    sequential: Callable[[str], bool]

    def harmless(self, kind: str, value: str, view: str) -> bool:
        """Whether ``value``, which the detector class ``kind`` found in ``view``, is none."""
        place = view.find(value)
        before = view[:place] if place >= 0 else ""
        match = _NAME_BEFORE.search(before)
        name = match["name"] if match else ""
        if kind == "KeywordDetector":
            return _no_password(value, name, quoted=before.endswith(('"', "'", "`")))
        if kind.endswith("HighEntropyString"):
            return (
                self.sequential(value)
                or bool(_UUID.fullmatch(value) or _LABELLED.match(value))
                # Digests in lock files, of commits and of files: their length is exact, and their name says so.
                or bool(_DIGEST.fullmatch(value) and _DIGEST_NAME.search(name))
                # An identifier is no credential. Only the name that stands at the value counts, not any earlier one.
                or bool(_IDENTITY.search(name))
            )
        return kind == "BasicAuthDetector" and bool(_REFERENCE.match(value))


def _no_password(value: str, name: str, *, quoted: bool) -> bool:
    """For what was found by the name that stands before it: a reference, a placeholder, or a name that is about secrets."""
    if _REFERENCE.match(value) or value.lower() in _NOTHING or not re.search(r"\w", value):
        return True
    if _ABOUT.search(name):
        return True
    if "_" in value and value.lower() == name.lower():
        return True
    return not quoted and (bool(_CALL.match(value)) or value.isdigit() or " " in value)


# --- scanning ----------------------------------------------------------------------------------------------------------------


def scan(name: str, content: bytes, detectors: list[Detector], doubter: Doubter) -> dict[str, Any]:
    """What is in one file: its ``mode`` and number of ``lines``, ``secrets``, and allow-list comments (``allowed``)."""
    text, mode = decoded(content)
    lines = _LINE_END.split(text)
    secrets: list[dict[str, Any]] = []
    allowed: list[dict[str, Any]] = []
    excused = False
    for number, line in enumerate(lines, 1):
        pragma, following = _PRAGMA.search(line), _PRAGMA_NEXT.search(line)
        if pragma or following:
            allowed.append({"path": name, "line": number, "text": (pragma or following)["text"].strip()})  # type: ignore[index]
        if not (excused or pragma or following):
            found = _on_line(name, line, detectors, doubter, binary=mode == "binary")
            shown = masked(line, [value for _, value in found])
            for kind, value in found:
                also = _key_body(lines, number) if kind == "Private Key" else []
                place = {"path": name, "line": 0 if mode == "binary" else number, "snippet": shown}
                secrets.append({**place, "type": kind, "value": value, "also": also})
        excused = following is not None
    return {"mode": mode, "lines": len(lines), "secrets": secrets, "allowed": allowed}


def _on_line(name: str, line: str, detectors: list[Detector], doubter: Doubter, *, binary: bool) -> list[tuple[str, str]]:
    """The secrets on a line, each as detector's type and value, in a stable order."""
    found: dict[tuple[str, str], None] = {}
    for view in views(name, line):
        for piece in pieces(view):
            for detector in detectors:
                kind = type(detector).__name__
                if binary and kind.endswith("HighEntropyString"):
                    continue
                subjects = [piece]
                if kind == "KeywordDetector" and (renamed := _TOKEN.sub("secret", piece)) != piece:
                    # This scanner does not know "token" for a secret's name; to its pattern it is a "secret" then.
                    subjects.append(renamed)
                for subject in subjects:
                    for value in _values(detector, name, subject):
                        if not doubter.harmless(kind, value, subject):
                            found[detector.secret_type, value] = None
    return sorted(found)


def _values(detector: Detector, name: str, piece: str) -> set[str]:
    """All values that a detector sees, also behind the first one, where most patterns stop."""
    values: set[str] = set()
    rest = piece
    while rest:
        new = {match.secret_value for match in detector.analyze_line(filename=name, line=rest, line_number=1)}
        fresh = {value for value in new if value} - values
        if not fresh:
            break
        values |= fresh
        rest = rest[max(rest.find(value) + len(value) for value in fresh) :]
    return values


def masked(line: str, values: list[str]) -> str:
    """The line without the values, for people; nothing but the mask when a value can't be found in it, or it is too long."""
    if len(line) > WINDOW or any(value not in line for value in values):
        return MASK
    hidden = [False] * len(line)
    for value in values:
        at = line.find(value)
        while at >= 0:
            # What follows a key's header on its line is the key.
            end = len(line) if value.startswith("BEGIN ") else at + len(value)
            hidden[at:end] = [True] * (end - at)
            at = line.find(value, at + 1)
    parts = [MASK if hide else char for at, (hide, char) in enumerate(zip(hidden, line, strict=True)) if not (hide and at and hidden[at - 1])]
    return "".join(parts).strip()[:_SNIPPET]


def _key_body(lines: list[str], number: int) -> list[str]:
    """The lines of a private key that follow its header on line ``number``."""
    body = []
    for line in lines[number : number + 200]:
        if "END" in line:
            break
        body.append(line.strip())
    return [line for line in body if len(line) >= 16]


def main() -> int:
    """Scan what standard input names, and print what was found."""
    wanted: list[str] = json.load(sys.stdin)["files"]
    detectors = load_detectors()
    doubter = Doubter(importlib.import_module("detect_secrets.filters.heuristic").is_sequential_string)
    files, secrets, allowed, errors = [], [], [], []
    for name in wanted:
        try:
            with open(name, "rb") as file:
                result = scan(name, file.read(), detectors, doubter)
        except Exception as error:  # one file that a detector can't take must not hide the others; it is named
            errors.append({"path": name, "reason": getattr(error, "strerror", None) or type(error).__name__})
            continue
        files.append({"path": name, "mode": result["mode"], "lines": result["lines"]})
        secrets.extend(result["secrets"])
        allowed.extend(result["allowed"])
    version = importlib.metadata.version("detect-secrets")
    document = {"schema": SCHEMA, "version": version, "detectors": sorted(d.secret_type for d in detectors)}
    json.dump({**document, "files": files, "secrets": secrets, "allowed": allowed, "errors": errors, "complete": True}, sys.stdout)
    return FOUND if secrets else 0


if __name__ == "__main__":
    sys.exit(main())
