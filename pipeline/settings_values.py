"""One value as somebody wrote it, in a file or in the environment, checked against a key of the settings."""

from __future__ import annotations

import difflib
import types
from dataclasses import Field, dataclass
from enum import StrEnum
from typing import Any, Union, get_args, get_origin

from pipeline.settings import Exclusion


class Refused(Exception):
    """A value that does not fit; the text says what is allowed."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as somebody wrote it, and where; ``is_text`` when it comes from the environment and must be read first."""

    value: Any
    source: str
    is_text: bool = False


def checked(given: Given, hint: Any, item: Field[Any]) -> Any:
    """The value that the key ``item`` of type ``hint`` gets. Raises Refused, saying what is allowed."""
    bounds = _bounds(item)
    try:
        value = _converted(given.value, hint, given.is_text)
    except Refused as refusal:
        # A list's or a text's bounds are its words, which the refusal names already.
        raise Refused(f"{refusal}{bounds}") from None
    low, high, one_of = item.metadata["low"], item.metadata["high"], item.metadata["one_of"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        # "not >=" also refuses NaN, which compares false with everything.
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            raise Refused(f"a number{bounds}")
    if one_of and value not in one_of:
        raise Refused("one of " + ", ".join(one_of) + nearest(str(value), one_of))
    return value


def _bounds(item: Field[Any]) -> str:
    low, high = item.metadata["low"], item.metadata["high"]
    if low is None:
        return ""
    return f" from {low:g} to {high:g}" if high is not None else f" of at least {low:g}"


def _converted(value: Any, hint: Any, is_text: bool) -> Any:
    """``value`` as the type ``hint`` says. Text from the environment is read; a file's value must have the type already."""
    if get_origin(hint) in (Union, types.UnionType):
        inner = next(option for option in get_args(hint) if option is not type(None))
        return None if is_text and value == "" else _converted(value, inner, is_text)
    if get_origin(hint) is tuple:
        return _sequence(value, get_args(hint)[0], is_text)
    if get_origin(hint) is not None:
        return _mapping(value, is_text)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _word(value, hint)
    return _scalar(value, hint, is_text)


def _scalar(value: Any, hint: Any, is_text: bool) -> Any:
    if hint is bool:
        if is_text and str(value).lower() in ("true", "1", "false", "0"):
            return str(value).lower() in ("true", "1")
        if isinstance(value, bool):
            return value
        raise Refused("true or false")
    if hint in (int, float):
        try:
            if isinstance(value, str) != is_text or isinstance(value, bool):
                raise ValueError
            number = hint(value)
            if hint is int and not is_text and number != value:
                raise ValueError
        except (TypeError, ValueError):
            raise Refused("a whole number" if hint is int else "a number") from None
        return number
    if not isinstance(value, str):
        raise Refused("text in quotes")
    return value


def _word(value: Any, kind: type[StrEnum]) -> StrEnum:
    words = tuple(str(member) for member in kind)
    if not isinstance(value, str) or value.lower() not in words:
        raise Refused("one of " + ", ".join(words) + nearest(str(value), words))
    return kind(value.lower())


def _sequence(value: Any, inner: Any, is_text: bool) -> tuple[Any, ...]:
    if inner is Exclusion:
        return _exclusions(value)
    if is_text:
        return tuple(part.strip() for part in str(value).split(",") if part.strip())
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refused("a list of texts")
    return tuple(value)


def _exclusions(value: Any) -> tuple[Exclusion, ...]:
    wanted = 'a list of {path = "…", reason = "…"}, each reason a sentence'
    if not isinstance(value, list):
        raise Refused(wanted)
    result = []
    for item in value:
        if (
            not isinstance(item, dict)
            or set(item) != {"path", "reason"}
            or not all(isinstance(v, str) for v in item.values())
        ):
            raise Refused(wanted)
        if len(item["reason"].split()) < 3 or item["path"].strip("./") == "":
            raise Refused(wanted)
        result.append(Exclusion(path=item["path"], reason=item["reason"]))
    return tuple(result)


def _mapping(value: Any, is_text: bool) -> dict[str, str]:
    if is_text:
        pairs = [part.partition("=") for part in str(value).split(",") if part.strip()]
        if not all(equals for _, equals, _ in pairs):
            raise Refused("NAME=value, NAME=value")
        return {name.strip(): text for name, _, text in pairs}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise Refused("a table of texts")
    return dict(value)


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str:
    """What to add to a sentence about an unknown word: the nearest spelling, or all of them."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
