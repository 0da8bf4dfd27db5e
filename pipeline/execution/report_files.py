"""The one way in which a file comes to lie below the reports folder: never through a link, never anywhere else.

The code under review may have put links where our folders are to be, in its repository or while its tests ran. So each
folder is opened relative to the one above it, without following links, and a link that stands in the place of one of
our folders goes.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from pipeline.core.report_paths import report_path
from pipeline.errors import StorageTrouble

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_below(root: Path, name: str, text: str) -> Path:
    """Write ``text`` to the path ``name`` below the folder ``root``, whole or not at all, and say where that is.

    Raises:
        ValueError: the name leads out of the folder, or is none for a file.
        StorageTrouble: the disk is full, the place can't be written, or the folder is a link.
    """
    path = report_path(name)
    temporary = f".{path.name}.{secrets.token_hex(4)}"
    try:
        with _opened(root, path.parts[:-1]) as folder:
            try:
                handle = os.open(temporary, _NEW_FILE, 0o644, dir_fd=folder)
                with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                # Also when interrupted.
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
    except OSError as error:
        raise StorageTrouble(
            f"{path.name} could not be written: {error.strerror or error}.",
            advice=f"Free space in {root} or make it writable, then run again.",
        ) from error
    return root / path


def emptied(root: Path, name: str) -> Path:
    """The folder ``name`` below ``root``, with nothing in it.

    Raises:
        ValueError: the name leads out of the folder, or is none for a file.
        StorageTrouble: it can't be made, or what lies there can't be removed.
    """
    path = report_path(name)
    try:
        with _opened(root, path.parts[:-1]) as above:
            _remove(path.name, above)
            os.mkdir(path.name, dir_fd=above)
    except OSError as error:
        raise StorageTrouble(
            f"The folder {path} could not be emptied: {error.strerror or error}.",
            advice=f"Remove {root / path} or make it writable, then run again.",
        ) from error
    return root / path


def removed(root: Path, name: str) -> None:
    """Take away whatever lies at the path ``name`` below ``root``, as far as that is possible."""
    path = report_path(name)
    with contextlib.suppress(OSError), _opened(root, path.parts[:-1]) as above:
        _remove(path.name, above)


def cleared(root: Path, name: str, left: Collection[str]) -> None:
    """Take away whatever lies in the folder ``name`` below ``root`` and is not ``left``, as far as that is possible."""
    with contextlib.suppress(OSError), _opened(root, report_path(name).parts) as folder:
        for entry in os.listdir(folder):
            if entry not in left:
                with contextlib.suppress(OSError):
                    _remove(entry, folder)


def made_room(root: Path, name: str) -> None:
    """See to it that the folders in which the file ``name`` would lie are folders.

    Raises:
        ValueError: the name leads out of the folder, or is none for a file.
        StorageTrouble: they can't be made, or ``root`` is a link.
    """
    path = report_path(name)
    try:
        with _opened(root, path.parts[:-1]):
            pass
    except OSError as error:
        raise StorageTrouble(f"The folder of {path} could not be made: {error.strerror or error}.") from error


@contextlib.contextmanager
def _opened(root: Path, parts: tuple[str, ...]) -> Iterator[int]:
    """A handle of the folder ``parts`` below ``root``; what is missing is made, and a link in its place is replaced."""
    if root.is_symlink():
        raise StorageTrouble(
            f"{root.name} is a symbolic link, and reports are written to no other place than the one that is named.",
            advice="Remove it, or name the folder that it leads to: reports.folder.",
        )
    root.mkdir(parents=True, exist_ok=True)
    handle = os.open(root, _FOLDER)
    try:
        for part in parts:
            if _kind(part, handle) == stat.S_IFLNK:
                os.unlink(part, dir_fd=handle)
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=handle)
            inner = os.open(part, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _kind(name: str, folder: int) -> int:
    try:
        return stat.S_IFMT(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return 0


def _remove(name: str, folder: int) -> None:
    kind = _kind(name, folder)
    if kind == stat.S_IFDIR:
        # It follows no link by itself (shutil.rmtree.avoids_symlink_attacks).
        shutil.rmtree(name, dir_fd=folder)
    elif kind:
        os.unlink(name, dir_fd=folder)
