"""The one way in which files of ours are written: whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path

from pipeline.errors import StorageTrouble

# What stands in a file's place until it is whole: here, and in pipeline.execution.report_files.
_UNFINISHED = re.compile(r"\..+\.(?:[a-z0-9_]{8})")


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` so that a reader, or a crash at any moment, finds the old content or the new one.

    Raises:
        StorageTrouble: the disk is full, or the place can't be written.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner reads; reports are for others too.
        os.chmod(temporary, 0o644)  # read for all, write for the owner: a report
        os.replace(temporary, path)
        temporary = ""
    except OSError as error:
        raise StorageTrouble(
            f"{path.name} could not be written: {error.strerror or error}.",
            advice=f"Free space in {path.parent} or make it writable, then run again.",
        ) from error
    finally:
        # Also when interrupted.
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def remove_unfinished(folder: Path) -> None:
    """Take away files below ``folder`` that were being written when a run was killed, as far as that is possible."""
    for path in folder.rglob(".*"):
        if _UNFINISHED.fullmatch(path.name) and not path.is_symlink():
            with contextlib.suppress(OSError):
                path.unlink()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
