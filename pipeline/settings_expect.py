"""``[tool.pipeline.build.expect]`` as somebody wrote it, into expectations. Nothing is expected by default.

Apart from :mod:`pipeline.settings_values` because it is a language of its own, with its own keys and shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from pipeline.core.expectations import Expectations, ExpectedFile, Text

_KEYS = tuple(item.name for item in fields(Expectations) if item.name != "told")
_FILE_KEYS = tuple(item.name for item in fields(ExpectedFile))
_TEXTS = ("user", "workdir")
_OPTIONAL_LISTS = ("entrypoint", "cmd")
_TABLES = ("environment", "labels")
_BY = re.compile("owner|group|other|any")
_ANY = re.compile(".+", re.S)
_MODE = re.compile(r"0?[0-7]{3,4}|[-dl]([r-][w-][xsS-]){2}[r-][w-][xtT-]")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Nearest = Callable[[str, tuple[str, ...]], str]
"""From an unknown word and the known ones to what a sentence about it ends with."""


def expectations(value: Any, nearest: Nearest) -> Expectations:
    """What is expected. Raises ValueError, which says what would be allowed ("a table …")."""
    if not isinstance(value, dict):
        raise ValueError("a table")
    _known(value, _KEYS, "", nearest)
    given: dict[str, Any] = {}
    for name, item in value.items():
        if name in _TEXTS:
            given[name] = _text_of(name, item)
        elif name in _TABLES:
            given[name] = _conditions(name, item)
        elif name == "files":
            given[name] = _files(item, nearest)
        else:
            given[name] = _words(name, item, may_be_empty=name in _OPTIONAL_LISTS)
    return Expectations(**given, told=value)


def _known(table: Mapping[str, Any], keys: tuple[str, ...], where: str, nearest: Nearest) -> None:
    for name in table:
        if name not in keys:
            raise ValueError(f"a table of known keys, and {where}{name} is none{nearest(str(name), keys)}")


def _text_of(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"a table whose {name} is a text")
    return value


def _words(name: str, value: Any, *, may_be_empty: bool = False) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError(f"a table whose {name} is a list of texts")
    if not value and not may_be_empty:
        raise ValueError(f"a table whose {name} names something: an empty list expects nothing")
    return tuple(value)


def _conditions(name: str, value: Any) -> dict[str, Text]:
    if not isinstance(value, dict) or not value:
        raise ValueError(f'a table whose {name} is a table of texts, {{ matches = "pattern" }} or false')
    return {key: _condition(name, item) for key, item in value.items()}


def _condition(name: str, value: Any) -> Text:
    if value is False:
        return Text()
    if isinstance(value, str):
        return Text(exactly=value)
    if isinstance(value, dict) and set(value) == {"matches"} and isinstance(value["matches"], str):
        return Text(matches=_pattern(name, value["matches"]))
    raise ValueError(f'a table whose {name} holds texts, {{ matches = "pattern" }} or false')


def _pattern(name: str, text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a table whose {name} holds patterns, and {text!r} is none ({error})") from None
    return text


def _files(value: Any, nearest: Nearest) -> tuple[ExpectedFile, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        raise ValueError('a table whose files is a list of tables like { path = "/app", exists = true }')
    return tuple(_file(item, nearest) for item in value)


def _file(table: Mapping[str, Any], nearest: Nearest) -> ExpectedFile:
    _known(table, _FILE_KEYS, "files.", nearest)
    path = table.get("path")
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path or path.strip("/") == "":
        raise ValueError("a table whose files each have a path that begins with /")
    given = {name: _file_value(name, value) for name, value in table.items() if name != "path"}
    if given.get("exists") is False and len(given) > 1:
        raise ValueError(f"a table that expects nothing else of {path}, which it expects to be absent")
    return ExpectedFile(path=path, **given)


def _file_value(name: str, value: Any) -> Any:
    if name in ("content", "no_content"):
        return tuple(_pattern(f"files.{name}", text) for text in _words(f"files.{name}", value))
    if name == "exists":
        return _one(name, value, isinstance(value, bool), "true or false")
    if name in ("owner", "group"):
        is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return _one(name, value, is_number, "a number of at least 0")
    pattern, like = {
        "mode": (_MODE, 'like "0644" or "-rw-r--r--"'),
        "sha256": (_SHA256, "64 hexadecimal digits"),
        "executable_by": (_BY, "one of owner, group, other, any"),
        "target": (_ANY, "a text"),
    }[name]
    return _one(name, value, isinstance(value, str) and pattern.fullmatch(value) is not None, like)


def _one(name: str, value: Any, fits: bool, like: str) -> Any:
    if not fits:
        raise ValueError(f"a table whose files.{name} is {like}")
    return value
