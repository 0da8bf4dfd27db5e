"""What a change does to its own gates: two policies in, a list of differences out, each with the way in which it goes.

A change may tighten what it is held to, but not loosen it (see :mod:`pipeline.policy_stage`). What can't be told to
tighten or to be harmless counts as loosening. The settings are compared here, the files in
:mod:`pipeline.core.policy_files`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.core.snapshot import is_below


class Effect(StrEnum):
    """Which way a difference goes; declared in the order in which a report shows them."""

    LOOSENS = "loosens"
    TIGHTENS = "tightens"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference, told by a full ``sentence``: ``subject`` is the key or file, ``item`` what of several in it.

    ``approved`` tells of a loosening that the trusted side has let in.
    """

    subject: str
    effect: Effect
    sentence: str
    item: str = ""
    approved: bool = False


def told(subject: str, effect: Effect, sentence: str, item: str = "") -> Difference:
    """A difference."""
    return Difference(subject=subject, effect=effect, sentence=sentence, item=item)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What decides what is demanded: the effective settings by dotted key, and the texts of the files that govern.

    The files are those for which :func:`pipeline.core.policy_files.governs` holds, as :func:`~.policy_files.governing`
    leaves them.
    """

    values: Mapping[str, Any]
    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 over all of it, by which it can be approved; not over what it is compared with."""
        values = {name: value for name, value in self.values.items() if name != "against"}
        text = json.dumps([values, dict(self.files)], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def setting_differences(
    before: Mapping[str, Any], after: Mapping[str, Any], exists: Callable[[str], bool]
) -> tuple[Difference, ...]:
    """How the effective settings differ; ``exists`` says of a path whether the new content still has it."""
    found: list[Difference] = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old != new:
            found.extend(_difference(name, old, new, exists))
    return tuple(found)


def judged(found: Iterable[Difference]) -> tuple[Difference, ...]:
    """The differences in the order of a report: what loosens first."""
    order = list(Effect)
    return tuple(sorted(found, key=lambda item: (order.index(item.effect), item.subject, item.sentence)))


# Which way a key goes, by its name; the first pattern that matches the whole name decides.
(
    _HIGHER, _LOWER, _SCOPE, _STAGES, _EXCLUSIONS, _RATING, _LEAVE, _DUTY, _FREE, _SIGNING, _DEMANDS, _LICENCES, _DOSE,
    _ANSWERING, _REUSE, _KEEPING, _BELIEVED,
) = (
    "higher", "lower", "scope", "stages", "exclusions", "rating", "leave", "duty", "free", "signing", "demands",
    "licences", "dose", "answering", "reuse", "keeping", "believed",
)  # fmt: skip
_WAYS: tuple[tuple[str, str], ...] = (
    (r"(.*[._])?timeout_s", _FREE),
    (r"test\.parallel", _FREE),
    (r"against|name|version|service|python|canary\.rate", _FREE),
    (r"push\.(registry|repository|ca_file|key_file|public_key|policy|builder|source)", _FREE),
    (r"push\.(trust_config|identity|issuer|trusted_root|rehearsal_image)", _FREE),
    (r"cache\.max_mb", _FREE),
    (r"cache\.fresh", _REUSE),
    (r"cache\.write", _KEEPING),
    (r"cache\.dir", _BELIEVED),
    (r"push\.keyless", _DUTY),
    (r"push\.sign", _SIGNING),
    (r"canary\.answers", _ANSWERING),
    (r"build\.(dockerfile|image|python|debian_mirror)|(test|smoke)\.environment", _FREE),
    (r"audit\.(kev|epss)", _FREE),
    (r"build\.expect", _DEMANDS),
    (r"build\.licences|build\.licence_of", _LICENCES),
    (r"build\.debian_advisories", _DUTY),
    (r"smoke\.(port|ready_path|base_url_option|random_keys)", _FREE),
    (r"smoke\.dose", _DOSE),
    (r"smoke\.openapi", _DUTY),
    (r"required", _STAGES),
    (r"sources|(lint|scan|test|smoke)\.paths|test\.coverage|canary\.paths|smoke\.requests", _SCOPE),
    (r"(.*\.)?exclude", _EXCLUSIONS),
    (r"(.*\.)?(fail_on|confidence)", _RATING),
    (r"(.*[._])?(floor|minimum)|(.*[._])?min_.*|canary\.requests|smoke\.(fuzz|load)_.*", _HIGHER),
    (r"(.*[._])?(tolerance|max_days)|(.*[._])?max_.*|smoke\.(memory_mb|cpus|pids|stalled_s)", _LOWER),
    (r"push\.insecure|(.*[._])?(allow|accept|expect|ignore|skip|permit)_.*", _LEAVE),
    (r"(.*[._])?(need|require|forbid)(_.*)?", _DUTY),
)
# What is sent to a service is no file of the content, so none of it can be gone from there.
_SENT = ("canary.paths", "smoke.requests")
_NOTHING_ASKED = {_HIGHER: float("-inf"), _LOWER: float("inf")}
# A gate at an earlier word counts what a gate at a later one does, and more.
_RATINGS = ("info", "low", "medium", "high", "critical")
_SIGNINGS = ("required", "auto", "off")
_ANSWERINGS = ("values", "schema", "off")
_DOSES = ("full", "standard")
_REUSES = ("always", "auto", "never")
_KEEPINGS = ("never", "auto", "always")
_ORDERS = {
    _RATING: _RATINGS, _SIGNING: _SIGNINGS, _DOSE: _DOSES, _ANSWERING: _ANSWERINGS, _REUSE: _REUSES,
    _KEEPING: _KEEPINGS,
}  # fmt: skip


def way_of(name: str) -> str:
    """Which way a key goes; empty when that is not known, so that every change of it counts as loosening."""
    return next((way for pattern, way in _WAYS if re.fullmatch(pattern, name)), "")


def _difference(name: str, old: Any, new: Any, exists: Callable[[str], bool]) -> Iterator[Difference]:
    way = way_of(name)
    if way in (_SCOPE, _STAGES):
        yield from _scopes(name, old or (), new or (), exists if way == _SCOPE and name not in _SENT else None)
    elif way == _EXCLUSIONS:
        yield from _exclusions(name, old or (), new or ())
    elif way == _DEMANDS:
        yield from _demands(name, _single(old or {}), _single(new or {}))
    elif way == _LICENCES:
        yield from _licences(name, old or (), new or ())
    elif way == _FREE:
        yield told(name, Effect.NEUTRAL, f"{name} was {_shown(old)} and is {_shown(new)}.")
    else:
        effect = _ordered(way, old, new)
        doubt = "" if effect else ", and which way that goes is not known"
        yield told(name, effect or Effect.LOOSENS, f"{name} was {_shown(old)} and is {_shown(new)}{doubt}.")


def _ordered(way: str, old: Any, new: Any) -> Effect | None:
    """Which way one value goes after another; none when they can't be ordered."""
    order = _ORDERS.get(way, ())
    if old in order and new in order:
        return _effect(order.index(new) > order.index(old))
    if way == _BELIEVED:
        # Results of which nobody knows who wrote them would pass for this project's own.
        return Effect.LOOSENS
    if way in (_LEAVE, _DUTY):
        return _effect((way == _LEAVE) == bool(new)) if bool(old) != bool(new) else Effect.NEUTRAL
    if way in (_HIGHER, _LOWER):
        numbers = [_NOTHING_ASKED[way] if value is None else value for value in (old, new)]
        if all(isinstance(number, int | float) for number in numbers):
            return _effect((numbers[1] < numbers[0]) == (way == _HIGHER))
    return None


def _effect(loosens: bool) -> Effect:
    return Effect.LOOSENS if loosens else Effect.TIGHTENS


def _scopes(
    name: str, old: Iterable[str], new: Iterable[str], exists: Callable[[str], bool] | None
) -> Iterator[Difference]:
    """What is looked at. What is gone from the content need not be looked at any more."""
    old, new = tuple(old), tuple(new)
    for item in sorted(set(old) - set(new)):
        if exists is not None and any(is_below(item, other) for other in new):
            yield told(
                name, Effect.NEUTRAL, f"{name} no longer names {item}, which lies below another that it names.", item
            )
        elif exists is not None and not exists(item):
            yield told(name, Effect.NEUTRAL, f"{name} no longer names {item}, which is not there any more.", item)
        else:
            yield told(name, Effect.LOOSENS, f"{name} no longer names {item}.", item)
    for item in sorted(set(new) - set(old)):
        yield told(name, Effect.TIGHTENS, f"{name} also names {item}.", item)
    if set(old) == set(new):
        yield told(name, Effect.NEUTRAL, f"{name} names the same in another order.")


def _exclusions(name: str, old: Iterable[Mapping[str, str]], new: Iterable[Mapping[str, str]]) -> Iterator[Difference]:
    before = {item["path"]: item["reason"] for item in old}
    after = {item["path"]: item["reason"] for item in new}
    for path, reason in sorted(after.items()):
        if path not in before:
            wider = next((other for other in before if is_below(path, other)), "")
            if wider:
                yield told(name, Effect.NEUTRAL, f"{name} excludes {path}, of what {wider} excluded before.", path)
            else:
                yield told(name, Effect.LOOSENS, f"{name} excludes {path} ({reason.rstrip('.')}).", path)
        elif before[path] != reason:
            yield told(name, Effect.NEUTRAL, f"{name} gives another reason for {path}: {reason.rstrip('.')}.", path)
    for path in sorted(before.keys() - after.keys()):
        yield told(name, Effect.TIGHTENS, f"{name} no longer excludes {path}.", path)


def _demands(name: str, old: frozenset[str], new: frozenset[str]) -> Iterator[Difference]:
    """Expectations, each by itself: one that is gone is asked no more."""
    for item in sorted(old - new):
        yield told(name, Effect.LOOSENS, f"{name} no longer expects {item}.", item)
    for item in sorted(new - old):
        yield told(name, Effect.TIGHTENS, f"{name} expects {item}.", item)


def _single(value: Any, place: str = "") -> frozenset[str]:
    """A table's single demands, as ``key: value``; a file's belong together."""
    if isinstance(value, Mapping) and place.count(".") < 2 and "files" not in place:
        return frozenset[str]().union(*(_single(item, f"{place}.{key}") for key, item in value.items()))
    if isinstance(value, list) and place.count(".") == 1 and place not in (".entrypoint", ".cmd"):
        return frozenset(f"{place[1:]}: {_shown(item)}" for item in value)
    return frozenset({f"{place[1:]}: {_shown(value)}"})


def _licences(name: str, old: Any, new: Any) -> Iterator[Difference]:
    """What is allowed, or stated to be a licence; nothing named in ``licences`` allows everything."""
    if name.endswith("licences") and bool(old) != bool(new):
        effect = Effect.TIGHTENS if new else Effect.LOOSENS
        yield told(name, effect, f"{name} was {_shown(old)} and is {_shown(new)}.")
        return
    before, after = (
        {f"{key}: {text}" for key, text in value.items()} if isinstance(value, Mapping) else set(value)
        for value in (old, new)
    )
    for item in sorted(after - before):
        yield told(name, Effect.LOOSENS, f"{name} also has {item}.", item)
    for item in sorted(before - after):
        yield told(name, Effect.TIGHTENS, f"{name} no longer has {item}.", item)


def _shown(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)
