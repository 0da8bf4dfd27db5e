"""A finished report as somebody else left it: every file below the folder with its digest, within bounds.

The folder is hostile until proved otherwise. Files are opened only by the names that a walk over the folder gives,
never by one that the report tells; links are not followed; what is neither a file nor a folder is not opened at all.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import ConfigurationError, StorageTrouble

MOST_FILES = 50_000
MOST_DEPTH = 16
LARGEST_FILE = 1 << 30
"""Bytes; a larger file is named and not read."""
LARGEST_TEXT = 128 << 20
"""Bytes of a file that is read as a text, and so held in memory."""
MOST_BYTES = 8 << 30

_BLOCK = 1 << 20
# Without O_NONBLOCK a pipe that takes a file's place after the walk would hold us for ever.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFolder:
    """The files below ``root``: their SHA-256 by their path relative to it, with ``/`` between the parts.

    ``troubles`` are full sentences about what could not be read, and why. ``aside`` are the top-level names that were
    passed over because the caller said so.
    """

    root: Path
    files: Mapping[str, str]
    troubles: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()

    def text(self, path: str) -> str:
        """A file that the walk has found, as text.

        Raises:
            StorageTrouble: it is not one of :attr:`files`, is too large, has changed since, or is not UTF-8.
        """
        digest = self.files.get(path)
        if digest is None:
            raise StorageTrouble(f"{path} is missing.")
        content = _content(self.root / path, path)
        if hashlib.sha256(content).hexdigest() != digest:
            raise StorageTrouble(f"{path} was changed while it was read.")
        return _decoded(content, path)


def text_in(root: Path, name: str) -> str:
    """The one file ``name`` that lies directly in ``root``, as text; nothing else in there is looked at.

    Raises:
        FileNotFoundError: there is none.
        StorageTrouble: it is no ordinary file, is too large, can't be read, or is not UTF-8.
    """
    try:
        return _decoded(_content(root / name, name), name)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(name) from None
    except OSError as error:
        raise StorageTrouble(f"{name} can't be read: {error.strerror or error}.") from error


def read_folder(root: Path, aside: frozenset[str] = frozenset()) -> ReportFolder:
    """Every file below ``root`` with its digest, but for the top-level names in ``aside``.

    Raises:
        ConfigurationError: there is no such folder.
    """
    if not root.is_dir():
        raise ConfigurationError(f"There is no folder {root}.", advice="Name the folder that holds pipeline.json.")
    files: dict[str, str] = {}
    troubles: list[str] = []
    passed: list[str] = []
    left = MOST_BYTES
    for path, entry, trouble in _walk(root, "", 0):
        if path in aside:
            passed.append(path)
        elif trouble:
            troubles.append(trouble)
        elif entry is not None and path.partition("/")[0] not in aside:
            size = entry.st_size
            left -= size
            if len(files) >= MOST_FILES or left < 0:
                troubles.append("There is more in this folder than a report can hold, and not all of it was read.")
                break
            if size > LARGEST_FILE:
                troubles.append(f"{path} is larger than {LARGEST_FILE >> 30} GiB and was not read.")
                continue
            _hash(root, path, files, troubles)
    return ReportFolder(root=root, files=files, troubles=tuple(troubles), aside=tuple(passed))


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, os.stat_result | None, str]]:
    """The path of each entry, its status if it is a file, and what is wrong with it."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield prefix or ".", None, f"{prefix or 'The folder'} can't be read: {error.strerror or error}."
        return
    for entry in found:
        path = f"{prefix}{entry.name}"
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            yield path, None, f"{path} is a symbolic link, which no report holds; it was not followed."
        elif stat.S_ISDIR(status.st_mode):
            if depth >= MOST_DEPTH:
                yield path, None, f"{path} lies deeper than any file of a report and was not entered."
            else:
                yield path, None, ""
                yield from _walk(folder / entry.name, f"{path}/", depth + 1)
        elif stat.S_ISREG(status.st_mode):
            yield path, status, ""
        else:
            yield path, None, f"{path} is neither a file nor a folder and was not opened."


def _hash(root: Path, path: str, files: dict[str, str], troubles: list[str]) -> None:
    digest = hashlib.sha256()
    try:
        with _opened(root / path) as file:
            left = LARGEST_FILE
            while left > 0 and (piece := file.read(_BLOCK)):
                digest.update(piece)
                left -= len(piece)
    except OSError as error:
        troubles.append(f"{path} can't be read: {error.strerror or error}.")
        return
    files[path] = digest.hexdigest()


def _content(path: Path, name: str) -> bytes:
    with _opened(path) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise StorageTrouble(f"{name} is no ordinary file and was not read.")
        content = file.read(LARGEST_TEXT + 1)
    if len(content) > LARGEST_TEXT:
        raise StorageTrouble(f"{name} is larger than {LARGEST_TEXT >> 20} MiB and was not read.")
    return content


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StorageTrouble(f"{name} is damaged: byte {error.start} is not UTF-8.") from None


def _opened(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, _FLAGS), "rb")
