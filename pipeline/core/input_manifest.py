"""A stage's inputs as they were found before it ran, by name: a value that can be read, compared and digested.

Two manifests with one digest say that nothing has changed on which the result rests; from two that differ it is told
what has.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.core.evidence import listed

SCHEMA = "pipeline.inputs/v1"
MOST_NAMED = 6
_LONGEST = 60

FILES, SETTINGS, VARIABLES, LOCKS, PYTHON, OUTSIDE, UPSTREAM, JUDGED, FACTS, ENGINE, CODE = (
    "files", "settings", "variables", "locks", "python", "outside", "upstream", "waivers", "facts", "engine", "code",
)  # fmt: skip
PARTS = (FILES, SETTINGS, VARIABLES, LOCKS, PYTHON, OUTSIDE, UPSTREAM, JUDGED, FACTS, ENGINE, CODE)
"""The parts of a manifest, in the order in which a change of them is told."""

_NAMED = {
    VARIABLES: "the environment variable {}",
    LOCKS: "the lock of the {} tools",
    PYTHON: "Python ({})",
    OUTSIDE: "the file of {}",
    UPSTREAM: "{}",
    JUDGED: "the waiver of {}",
    FACTS: "{}",
    ENGINE: "the container engine ({})",
    CODE: "{}",
}
_COUNTED = {
    FILES: "file", SETTINGS: "setting", VARIABLES: "variable", OUTSIDE: "file outside", UPSTREAM: "earlier answer",
    JUDGED: "waiver", FACTS: "other fact",
}  # fmt: skip
_WHOLE = {LOCKS: "the locks of its tools", PYTHON: "Python", ENGINE: "the engine", CODE: "the pipeline's own code"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The inputs of ``stage``: the values by name, in parts (one of :data:`PARTS`). All values are texts."""

    stage: str
    parts: Mapping[str, Mapping[str, str]]

    @property
    def text(self) -> str:
        """As JSON in one way only: sorted, without white space, in ASCII."""
        document = {"schema": SCHEMA, "stage": self.stage, "parts": {n: dict(p) for n, p in self.parts.items()}}
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 of :attr:`text`, in hexadecimal: the key of the result."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def summary(self) -> str:
        """How much of what it holds, in a few words."""
        counts = {part: len(self.parts[part]) for part in PARTS if self.parts.get(part)}
        counted = [f"{n} {_COUNTED[part]}{'s' * (n != 1)}" for part, n in counts.items() if part in _COUNTED]
        return ", ".join([*counted, *(_WHOLE[part] for part in counts if part in _WHOLE)])


def parsed(text: str) -> Manifest:
    """A manifest read back.

    Raises:
        ValueError: it is none, or one of another version.
    """
    document = json.loads(text)
    try:
        if document["schema"] != SCHEMA:
            raise ValueError(f"{document['schema']!r} is not {SCHEMA!r}")
        parts = {str(part): {str(n): str(v) for n, v in values.items()} for part, values in document["parts"].items()}
        return Manifest(stage=str(document["stage"]), parts=parts)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no manifest ({type(error).__name__}: {error})") from error


def changes(before: Manifest, after: Manifest) -> tuple[str, ...]:
    """What is otherwise in ``after``, each in a few words that make a sentence when they are joined."""
    return tuple(
        words
        for part in PARTS
        for words in _changes(part, dict(before.parts.get(part, {})), dict(after.parts.get(part, {})))
    )


def told(found: tuple[str, ...]) -> str:
    """Several changes as the end of a sentence."""
    return listed(found, MOST_NAMED)


def _changes(part: str, before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if part == FILES:
            yield _of_file(name, old, new)
        elif part == SETTINGS:
            yield _of_setting(name, old, new)
        else:
            subject = _NAMED[part].format(name)
            yield f"{subject} is new" if old is None else f"{subject} is gone" if new is None else f"{subject} changed"


def _of_file(path: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"{path} is new"
    if new is None:
        return f"{path} is gone"
    (kind_then, _, _), (kind, _, _) = old.partition(" "), new.partition(" ")
    if kind_then != kind:
        return f"{path} was {_article(kind_then)} and is {_article(kind)}"
    return f"{path} leads elsewhere" if kind == "link" else f"{path} has other content"


def _article(kind: str) -> str:
    return {"executable": "an executable file"}.get(kind, f"a {kind}")


def _of_setting(name: str, old: str | None, new: str | None) -> str:
    if old is None or new is None or len(old) + len(new) > _LONGEST:
        return f"the setting {name} changed"
    return f"the setting {name} was {old} and is {new}"
