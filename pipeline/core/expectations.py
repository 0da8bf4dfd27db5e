"""What a project expects of its image, and whether the image is so: judged from its configuration and its files alone.

A superset of what container-structure-test can assert without starting the image (its ``metadataTest``,
``fileExistenceTests``, ``fileContentTests``; its ``licenseTests`` are ``build.licences``): besides those, digests,
targets of links, and commands that can be started. https://github.com/GoogleContainerTools/container-structure-test.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.image_configuration_rules import environment
from pipeline.core.image_rules import Hit
from pipeline.core.image_tree import ImageTree, Node, NodeKind
from pipeline.core.started_program import unstartable

_EXECUTABLE = {"owner": 0o100, "group": 0o010, "other": 0o001, "any": 0o111}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that something must be: ``exactly`` that, or one in which the pattern ``matches`` is found; ``None`` for
    both says that it must not be there.
    """

    exactly: str | None = None
    matches: str | None = None

    def fits(self, told: str | None) -> bool:
        """Whether what there is (none: nothing) is as it should be."""
        if self.exactly is None and self.matches is None:
            return told is None
        if told is None:
            return False
        return told == self.exactly if self.exactly is not None else bool(re.search(self.matches or "", told))

    @property
    def shown(self) -> str:
        """What is expected, in words."""
        if self.exactly is not None:
            return repr(self.exactly)
        return f"something that matches {self.matches!r}" if self.matches is not None else "not to be set"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFile:
    """What lies, or must not lie, at a path. ``mode`` is octal (0644) or as ls shows it (-rw-r--r--), ``content`` and
    ``no_content`` are patterns of its text, ``target`` is a link's. Only for the content a link is followed.
    """

    path: str
    exists: bool = True
    mode: str = ""
    owner: int | None = None
    group: int | None = None
    executable_by: str = ""
    content: tuple[str, ...] = ()
    no_content: tuple[str, ...] = ()
    sha256: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What is expected; what is none or empty is not. ``told`` is how it was written, as plain values."""

    user: str | None = None
    workdir: str | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    environment: Mapping[str, Text] = field(default_factory=dict)
    labels: Mapping[str, Text] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    no_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    no_volumes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    no_commands: tuple[str, ...] = ()
    files: tuple[ExpectedFile, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.told)

    @property
    def names(self) -> tuple[str, ...]:
        """Each single expectation by name, as evidence lists it."""
        return tuple(name for name, _ in _checks(self))

    def reads(self, path: str) -> bool:
        """Whether the content of the file at this path is needed."""
        return any(path == item.path.strip("/") and (item.content or item.no_content) for item in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The image as it is."""

    user: str
    configuration: Mapping[str, Any]
    labels: Mapping[str, str]
    tree: ImageTree


def expectation_hits(expected: Expectations, seen: Seen) -> tuple[tuple[Hit, ...], frozenset[str]]:
    """What is not as expected, and the names of the expectations that were judged."""
    hits: list[Hit] = []
    judged = set()
    for name, check in _checks(expected):
        hits.extend(check(seen))
        judged.add(name)
    return tuple(hits), frozenset(judged)


_Check = Callable[[Seen], Iterator[Hit]]


def _checks(expected: Expectations) -> Iterator[tuple[str, _Check]]:
    single: tuple[tuple[str, Any, str, str], ...] = (
        ("user", expected.user, "User", "USER"),
        ("workdir", expected.workdir, "WorkingDir", "WORKDIR"),
        ("entrypoint", expected.entrypoint, "Entrypoint", "ENTRYPOINT"),
        ("cmd", expected.cmd, "Cmd", "CMD"),
    )
    for name, value, key, keyword in single:
        if value is not None:
            yield name, _equal(name, value, key, keyword)
    for name, text in sorted(expected.environment.items()):
        yield f"environment {name}", _text("variable", "ENV", name, text)
    for name, text in sorted(expected.labels.items()):
        yield f"label {name}", _text("label", "LABEL", name, text)
    for name, values, key, keyword, there in (
        ("port", expected.ports, "ExposedPorts", "EXPOSE", True),
        ("port", expected.no_ports, "ExposedPorts", "EXPOSE", False),
        ("volume", expected.volumes, "Volumes", "VOLUME", True),
        ("volume", expected.no_volumes, "Volumes", "VOLUME", False),
    ):
        for value in values:
            yield f"{'' if there else 'no '}{name} {value}", _member(name, value, key, keyword, there)
    for command in expected.commands:
        yield f"command {command}", _command(command)
    for command in expected.no_commands:
        yield f"no command {command}", _no_command(command)
    for number, item in enumerate(expected.files, 1):
        yield f"file {item.path} ({number})", _file(item)


def _equal(name: str, value: str | tuple[str, ...], key: str, keyword: str) -> _Check:
    def check(seen: Seen) -> Iterator[Hit]:
        told: Any = seen.user if name == "user" else seen.configuration.get(key)
        is_list = isinstance(value, tuple)
        there = tuple(told or ()) if is_list else str(told or "")
        if there != value:
            shown = list(value) if is_list else value
            now = list(there) if is_list else there
            yield _missed(f"The {name} should be {shown!r}, and is {now!r}.", keyword)

    return check


def _text(what: str, keyword: str, name: str, text: Text) -> _Check:
    def check(seen: Seen) -> Iterator[Hit]:
        there = environment(seen.configuration) if keyword == "ENV" else seen.labels
        if not text.fits(there.get(name)):
            # What it is stays out: a variable's value may be a secret.
            found = "is another" if name in there else "is not set"
            if text.exactly is None and text.matches is None:
                found = "is"
            yield _missed(f"The {what} {name} should be {text.shown}, and {found}.", keyword, name)

    return check


def _member(what: str, value: str, key: str, keyword: str, there: bool) -> _Check:
    def check(seen: Seen) -> Iterator[Hit]:
        known = {str(name) for name in seen.configuration.get(key) or ()}
        spellings = {value, f"{value}/tcp"} if what == "port" and "/" not in value else {value}
        if bool(known & spellings) != there:
            wanted = "there, and is not" if there else "absent, and is there"
            yield _missed(f"The {what} {value} should be {wanted}.", keyword, value)

    return check


def _command(command: str) -> _Check:
    def check(seen: Seen) -> Iterator[Hit]:
        why = unstartable(command, seen.tree, environment(seen.configuration).get("PATH", ""), _folder(seen))
        if why:
            yield _missed(f"The command {command} can't be started: {why}.", "FROM")

    return check


def _no_command(command: str) -> _Check:
    def check(seen: Seen) -> Iterator[Hit]:
        if not unstartable(command, seen.tree, environment(seen.configuration).get("PATH", ""), _folder(seen)):
            yield _missed(f"The command {command} should be absent, and can be started.", "FROM")

    return check


def _folder(seen: Seen) -> str:
    return str(seen.configuration.get("WorkingDir") or "/")


def _file(item: ExpectedFile) -> _Check:
    def check(seen: Seen) -> Iterator[Hit]:
        path = item.path.strip("/")
        place = seen.tree.place(path, last=False)
        itself = seen.tree.nodes.get(place) if place is not None else None
        if itself is None or not item.exists:
            if (itself is not None) != item.exists:
                wanted = "there, and is not" if item.exists else "absent, and is there"
                layer = itself.layer if itself is not None else 0
                yield Hit(rule="IMG-EXPECTED", message=f"{item.path} should be {wanted}.", path=path, layer=layer)
            return
        for fault in _faults(item, itself, seen.tree.at(path)):
            yield Hit(rule="IMG-EXPECTED", message=f"{item.path} {fault}.", path=path, layer=itself.layer)

    return check


def _faults(item: ExpectedFile, itself: Node, end: Node | None) -> Iterator[str]:
    if item.mode and not _has_mode(item.mode, itself):
        yield f"should have the mode {item.mode}, and has {_shown_mode(item.mode, itself)}"
    for what, wanted, there in (("user", item.owner, itself.uid), ("group", item.group, itself.gid)):
        if wanted is not None and wanted != there:
            yield f"should belong to the {what} {wanted}, and belongs to {there}"
    if item.target and item.target != itself.target:
        yield f"should be a link to {item.target}, and " + (f"leads to {itself.target}" if itself.target else "is none")
    if item.executable_by and not itself.mode & _EXECUTABLE[item.executable_by]:
        yield f"should be executable by {item.executable_by}, and is not"
    if item.content or item.no_content or item.sha256:
        yield from _content_faults(item, end)


def _content_faults(item: ExpectedFile, node: Node | None) -> Iterator[str]:
    if node is None or node.kind is not NodeKind.FILE:
        yield "should be a file with a content, and is none"
        return
    if item.sha256 and item.sha256 != node.sha256:
        yield "should have another content: its SHA-256 is not the expected one"
    if (item.content or item.no_content) and len(node.content) != node.size:
        yield "is too large to look into"
        return
    text = node.content.decode("utf-8", "replace")
    for pattern in item.content:
        if not re.search(pattern, text, re.M):
            yield f"should have something that matches {pattern!r} in it, and has not"
    for pattern in item.no_content:
        if re.search(pattern, text, re.M):
            yield f"should have nothing that matches {pattern!r} in it, and has"


def _has_mode(mode: str, node: Node) -> bool:
    return _shown_mode(mode, node) == mode if not mode.isdigit() else int(mode, 8) == node.mode


def _shown_mode(mode: str, node: Node) -> str:
    """The node's mode in the way in which the expectation is written."""
    kinds = {NodeKind.FILE: stat.S_IFREG, NodeKind.FOLDER: stat.S_IFDIR, NodeKind.LINK: stat.S_IFLNK}
    return f"{node.mode:04o}" if mode.isdigit() else stat.filemode(kinds.get(node.kind, 0) | node.mode)


def _missed(message: str, keyword: str, about: str = "") -> Hit:
    return Hit(rule="IMG-EXPECTED", message=message, keyword=keyword, about=about)
