"""A tool's own configuration, read from the text of its file: tables with the lines on which their keys stand.

What can't be read is no table here: the tool itself refuses it, and its stage can't be green without the tool.
"""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FILE_ENDINGS = (".toml", ".cfg", ".ini", "coveragerc", "pylintrc")
"""How the names of files end that hold configuration of the tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The keys of one tool in the file ``path``, written with dashes, whichever way the file writes them."""

    path: str
    values: Mapping[str, Any] = field(default_factory=dict)
    text: str = field(default="", repr=False)

    @property
    def folder(self) -> str:
        """The folder that relative paths of the file are relative to; empty for the root."""
        return self.path.rpartition("/")[0]

    def words(self, key: str, split: str = r"[,\s]+") -> tuple[str, ...]:
        """A list of texts, or the parts of a text; of what is neither, none."""
        value = self.values.get(key)
        if isinstance(value, str):
            return tuple(part.strip() for part in re.split(split, value) if part.strip())
        return tuple(str(item) for item in value) if isinstance(value, list) else ()

    def number(self, key: str) -> float | None:
        """A number, also one that is written as text."""
        value = self.values.get(key)
        try:
            return None if value is None or isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            return None

    def switch(self, key: str) -> bool:
        """A truth value, as TOML and INI files write it."""
        return str(self.values.get(key, "")).strip().lower() in ("true", "yes", "on", "1")

    def line(self, key: str) -> int:
        """The line on which the key is first set, 0 when it is not found."""
        name = "[-_]".join(map(re.escape, key.split("-")))
        pattern = re.compile(rf"""^\s*(?:[\w.-]+\.)?["']?{name}["']?\s*[=:]""")
        table = re.compile(rf"""^\s*\[[^\]]*\b{name}["']?\]""")
        lines = self.text.splitlines()
        return next((n for n, text in enumerate(lines, 1) if pattern.match(text) or table.match(text)), 0)


def toml_document(text: str) -> dict[str, Any]:
    """The document; an empty one when it can't be read."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def toml_table(texts: Mapping[str, str], path: str, *names: str, within: Iterable[str] = ()) -> Table | None:
    """The table at ``names`` of a TOML file, and over it the keys of its sub-tables ``within``; none when it is not
    there.
    """
    if path not in texts:
        return None
    found: Any = toml_document(texts[path])
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return None
    values = dict(found)
    for name in within:
        inner = found.get(name)
        values.update(inner if isinstance(inner, dict) else {})
    return Table(path=path, values=_dashed(values), text=texts[path])


def ini_table(texts: Mapping[str, str], path: str, section: re.Pattern[str]) -> Table | None:
    """The keys of all sections whose whole name matches; none when there is no such section."""
    if path not in texts:
        return None
    parser = configparser.RawConfigParser(strict=False, default_section="", allow_no_value=True)
    try:
        parser.read_string(texts[path])
    except configparser.Error:
        return None
    names = [name for name in parser.sections() if section.fullmatch(name)]
    values = {key: value for name in names for key, value in parser.items(name)}
    return Table(path=path, values=_dashed(values), text=texts[path]) if names else None


def ancestors(path: str) -> Iterator[str]:
    """The folders that a file lies in, innermost first; the root is the empty text."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def joined(folder: str, name: str) -> str:
    """The path of a file in a folder; the root is the empty text."""
    return f"{folder}/{name}" if folder else name


def _dashed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).replace("_", "-"): value for key, value in values.items()}
