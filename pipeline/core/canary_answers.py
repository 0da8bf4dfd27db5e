"""Whether a candidate answers as the release does: status, headers, the schema of the body, and what it says.

What changes from answer to answer by itself (times, ids, addresses) is not known in advance: it is learnt from the
release. Two fresh containers of it get the same requests, and what is not constant over all their answers is not held
against the candidate; its presence and its type still are. That two instances of the old version cancel the noise is
the idea of Twitter's Diffy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

OTHERS = "(others)"
"""Stands for all further values of an item that has many."""

_VALUES = 4
_ITEMS = 200
_BODIES = 64
_DEPTH = 8
_LONGEST = 120
# The frame of an answer, not what it says; the body's length follows from the body.
_FRAME = frozenset({"date", "content-length", "age", "connection", "keep-alive", "transfer-encoding"})
_STATUS, _TYPE, _HEADER, _BODY = "status", "type of ", "header ", "body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The good answers of one side at one endpoint: how many, and for each item how often it had which value."""

    total: int = 0
    items: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for values in self.items.values():
            if min(values.values(), default=1) < 1 or sum(values.values()) > self.total:
                raise ValueError("an item is not in more answers than there are")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """How many of the candidate's answers deviate in the item that most do in, and what deviates, in words."""

    answers: int = 0
    told: tuple[str, ...] = ()


def described(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> dict[str, str]:
    """One answer as items: status, each header, the type of each member of a JSON body, and each value."""
    items = {_STATUS: str(status)}
    for name, value in headers:
        key = name.lower()
        if key not in _FRAME:
            items[_HEADER + key] = f"{items[_HEADER + key]}, {value}" if _HEADER + key in items else value
    shown = [(name, _short(value)) for name, value in items.items()]
    return dict((*shown, *_said(body))[:_ITEMS])


@lru_cache(maxsize=_BODIES)
def _said(body: bytes) -> tuple[tuple[str, str], ...]:
    """The items of a body. Most answers of an endpoint have the same one, and taking it apart costs most."""
    items: dict[str, str] = {}
    try:
        document = json.loads(body) if body[:1] in (b"{", b"[") else None
    except (ValueError, RecursionError):
        document = None
    if document is None:
        items[_BODY] = f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()[:16]}" if body else "empty"
    else:
        for name, value in _members("$", document, 0):
            # The elements of a list lie at one place: their types and values are told together.
            before = items.get(name)
            items[name] = value if before in (None, value) else f"{before} | {value}"
    return tuple((name, _short(value)) for name, value in list(items.items())[:_ITEMS])


def profile(answers: Iterable[Mapping[str, str]]) -> Answers:
    """Many answers together. The same for every order of them but for which values of a changing item are named."""
    total = 0
    counted: dict[str, dict[str, int]] = {}
    for items in answers:
        total += 1
        for name, value in items.items():
            values = counted.setdefault(name, {})
            _add(values, value, 1)
    return Answers(total=total, items=counted)


def together(first: Answers, second: Answers) -> Answers:
    """The answers of two sides as those of one."""
    counted = {name: dict(values) for name, values in first.items.items()}
    for name, values in second.items.items():
        merged = counted.setdefault(name, {})
        for value, count in values.items():
            _add(merged, value, count)
    return Answers(total=first.total + second.total, items=counted)


def deviation(release: Answers, candidate: Answers, *, values: bool) -> Deviation:
    """What the candidate answers otherwise; ``values`` false: schema alone, so that values may change and members be
    added.
    """
    if not release.total or not candidate.total:
        return Deviation()
    found = list(_deviations(release, candidate, values))
    found.sort(key=lambda item: -item[0])
    return Deviation(answers=found[0][0] if found else 0, told=tuple(sentence for _, sentence in found[:3]))


def altered(answers: Answers) -> Answers:
    """The same answers with another status and no type (a positive control)."""
    items = {name: values for name, values in answers.items.items() if not name.startswith(_TYPE)}
    return Answers(total=answers.total, items={**items, _STATUS: {"299": answers.total}} if answers.total else items)


def _deviations(release: Answers, candidate: Answers, values: bool) -> Iterator[tuple[int, str]]:
    for name, known in release.items.items():
        seen = candidate.items.get(name, {})
        allowed = _allowed(name, known, values)
        strange = {value: count for value, count in seen.items() if allowed is not None and value not in allowed}
        if strange:
            was, now = " or ".join(sorted(allowed or ())), max(strange, key=strange.__getitem__)
            yield sum(strange.values()), f"{name} was {was} and is {now}"
        absent = candidate.total - sum(seen.values())
        if absent and sum(known.values()) == release.total and (values or _is_schema(name)):
            yield absent, f"{name} is missing"
    for name, seen in candidate.items.items():
        if values and name not in release.items:
            yield sum(seen.values()), f"{name} is new"


def _allowed(name: str, known: Mapping[str, int], values: bool) -> frozenset[str] | None:
    """The values that an item may have; none: any. A value that is not constant in the release is free."""
    if name == _STATUS or name.startswith(_TYPE) or (name == f"{_HEADER}content-type" and OTHERS not in known):
        return frozenset(known)
    return frozenset(known) if values and len(known) == 1 and OTHERS not in known else None


def _is_schema(name: str) -> bool:
    return name == _STATUS or name.startswith((_TYPE, _HEADER))


def _members(path: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    kind = _kind(value)
    yield f"{_TYPE}{path}", kind
    if depth >= _DEPTH or kind not in ("object", "array"):
        yield path, json.dumps(value, sort_keys=True)
    elif kind == "object":
        for name, member in value.items():
            yield from _members(f"{path}.{name}", member, depth + 1)
    else:
        yield f"length of {path}", str(len(value))
        for member in value:
            yield from _members(f"{path}[]", member, depth + 1)


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    kinds: tuple[tuple[type, str], ...] = ((dict, "object"), (list, "array"), (str, "string"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "number")


def _short(value: str) -> str:
    if len(value) <= _LONGEST:
        return value
    return f"{value[:40]}… (sha256 {hashlib.sha256(value.encode('utf-8', 'backslashreplace')).hexdigest()[:16]})"


def _add(values: dict[str, int], value: str, count: int) -> None:
    key = value if value in values or len(values) < _VALUES else OTHERS
    values[key] = values.get(key, 0) + count
