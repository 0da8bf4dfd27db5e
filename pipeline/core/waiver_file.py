"""Reading and writing the text of ``waivers.toml``. Whatever is not a whole, correct waiver is refused with its line.

A waiver is an entry ``[[waiver]]`` of its own. :mod:`tomllib` says nothing of where a value stands, so the lines are
found here: a line that looks like a header or a key is one when all that stands before it is TOML by itself, which it
is not inside of a text of several lines.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from pipeline.core.waiver import FILE, JUSTIFICATIONS, Waiver
from pipeline.errors import ConfigurationError

_TEXTS = ("id", "tool", "scope", "reason", "owner")
_DATES = ("created", "expires")
MANDATORY = (*_TEXTS, *_DATES)
OPTIONAL = ("until_fixed", "justification")
FIRST_LINE = "# Findings that are let through by name, with an owner and until a date. 'pipeline waive' adds one.\n"

_HEADER = re.compile(r"""^\s*\[\[\s*(waiver|"waiver"|'waiver')\s*\]\]""")
_AT_LINE = re.compile(r"at line (\d+)")
_FEWEST_WORDS = 4
_SENTENCE_END = (".", "!", "?", "…", "。")
_PLACEHOLDER = re.compile(r"\b(todo|tbd|fixme|xxx|lorem ipsum)\b", re.IGNORECASE)
# Whoever writes a file by hand writes the date of the own time zone, which may be tomorrow in UTC.
_ZONES = timedelta(days=1)

Fault = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a waiver must keep to: the day it is (in UTC), the most days it may last, the tools (none: any)."""

    today: date
    max_days: int
    tools: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One ``[[waiver]]``: its values, the 1-based line of its header, and its lines from there on."""

    values: Mapping[str, Any]
    line: int
    lines: list[str]

    @property
    def last_line(self) -> int:
        """The last one with anything but a comment; what follows belongs to the next entry."""
        full = [at for at, text in enumerate(self.lines) if text.strip() and not text.lstrip().startswith("#")]
        return self.line + full[-1]

    def line_of(self, name: str) -> int:
        """Where the key stands; the header's line for one that does not."""
        return self.line + _offset(self.lines, name)


def parse_waivers(text: str, rules: Rules) -> tuple[Waiver, ...]:
    """The waivers in the text of a ``waivers.toml``.

    Raises:
        ConfigurationError: it is no TOML, or an entry is not a whole and correct waiver; all faults are named, each
            with its line.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = _AT_LINE.search(str(error))
        line = int(at[1]) if at else text.count("\n") + 1
        raise _refusal([(line, f"this can't be read as TOML: {error}.")]) from error
    lines = text.split("\n")
    faults: list[Fault] = [
        (1 + _offset(lines, name), f"there is nothing called {name!r} in this file; a waiver begins with [[waiver]].")
        for name in document
        if name != "waiver"
    ]
    waivers: list[Waiver] = []
    for entry in _entries(document.get("waiver", []), lines, faults):
        waiver = _waiver(entry, rules, faults)
        if waiver is not None:
            faults.extend(_repeats(waiver, waivers))
            waivers.append(waiver)
    if faults:
        raise _refusal(faults)
    return tuple(waivers)


def render_entry(waiver: Waiver) -> str:
    """The waiver as an entry of the file."""
    lines = ["[[waiver]]"]
    lines += [f"{name} = {_quoted(getattr(waiver, name))}" for name in _TEXTS]
    lines += [f"{name} = {getattr(waiver, name).isoformat()}" for name in _DATES]
    lines += ["until_fixed = true"] if waiver.until_fixed else []
    lines += [f"justification = {_quoted(waiver.justification)}"] if waiver.justification else []
    return "\n".join(lines) + "\n"


def appended(text: str, waiver: Waiver) -> str:
    """The file's text with one more entry behind what is there, which stays as it is, line ends included."""
    end = "\r\n" if "\r\n" in text else "\n"
    before = text if not text or text.endswith("\n") else text + end
    return (before or FIRST_LINE) + (f"\n{render_entry(waiver)}").replace("\n", end)


def _quoted(text: str) -> str:
    # A JSON text is a TOML text, but for DEL, which no waiver holds.
    return json.dumps(text, ensure_ascii=False)


def _refusal(faults: list[Fault]) -> ConfigurationError:
    told = " ".join(f"{FILE}:{line}: {text}" for line, text in sorted(faults))
    return ConfigurationError(f"The waivers can't be used. {told}", advice="'pipeline waive' writes a correct entry.")


def _entries(values: Any, lines: list[str], faults: list[Fault]) -> list[_Entry]:
    headers = [at for at, line in enumerate(lines) if _HEADER.match(line)]
    whole = isinstance(values, list) and all(isinstance(item, dict) for item in values)
    if whole and len(headers) != len(values):
        headers = [at for at in headers if _is_toml(lines[:at])]
    if not whole or len(headers) != len(values):
        at = 1 + _offset(lines, "waiver")
        faults.append((at, "each waiver is an entry of its own, which begins with [[waiver]]."))
        return []
    ends = [*headers, len(lines)][1:]
    return [_Entry(item, start + 1, lines[start:end]) for item, start, end in zip(values, headers, ends, strict=True)]


def _is_toml(lines: list[str]) -> bool:
    try:
        tomllib.loads("\n".join(lines))
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return True


def _offset(lines: list[str], name: str) -> int:
    """Which of the lines names the key, as ``name = …`` or in a table's header; 0 when none does."""
    wanted = re.compile(rf"""^\s*(\[[^\]]*)?["']?{re.escape(name)}["']?\s*[\].=]""")
    found = (at for at, line in enumerate(lines) if wanted.match(line) and _is_toml(lines[:at]))
    return next(found, 0)


def _waiver(entry: _Entry, rules: Rules, faults: list[Fault]) -> Waiver | None:
    """The entry's waiver; none when there is a fault in it."""
    own = faults_in(entry.values, rules)
    faults.extend((entry.line_of(name), told) for name, told in own)
    if own:
        return None
    known = {**entry.values, "reason": " ".join(entry.values["reason"].split())}
    return Waiver(**known, line=entry.line, last_line=entry.last_line)


def faults_in(values: Mapping[str, Any], rules: Rules) -> list[tuple[str, str]]:
    """What is wrong with an entry of these values: each time the key, and a sentence."""
    found = [
        (name, f"the waiver has no {name!r}; each has {', '.join(MANDATORY)}.")
        for name in MANDATORY
        if name not in values
    ]
    for name, value in values.items():
        told = _fault(name, value, rules)
        found += [(name, f"{name} {told}")] if told else []
    if not found:
        told = _span_fault(values["created"], values["expires"], rules)
        found += [("expires", f"expires {told}")] if told else []
    return found


def _fault(name: str, value: Any, rules: Rules) -> str:
    """What is wrong with one value; empty when nothing is."""
    if name not in (*MANDATORY, *OPTIONAL):
        return f"is no key of a waiver; known are {', '.join((*MANDATORY, *OPTIONAL))}."
    if name == "until_fixed":
        return "" if isinstance(value, bool) else f"must be true or false, not {value!r}."
    return _date_fault(name, value, rules) if name in _DATES else _text_fault(name, value, rules)


def _text_fault(name: str, value: Any, rules: Rules) -> str:
    if not isinstance(value, str) or not value.strip():
        return f"must be text in quotes, not {value!r}."
    if name == "reason":
        return _reason_fault(value)
    if not value.isprintable() or value != value.strip():
        return "must be one line without control characters and without space around it."
    return _word_fault(name, value, rules)


def _word_fault(name: str, value: str, rules: Rules) -> str:
    if name == "scope":
        return _scope_fault(value)
    if name == "tool" and rules.tools is not None and value not in rules.tools:
        return f"must be one that reports findings: {', '.join(sorted(rules.tools))}; not {value!r}."
    if name == "justification" and value not in JUSTIFICATIONS:
        return f"must be one of {', '.join(JUSTIFICATIONS)}, not {value!r}."
    return ""


def _scope_fault(value: str) -> str:
    parts = value.split("/")
    if PurePosixPath(value).is_absolute() or "\\" in value or any(part in ("", ".", "..") for part in parts):
        return f"must be a package or a path glob relative to the root, in its plain spelling, not {value!r}."
    if not any(character.isalnum() for character in value):
        return f"must name a place; {value!r} is everything."
    return ""


def _reason_fault(value: str) -> str:
    words = {word.strip(".,;:!?…。()").casefold() for word in value.split()} - {""}
    text = value.strip()
    control = any(not character.isprintable() and not character.isspace() for character in value)
    if len(words) >= _FEWEST_WORDS and text.endswith(_SENTENCE_END) and not _PLACEHOLDER.search(text) and not control:
        return ""
    return (
        f"must be a real sentence that says why this may stay, of {_FEWEST_WORDS} different words or more and with a "
        f"full stop, not {text!r}."
    )


def _date_fault(name: str, value: Any, rules: Rules) -> str:
    # A datetime is a date to Python, not to the reader of the file.
    if not isinstance(value, date) or isinstance(value, datetime):
        return f"must be a date without quotes, like {rules.today.isoformat()}, not {value!r}."
    if name == "created" and value > rules.today + _ZONES:
        return f"must not lie in the future, as {value} does."
    return ""


def _span_fault(created: date, expires: date, rules: Rules) -> str:
    days = (expires - created).days
    if days < 0:
        return f"must not lie before created, which is {created}."
    if days > rules.max_days:
        latest = created + timedelta(days=rules.max_days)
        return f"lies {days} days after created; waiver_max_days is {rules.max_days}, which is {latest} at the latest."
    return ""


def _repeats(waiver: Waiver, earlier: list[Waiver]) -> list[Fault]:
    same = [w for w in earlier if (w.id, w.tool, w.scope) == (waiver.id, waiver.tool, waiver.scope)]
    return [(waiver.line, f"this is the waiver of line {w.line} once more; change that one.") for w in same[:1]]
