"""One value as somebody wrote it, in a file or in the environment, checked against a key of the settings."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import Field, dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Union, get_args, get_origin

from pipeline.core.expectations import Expectations
from pipeline.settings import Exclusion
from pipeline.settings_expect import expectations
from pipeline.settings_keys import Limits


class Refused(Exception):
    """A value that does not fit; the text says what is allowed."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as somebody wrote it, and where; ``is_text`` when it is an environment's and must be read first."""

    value: Any
    source: str
    is_text: bool = False


def checked(given: Given, hint: Any, item: Field[Any]) -> Any:
    """The value that the key ``item`` of type ``hint`` gets. Raises Refused, saying what is allowed."""
    limits: Limits = item.metadata["limits"]
    bounds = _bounds(limits)
    try:
        value = _converted(given.value, hint, given.is_text)
    except Refused as refusal:
        # A list's or a text's bounds are its words, which the refusal names already.
        raise Refused(f"{refusal}{bounds}") from None
    if isinstance(value, int | float) and not _within(value, limits):
        raise Refused(f"a number{bounds}")
    if value == "" and item.default == "":
        return value
    if limits.one_of and value not in limits.one_of:
        raise Refused("one of " + ", ".join(limits.one_of) + _resembling(str(value), limits.one_of))
    if limits.pattern and not re.fullmatch(limits.pattern, value):
        raise Refused(f"a text like {limits.like!r}")
    return _places(value) if limits.path else value


def _bounds(limits: Limits) -> str:
    if limits.low is None:
        return ""
    if limits.high is None:
        return f" of at least {limits.low:g}"
    return f" from {limits.low:g} to {limits.high:g}"


def _within(value: float, limits: Limits) -> bool:
    return (limits.low is None or value >= limits.low) and (limits.high is None or value <= limits.high)


def _places(value: Any) -> Any:
    """The paths in their one spelling, so that ``./service/`` is ``service``."""
    return tuple(_place(item) for item in value) if isinstance(value, tuple) else _place(value)


def _place(text: str) -> str:
    path = PurePosixPath(text)
    if not text.strip() or path.is_absolute() or ".." in path.parts or "\0" in text:
        raise Refused("a path relative to the project's root and below it")
    return path.as_posix()


def _converted(value: Any, hint: Any, is_text: bool) -> Any:
    """``value`` as the type ``hint`` says. Text is read; a file's value must have the type already."""
    if get_origin(hint) in (Union, types.UnionType):
        inner = next(option for option in get_args(hint) if option is not types.NoneType)
        return None if is_text and value == "" else _converted(value, inner, is_text)
    if get_origin(hint) is tuple:
        return _sequence(value, get_args(hint)[0], is_text)
    if get_origin(hint) is not None:
        return _mapping(value, is_text)
    if hint is Expectations:
        return _expected(_toml(value) if is_text else value)
    return _word(value, hint) if issubclass(hint, StrEnum) else _scalar(value, hint, is_text)


def _scalar(value: Any, hint: Any, is_text: bool) -> Any:
    if hint is bool:
        return _truth(value, is_text)
    if hint in (int, float):
        return _number(value, hint, is_text)
    if not isinstance(value, str):
        raise Refused("text in quotes")
    return value


def _truth(value: Any, is_text: bool) -> bool:
    if is_text and str(value).lower() in ("true", "1", "false", "0"):
        return str(value).lower() in ("true", "1")
    if isinstance(value, bool):
        return value
    raise Refused("true or false")


def _number(value: Any, kind: type[int] | type[float], is_text: bool) -> int | float:
    """A finite number; a whole one where ``kind`` is int."""
    try:
        if isinstance(value, str) != is_text or isinstance(value, bool):
            raise ValueError
        number = kind(value)
        if not math.isfinite(number) or (kind is int and not is_text and number != value):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise Refused("a whole number" if kind is int else "a number") from None
    return number


def _word(value: Any, kind: type[StrEnum]) -> StrEnum:
    # Severities and confidences, all of them thresholds; what nobody has rated is no degree to begin at.
    words = tuple(str(member) for member in kind if member != "unknown")
    if not isinstance(value, str) or value.lower() not in words:
        raise Refused("one of " + ", ".join(words) + _resembling(str(value), words))
    return kind(value.lower())


def _sequence(value: Any, inner: Any, is_text: bool) -> tuple[Any, ...]:
    if inner is Exclusion:
        return _exclusions(_toml(value) if is_text else value)
    if is_text:
        return tuple(part.strip() for part in str(value).split(",") if part.strip())
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refused("a list of texts")
    return tuple(value)


def _toml(text: str) -> Any:
    """A value in the environment that has no simpler form is written as in the file."""
    try:
        document = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    return document["value"] if len(document) == 1 else None


def _exclusions(value: Any) -> tuple[Exclusion, ...]:
    wanted = 'a list of {path = "…", reason = "…"}, each reason a sentence'
    if not isinstance(value, list):
        raise Refused(wanted)
    result = []
    for item in value:
        if not isinstance(item, dict) or set(item) != {"path", "reason"}:
            raise Refused(wanted)
        path, reason = item["path"], item["reason"]
        if not isinstance(path, str) or not isinstance(reason, str) or len(reason.split()) < 3:
            raise Refused(wanted)
        place = _place(path)
        if place == ".":
            raise Refused(wanted)
        result.append(Exclusion(path=place, reason=reason))
    return tuple(result)


def _expected(value: Any) -> Expectations:
    try:
        return expectations(value, nearest)
    except ValueError as error:
        raise Refused(str(error)) from None


def _mapping(value: Any, is_text: bool) -> Mapping[str, str]:
    if is_text:
        pairs = [part.partition("=") for part in str(value).split(",") if part.strip()]
        if not all(equals for _, equals, _ in pairs):
            raise Refused("NAME=value, NAME=value")
        value = {name.strip(): text for name, _, text in pairs}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise Refused("a table of texts")
    for name, text in value.items():
        # What no process can be given (environ(7)).
        if not name or "=" in name or "\0" in name + text:
            raise Refused("a table of environment variables; a name is not empty and holds no '='")
    return dict(value)


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str:
    """What a sentence about an unknown word goes on with: the nearest spelling, or all of them."""
    return _resembling(word, known) or f" (known are {', '.join(known)})"


def _resembling(word: str, known: tuple[str, ...] | list[str]) -> str:
    """The same where the sentence has told all of them already."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
