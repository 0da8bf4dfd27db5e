"""The project's own configuration of ruff, pylint, coverage and pytest, which those tools honour, and how it changes.

bandit's and the secret scanner's own is not honoured by the stages, so it is none of this.
"""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pipeline.core.policy_difference import Difference, Effect, told

FILES = (
    "pyproject.toml", "ruff.toml", ".ruff.toml", "pylintrc", ".pylintrc", "pylintrc.toml", ".pylintrc.toml",
    ".coveragerc", "pytest.ini", ".pytest.ini", "setup.cfg", "tox.ini",
)  # fmt: skip
"""The names under which these tools look for it."""

_TOOLS = ("ruff", "pylint", "coverage", "pytest")
# Options by the way they go, in the spelling with underscores; a table of that name makes all of its keys so.
_SILENCING = {
    "ignore", "extend_ignore", "per_file_ignores", "extend_per_file_ignores", "exclude", "extend_exclude", "disable",
    "ignore_paths", "ignore_patterns", "ignored_modules", "ignored_classes", "ignored_checks_for_mixins",
    "generated_members", "builtins", "omit", "exclude_lines", "exclude_also", "partial_branches", "addopts",
    "collect_ignore", "norecursedirs", "filterwarnings",
}  # fmt: skip
_DEMANDING = {"select", "extend_select", "enable", "load_plugins", "include", "testpaths", "source", "fail_on"}
_LIMIT = re.compile(r"max_.*|line_length")
_UNCLEAR = re.compile(r"min_.*|fail_under")
_LIST = re.compile(r"[,\n]")
# In these two files others have sections too.
_SHARED = ("setup.cfg", "tox.ini")
_SECTION = re.compile(r"(tool:)?(pylint|coverage|pytest|ruff)\b.*", re.I)


def tables(text: str) -> str:
    """Of a ``pyproject.toml`` the tables of these tools, as JSON with sorted keys; empty when there is none.

    A text that is no TOML comes back as it is: it will be found unreadable where it is compared.
    """
    try:
        tool = tomllib.loads(text).get("tool", {})
        kept = {name: tool[name] for name in _TOOLS if name in tool}
    except (tomllib.TOMLDecodeError, TypeError, AttributeError):
        return text
    return json.dumps({"tool": kept}, sort_keys=True, default=str) if kept else ""


def differences(path: str, old: str, new: str) -> Iterator[Difference]:
    """How two texts of a file differ that configures a tool.

    Raises:
        ValueError: one of them can't be read.
    """
    before, after = _options(path, old), _options(path, new)
    for name in sorted(before.keys() | after.keys()):
        then, now = before.get(name), after.get(name)
        if then != now:
            yield from _difference(path, name, then, now)


def _difference(path: str, name: str, then: Any, now: Any) -> Iterator[Difference]:
    parts = {part.replace("-", "_") for part in name.split(" ")}
    last = name.split(" ")[-1].replace("-", "_")
    if parts & (_SILENCING | _DEMANDING):
        silencing = bool(parts & _SILENCING)
        for item in sorted(_items(now) - _items(then)):
            yield told(path, _effect(silencing), f"{path}: {name} gains {item}.", f"{name} {item}")
        for item in sorted(_items(then) - _items(now)):
            yield told(path, _effect(not silencing), f"{path}: {name} loses {item}.", f"{name} {item}")
    elif _LIMIT.fullmatch(last):
        loosens = then is None or _number(now) > _number(then)
        yield told(path, _effect(loosens), f"{path}: {name} was {_shown(then)} and is {_shown(now)}.", name)
    elif _UNCLEAR.fullmatch(last):
        sentence = f"{path}: {name} was {_shown(then)} and is {_shown(now)}, and which way that goes is not known."
        yield told(path, Effect.LOOSENS, sentence, name)
    else:
        yield told(path, Effect.NEUTRAL, f"{path}: {name} was {_shown(then)} and is {_shown(now)}.", name)


def _options(path: str, text: str) -> dict[str, Any]:
    """The options by their full name, its parts parted by blanks."""
    name = PurePosixPath(path).name
    if not text:
        return {}
    if name == "pyproject.toml":
        return dict(_flat(json.loads(text)["tool"]))
    if name.endswith(".toml"):
        return dict(_flat(tomllib.loads(text)))
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(str(error)) from error
    sections = [one for one in parser.sections() if name not in _SHARED or _SECTION.fullmatch(one)]
    return {f"{section} {option}": value for section in sections for option, value in parser.items(section)}


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name} ")
        else:
            yield f"{above}{name}", value


def _items(value: Any) -> set[str]:
    if isinstance(value, list):
        return {str(item) for item in value}
    return {part.strip() for part in _LIST.split(str(value)) if part.strip()} if value is not None else set()


def _number(value: Any) -> float:
    """A limit; what is none, or is not set any more, is taken for the tool's own default and the tighter one."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("-inf")


def _effect(loosens: bool) -> Effect:
    return Effect.LOOSENS if loosens else Effect.TIGHTENS


def _shown(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, default=str)
