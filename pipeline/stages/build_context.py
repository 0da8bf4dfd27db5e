"""What an engine is given to build from: the snapshot's files that ``.dockerignore`` lets through, and the wheels, as
one tar.

The tar is the same bytes for the same content: sorted, owned by nobody in particular, dated as the image's files are.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.snapshot import Entry, Kind, Snapshot
from pipeline.errors import StorageTrouble
from pipeline.images.canonical_layers import TIME
from pipeline.stages.context import Context

IGNORE_FILE = ".dockerignore"
WHEELHOUSE = "wheelhouse"


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    includes: bool


def text_of(context: Context, path: str) -> str:
    """A file of the snapshot as text; empty when there is none."""
    if path not in context.snapshot.by_path:
        return ""
    return (context.tree / path).read_text(encoding="utf-8", errors="replace")


def admitted(snapshot: Snapshot, rules: str, dockerfile: str) -> tuple[Entry, ...]:
    """The files and links of the snapshot that the text of a ``.dockerignore`` lets through; the recipe itself always
    is.

    The rules of moby/patternmatcher (``MatchesOrParentMatches``): the last pattern that matches a path, or a folder
    above it, decides.
    """
    parsed = _parse(rules)
    return tuple(
        entry
        for entry in snapshot.entries
        if entry.kind is not Kind.SUBMODULE and (entry.path == dockerfile or not _ignored(entry.path, parsed))
    )


def write_context(target: Path, tree: Path, entries: Iterable[Entry], wheels: Mapping[str, Path]) -> None:
    """Write the tar: ``entries`` from ``tree``, and ``wheels`` (file name to file) below ``wheelhouse/``.

    Files bear the time that they have in the image, since bytecode can hold the time of its source.

    Raises:
        StorageTrouble: there is no room for it.
    """
    members = {entry.path: (tree / entry.path, entry.kind) for entry in entries}
    members.update({f"{WHEELHOUSE}/{name}": (path, Kind.FILE) for name, path in wheels.items()})
    try:
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
            for name in sorted(members):
                source, kind = members[name]
                _add(tar, name, source, kind)
    except OSError as error:
        raise StorageTrouble(f"The build context could not be written: {error.strerror or error}.") from error


def path_pattern(pattern: str) -> re.Pattern[str] | None:
    """What a source of COPY or a line of ``.dockerignore`` matches; none when it means the whole context."""
    cleaned = _cleaned(pattern)
    return re.compile(_expression(cleaned)) if cleaned else None


def _add(tar: tarfile.TarFile, name: str, source: Path, kind: Kind) -> None:
    info = tarfile.TarInfo(name)
    info.mtime = TIME
    if kind is Kind.LINK:
        info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, str(source.readlink())
        tar.addfile(info)
        return
    info.mode = 0o755 if kind is Kind.EXECUTABLE else 0o644
    info.size = source.stat().st_size
    with source.open("rb") as file:
        tar.addfile(info, file)


def _parse(text: str) -> tuple[_Rule, ...]:
    rules = []
    for line in text.removeprefix("\ufeff").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        pattern = line.strip()
        includes = pattern.startswith("!")
        cleaned = _cleaned(pattern.removeprefix("!").strip())
        if cleaned:
            rules.append(_Rule(re.compile(_expression(cleaned)), includes))
    return tuple(rules)


def _ignored(path: str, rules: tuple[_Rule, ...]) -> bool:
    parts = path.split("/")
    names = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
    ignored = False
    for rule in rules:
        if rule.includes == ignored and any(rule.pattern.fullmatch(name) for name in names):
            ignored = not rule.includes
    return ignored


def _cleaned(pattern: str) -> str:
    """The pattern as Go's ``filepath.Clean`` leaves it, relative to the root."""
    kept: list[str] = []
    for part in pattern.split("/"):
        if part == ".." and kept:
            kept.pop()
        elif part not in ("", ".", ".."):
            kept.append(part)
    return "/".join(kept)


def _expression(pattern: str) -> str:
    """The regular expression for a pattern of Go's ``filepath.Match`` with ``**`` for any number of folders."""
    result = ""
    position = 0
    while position < len(pattern):
        rest = pattern[position:]
        if rest.startswith("**"):
            # "**/" also stands for no folder at all.
            slash = rest.startswith("**/")
            result += "(?:.*/)?" if slash else ".*"
            position += 3 if slash else 2
        elif rest[0] == "\\" and len(rest) > 1:
            result += re.escape(rest[1])
            position += 2
        elif rest[0] == "[" and (end := rest.find("]", 2)) > 0:
            result += rest[: end + 1]
            position += end + 1
        else:
            result += {"*": "[^/]*", "?": "[^/]"}.get(rest[0], re.escape(rest[0]))
            position += 1
    return result
