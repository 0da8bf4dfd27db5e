"""What a stage says that its result rests on, and which files of a snapshot that means.

A result may be used again only where none of this has changed, so what is left out here is a wrong hit: a pattern that
takes in too much costs a run, one that takes in too little costs the promise.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.core.snapshot import Entry, Kind, Snapshot

EVERYTHING = "**"
"""The pattern of every file."""
FOLDER = "folder"
"""What stands beside the name of a folder, which has no content of its own."""


class Lasting(StrEnum):
    """How long a result may be used again: ``LONG`` where only inputs change it, ``SHORT`` where time itself does."""

    LONG = "long"
    SHORT = "short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a stage's result rests on, besides this package's own code and the machine.

    ``files`` are patterns of the snapshot's files: one without ``/`` is about names in any folder, else about whole
    paths from the root (``/name`` is a file in the root); ``*`` is any part of a name, ``**`` any folders.
    ``scripts`` takes in the files whose name has no suffix, whose first line may say that they are Python. ``folders``
    takes in which folders there are, for what looks for packages by their folder. ``follows_links`` says that what a
    symbolic link leads to may be read through it.

    ``settings`` are sections or single keys, ``locks`` names of this package's locks, ``python`` whether a Python is
    looked for. ``variables`` are of the environment. ``outside`` are files outside of the snapshot, by what names them.
    ``results`` are stages all of whose result counts, ``metrics`` single values of one, like ``build.image_id``.
    ``judged`` tells that its findings are held against waivers, ``compared`` that it is compared with the earlier
    revision of a run. ``facts`` is whatever else, by name. ``engine`` tells that the container engine takes part.

    ``why_not`` is a full sentence that says why the result can't be used again at all; empty when it can.
    """

    files: tuple[str, ...] = ()
    scripts: bool = False
    folders: bool = False
    follows_links: bool = True
    settings: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    python: bool = True
    variables: tuple[str, ...] = ()
    outside: Mapping[str, str] = field(default_factory=dict)
    results: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    judged: bool = True
    compared: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    engine: bool = False
    lasting: Lasting = Lasting.LONG
    why_not: str = ""


class LeadsOut(ValueError):
    """A symbolic link leads out of the snapshot, so what lies there is not known; the text is a full sentence."""


def below(paths: Iterable[str], name: str = EVERYTHING) -> tuple[str, ...]:
    """The patterns of the files called ``name`` below any of ``paths``, and of the paths themselves."""
    patterns: list[str] = []
    for path in paths:
        trimmed = path.removeprefix("./").rstrip("/")
        if trimmed in ("", "."):
            patterns.append(name)
        else:
            patterns += [f"/{trimmed}", f"/{trimmed}/**" if name == EVERYTHING else f"/{trimmed}/**/{name}"]
    return tuple(patterns)


def exactly(paths: Iterable[str]) -> tuple[str, ...]:
    """The patterns of these very paths."""
    return tuple(f"/{posixpath.normpath(path)}" for path in paths if path)


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether any of the patterns names a path."""
    every = tuple(patterns)
    # Most are whole paths, and there may be thousands of them.
    whole = frozenset(pattern[1:] for pattern in every if pattern.startswith("/") and "*" not in pattern)
    others = [_expression(pattern) for pattern in every if not pattern.startswith("/") or "*" in pattern]
    # Of no pattern an expression that matches nothing.
    expression = re.compile("|".join(others) or r"(?!)", re.DOTALL)
    return lambda path: path in whole or expression.fullmatch(path) is not None


def declared(inputs: Inputs) -> Callable[[str], bool]:
    """Whether a file at a path is one of the inputs, for what is there as for what might come to be there."""
    named = matcher(inputs.files)

    def is_declared(path: str) -> bool:
        return named(path) or (inputs.scripts and "." not in path.rpartition("/")[2])

    return is_declared


def files_of(snapshot: Snapshot, inputs: Inputs, target_of: Callable[[str], str]) -> dict[str, str]:
    """The declared files, each as its kind and digest; ``target_of`` says where a link leads to, as it is written.

    Raises:
        LeadsOut: what a link leads to is not part of the snapshot, and the stage may read it.
    """
    is_declared = declared(inputs)
    chosen = {entry.path: entry for entry in snapshot.entries if is_declared(entry.path)}
    if inputs.follows_links:
        # A link of any name: a folder may be one, and then lies in the path of files that are named otherwise.
        links = [entry for entry in snapshot.entries if entry.kind is Kind.LINK]
        chosen |= {entry.path: entry for entry in links}
        for link in links:
            chosen |= {entry.path: entry for entry in _behind(snapshot, link.path, target_of(link.path))}
    found = {path: f"{entry.kind} {entry.digest}" for path, entry in sorted(chosen.items())}
    if inputs.folders:
        found |= {f"{name}/": FOLDER for name in sorted(_folders(snapshot))}
    return found


def _behind(snapshot: Snapshot, link: str, target: str) -> Iterable[Entry]:
    """What a link leads to; a link behind it is looked at by itself, since all of them are."""
    place = posixpath.normpath(posixpath.join(posixpath.dirname(link), target))
    if place.startswith(("/", "../")) or place == "..":
        raise LeadsOut(f"The symbolic link {link} leads out of the checkout, where anything may have changed.")
    if place in snapshot.by_path:
        return (snapshot.by_path[place],)
    prefix = "" if place == "." else f"{place}/"
    # A link to what is not there: that it should come to be there is a new file, and looked for here again.
    return tuple(entry for entry in snapshot.entries if entry.path.startswith(prefix))


def _folders(snapshot: Snapshot) -> set[str]:
    """Every folder that holds something."""
    found: set[str] = set()
    for entry in snapshot.entries:
        folder = entry.path.rpartition("/")[0]
        if entry.kind is Kind.SUBMODULE:
            folder = entry.path
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _expression(pattern: str) -> str:
    """A pattern as a regular expression for the whole path."""
    if "/" not in pattern:
        pattern = pattern if pattern == EVERYTHING else f"**/{pattern}"
    parts = pattern.removeprefix("/").split("/")
    written = ""
    for at, part in enumerate(parts):
        last = at == len(parts) - 1
        if part == EVERYTHING:
            written += ".+" if last else "(?:[^/]+/)*"
        else:
            written += "[^/]*".join(map(re.escape, part.split("*"))) + ("" if last else "/")
    return f"(?:{written})"
