"""What this machine and this package are, for the keys of kept results: found out without starting anything."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pipeline.execution.files import sha256_of
from pipeline.execution.interpreters import candidates


@cache
def package_digest(package: Path) -> str:
    """The digest of every file of a package but its bytecode: its code, its locks, and the data that it brings."""
    total = hashlib.sha256()
    for folder, names, files in os.walk(package):
        names[:] = sorted(name for name in names if name != "__pycache__")
        for name in sorted(files):
            path = Path(folder) / name
            total.update(f"{path.relative_to(package)} {sha256_of(path)}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


@cache
def distributions(beside: Path) -> str:
    """The digest of the names and versions of all packages that are installed where the module at ``beside`` lies."""
    folder = next((parent for parent in beside.parents if parent.name in ("site-packages", "dist-packages")), None)
    names = sorted(name for name in os.listdir(folder) if name.endswith(".dist-info")) if folder else []
    return hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()


def machine() -> str:
    """The system, the processor's architecture and the C library."""
    try:
        library = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError, AttributeError):
        # Another C library, or another system, which has no such question.
        library = ""
    return f"{sys.platform} {platform.machine()} {library}".strip()


def pythons(wanted: str, environ: Mapping[str, str]) -> str:
    """Each program that may become the Python ``wanted`` (like ``3.13``): its place, size and time of change.

    What version it is would take a process to find out; one that is replaced has another time of change.
    """
    running = Path(getattr(sys, "_base_executable", sys.executable))
    found = dict.fromkeys(Path(os.path.realpath(path)) for path in (*candidates(wanted, environ), running))
    return "; ".join(filter(None, map(_described, found)))


def _described(program: Path) -> str:
    try:
        status = program.stat()
    except OSError:
        return ""
    return f"{program} {status.st_size} {status.st_mtime_ns}"
