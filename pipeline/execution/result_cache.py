"""Kept results on disk: a folder for each key, put in its place whole, read only where every digest is right.

What is here is believed no further than that: it may have been cut by a kill, brought by a CI system's cache or changed
by anybody who can write to the folder. A digest says that an entry is whole, not who wrote it: that only those write
whom one trusts is arranged around it (``docs/cache.md``).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.report_paths import report_path
from pipeline.errors import StorageTrouble

SCHEMA = "pipeline.kept-result/v1"
LARGEST_BYTES = 256 * 2**20
"""Of an entry's single file; a larger one was not written here."""

_ENTRY, _RESULT, _RAW = "entry.json", "result.json", "raw"
_UNFINISHED, _DISCARDED = ".new-", ".old-"
_ABANDONED_S = 3600.0
# Of 135,000 reads beside two runs that did nothing but write, 574 found the entry replaced once and one twice;
# with three tries a sound entry would now and then have been called damaged.
_TRIES = 10
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_KEY = re.compile(r"[0-9a-f]{64}")


class Damaged(Exception):
    """An entry is there and is not what was put there; the text says why, as part of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One entry: the inputs as JSON, the result as its ``result.json``, and the raw files by their names below ``raw``.

    ``made`` is when it was kept (ISO 8601, UTC) and ``run`` the id of the run that kept it.
    """

    key: str
    manifest: str
    result: str
    made: str
    run: str
    raw: Mapping[str, bytes] = field(default_factory=dict)


class ResultCache:
    """The entries below ``root``, at most ``max_bytes`` of them."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root = root
        self._max_bytes = max_bytes

    def get(self, stage: str, key: str) -> Kept | None:
        """The entry, every byte of which has been held against its digest; none when there is none.

        Raises:
            Damaged: there is one, and it is not whole.
        """
        folder = self._folder(stage, key)
        if folder is None:
            return None
        tries = 0
        while True:
            tries += 1
            try:
                return _read(folder, stage, key)
            except _UNREADABLE as error:
                if not (folder / _ENTRY).exists():
                    # Never there, or another run has made room just now.
                    return None
                # It may have been replaced while it was read; then it is whole the next time.
                if tries == _TRIES:
                    raise Damaged(_in_few_words(error)) from error

    def touch(self, stage: str, key: str) -> None:
        """Say that the entry was of use, so that others go before it."""
        folder = self._folder(stage, key)
        if folder is not None:
            with contextlib.suppress(OSError):
                os.utime(folder / _ENTRY)

    def put(self, stage: str, kept: Kept) -> bool:
        """Put the entry in its place, for whatever was there, and make room; whether it was small enough for that.

        Raises:
            StorageTrouble: it can't be written.
        """
        folder = self._folder(stage, kept.key)
        text = _sealed(stage, kept)
        size = len(text) + len(kept.result.encode()) + sum(map(len, kept.raw.values()))
        if folder is None or size > self._max_bytes:
            return False
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_UNFINISHED))
            try:
                for name, content in kept.raw.items():
                    place = unfinished / _RAW / report_path(name)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(content)
                (unfinished / _RESULT).write_text(kept.result, encoding="utf-8")
                (unfinished / _ENTRY).write_text(text, encoding="utf-8")
                _discard(folder)
                _placed(unfinished, folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
            self._make_room()
        except OSError as error:
            raise StorageTrouble(
                f"The result could not be kept for later runs: {error.strerror or error}.",
                advice=f"Free space in {self._root} or make it writable.",
            ) from error
        return True

    def drop(self, stage: str, key: str) -> None:
        """Take the entry away, as far as that is possible."""
        folder = self._folder(stage, key)
        if folder is not None:
            with contextlib.suppress(OSError):
                _discard(folder)

    def manifests(self, stage: str, most: int = 20) -> tuple[str, ...]:
        """The inputs of the stage's entries, the most recently used first; those that can't be read are left out."""
        found = []
        for _, folder in sorted(self._entries(stage), reverse=True)[:most]:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found.append(json.dumps(_document(folder, stage, folder.name)["manifest"]))
        return tuple(found)

    def _folder(self, stage: str, key: str) -> Path | None:
        """Where the entry lies; none for names that are none of ours."""
        return self._root / stage / key if _NAME.fullmatch(stage) and _KEY.fullmatch(key) else None

    def _entries(self, stage: str) -> Iterator[tuple[float, Path]]:
        """The entries of a stage, with the time of their last use."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for folder in (self._root / stage).iterdir():
                if _KEY.fullmatch(folder.name):
                    with contextlib.suppress(OSError):
                        yield (folder / _ENTRY).stat().st_mtime, folder

    def _make_room(self) -> None:
        """Take away what was used longest ago until the rest fits, and what killed runs have left."""
        entries = []
        for stage in self._root.iterdir():
            if stage.is_dir():
                _sweep(stage)
                entries += [(used, _size(folder), folder) for used, folder in self._entries(stage.name)]
        left = sum(size for _, size, _ in entries)
        for _, size, folder in sorted(entries):
            if left <= self._max_bytes:
                return
            _discard(folder)
            left -= size


def holds_any_of(root: Path, folder: str, paths: Iterable[str]) -> bool:
    """Whether any of the ``paths`` of a checkout at ``root`` lies below ``folder``, wherever links lead on the way."""
    place = os.path.realpath(root / Path(folder).expanduser())
    below = os.path.relpath(place, os.path.realpath(root))
    return any(path == below or path.startswith(f"{below}/") or below == "." for path in paths)


def _sealed(stage: str, kept: Kept) -> str:
    """The text of an entry's own file, its digest before it."""
    document = {
        "schema": SCHEMA,
        "stage": stage,
        "key": kept.key,
        "made": kept.made,
        "run": kept.run,
        "result": _digest(kept.result.encode()),
        "raw": {name: _digest(content) for name, content in sorted(kept.raw.items())},
        "manifest": json.loads(kept.manifest),
    }
    text = json.dumps(document, indent=1)
    return f"{_seal(stage, kept.key, text)}\n{text}"


def _document(folder: Path, stage: str, key: str) -> dict[str, Any]:
    """What an entry's own file says. Raises ValueError when it is not what was written there."""
    seal, _, text = _content(folder / _ENTRY).decode("utf-8").partition("\n")
    if seal != _seal(stage, key, text):
        raise ValueError(f"{_ENTRY} was changed")
    document: dict[str, Any] = json.loads(text)
    if document["schema"] != SCHEMA:
        raise ValueError(f"{_ENTRY} is of another version")
    return document


def _read(folder: Path, stage: str, key: str) -> Kept:
    document = _document(folder, stage, key)
    result = _held(folder / _RESULT, document["result"])
    raw = {name: _held(folder / _RAW / report_path(name), digest) for name, digest in document["raw"].items()}
    return Kept(
        key=key, manifest=json.dumps(document["manifest"]), result=result.decode("utf-8"), raw=raw,
        made=document["made"], run=document["run"],
    )  # fmt: skip


def _held(path: Path, digest: str) -> bytes:
    content = _content(path)
    if _digest(content) != digest:
        raise ValueError(f"{path.name} was changed")
    return content


def _content(path: Path) -> bytes:
    # Not through a link, and not out of a pipe, which would hold us for ever.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"{path.name} is too large")
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _seal(stage: str, key: str, text: str) -> str:
    """What an entry no longer has that was changed, or that stands in another one's place."""
    return _digest(f"{stage}/{key}\n{text}".encode())


def _discard(folder: Path) -> None:
    """Rename, then remove: a removal that is killed half-way leaves nothing that looks like an entry."""
    if not os.path.lexists(folder):
        return
    aside = folder.parent / f"{_DISCARDED}{os.urandom(6).hex()}"
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside, ignore_errors=True)
    else:
        aside.unlink(missing_ok=True)


def _placed(unfinished: Path, folder: Path) -> None:
    """Give the entry its name. Where another run was faster, that one's has the same key, and so is as good."""
    try:
        unfinished.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _sweep(stage: Path) -> None:
    """Remove what runs that were killed have left half-done, once no run can be at it any more."""
    for path in stage.iterdir():
        if path.name.startswith((_UNFINISHED, _DISCARDED)):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(path, ignore_errors=True)


def _size(folder: Path) -> int:
    """Bytes in the entry's files; another run may be removing them."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def _in_few_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{Path(str(error.filename)).name}: {error.strerror}"
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
