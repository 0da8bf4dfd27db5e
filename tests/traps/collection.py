"""The trap collection: what a trap and an honest project are, and how the folders here are read.

A folder holds one ``trap.toml`` with all the files of a small project in it, as text. They don't lie about as files
because they are no code of this repository: a linter, a scanner or pytest would have to be told to keep away from each.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pipeline.core.stage import Status
from tests.support import ALLOW, KEY_ID, PASSWORD

FOLDER = Path(__file__).parent
REFUSED = "refused"
"""What ours says before anything runs: a configuration that can't be used (exit code 2)."""

Kind = TypeVar("Kind", bound="Project")
_HONEST = "honest-"
_NOT_GREEN = {str(status) for status in Status if status is not Status.PASS} | {REFUSED}
# Credentials of nobody, and what a scanner obeys: written out, they would be findings of this repository.
_PLANTED = {"<<password>>": PASSWORD, "<<key id>>": KEY_ID, "<<allow>>": ALLOW}


@dataclass(frozen=True, kw_only=True)
class Project:
    """A small project: changes to the common base (``base.toml``), which is green in every static stage.

    ``files`` are new or replaced, ``append`` goes to the end of the base's files, ``remove`` takes files away,
    ``untracked`` are never added to git, ``forced`` are added although git ignores them, ``links`` are symbolic,
    ``executable`` have that bit. ``before`` is put over all of it for a commit of its own before, ``HEAD~1``.
    ``environ`` is set for ours and for the naive command. ``encoding`` is that of the files, where it is not UTF-8.
    """

    name: str
    title: str
    files: Mapping[str, str] = field(default_factory=dict)
    append: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    untracked: Mapping[str, str] = field(default_factory=dict)
    forced: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    executable: tuple[str, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    encoding: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    full: bool = False
    container: bool = False


@dataclass(frozen=True, kw_only=True)
class Trap(Project):
    """A way to a false green.

    ``naive`` is the shell command that a person would put into CI, ``naive_exit`` what it was seen to exit with, and
    ``why_green`` says why that looks green where it is not 0. ``status`` is ours in ``stage``; ``reason`` must be part
    of our reasons. ``source`` is where the fact is from. ``replaced`` are the stage's tools that a script stands in
    for, ``advisories`` the export that is offered (see the workshop), ``page_size`` the records on a page
    of the endpoint ``{osv}``, ``scenario`` a course of events in ``scenarios.py`` that needs more than files and a
    command, ``needs`` a host that must answer.
    """

    stage: str
    source: str
    naive: str
    status: str
    reason: str
    naive_exit: int = 0
    why_green: str = ""
    replaced: Mapping[str, str] = field(default_factory=dict)
    advisories: str = "of today"
    page_size: int | None = None
    scenario: str = ""
    needs: str = ""

    def __post_init__(self) -> None:
        if self.status not in _NOT_GREEN:
            raise ValueError(f"{self.name}: {self.status!r} is not what ours may say in a trap")
        if self.naive_exit and not self.why_green:
            raise ValueError(f"{self.name}: an exit code of {self.naive_exit} looks green only for a reason")


@dataclass(frozen=True, kw_only=True)
class Honest(Project):
    """A project without a fault, and the stages that must be green for it; ``why`` says what could alarm falsely."""

    why: str
    stages: tuple[str, ...]


def traps() -> tuple[Trap, ...]:
    """All traps by name."""
    return tuple(_read(path, Trap) for path in _folders() if not path.name.startswith(_HONEST))


def honest_projects() -> tuple[Honest, ...]:
    """All honest projects by name."""
    return tuple(_read(path, Honest) for path in _folders() if path.name.startswith(_HONEST))


def base_files(*, container: bool = False) -> dict[str, str]:
    """The common base: name and text of each file; with ``container`` it can be built and started."""
    document: dict[str, dict[str, str]] = tomllib.loads((FOLDER / "base.toml").read_text(encoding="utf-8"))
    return document["files"] | (document["container"] if container else {})


def contents(project: Project) -> dict[str, bytes]:
    """The project's tracked files: the base with the project's changes."""
    base = base_files(container=project.container)
    texts = {name: text for name, text in base.items() if name not in project.remove}
    texts |= project.files
    for name, text in project.append.items():
        texts[name] = texts.get(name, "") + text
    return {name: planted(text).encode(project.encoding.get(name, "utf-8")) for name, text in texts.items()}


def planted(text: str) -> str:
    """The text with the credentials that its placeholders stand for."""
    for placeholder, value in _PLANTED.items():
        text = text.replace(placeholder, value)
    return text


def _folders() -> list[Path]:
    return sorted(path.parent for path in FOLDER.glob("*/trap.toml"))


def _read(folder: Path, kind: type[Kind]) -> Kind:
    document: dict[str, Any] = tomllib.loads((folder / "trap.toml").read_text(encoding="utf-8"))
    unknown = document.keys() - {known.name for known in fields(kind)}
    if unknown:
        raise ValueError(f"{folder.name}: {', '.join(sorted(unknown))} means nothing here")
    return msgspec.convert({"name": folder.name, **document}, kind)
