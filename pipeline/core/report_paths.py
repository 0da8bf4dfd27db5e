"""Which paths a report's files may have: below its folder, and the same file on every system that a report goes to."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pipeline.core.safe_text import visible

LONGEST_NAME = 200
"""Bytes of a part of a path: Linux and macOS take 255, and a file is first written under a longer name."""

# Names of devices on Windows, whatever extension they have, and characters that have a meaning there, which GitHub's
# artifacts refuse too (learn.microsoft.com, "Naming Files, Paths, and Namespaces").
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)
_RESERVED = re.compile(r'[<>:"|?*\\]')


def report_path(name: str) -> PurePosixPath:
    """The path of a file relative to the folder of the reports, with ``/`` between its parts.

    Raises:
        ValueError: it is absolute, leads out, or has a part that is no file's name everywhere.
    """
    for part in name.split("/"):
        if part in ("", ".", ".."):
            raise ValueError(f"no report lies outside of the reports folder: {name!r}")
        if visible(part) != part or _RESERVED.search(part) or _DEVICE.fullmatch(part) or part[-1] in ". ":
            raise ValueError(f"this is no name for a report's file: {name!r}")
        if len(part.encode()) > LONGEST_NAME:
            raise ValueError(f"the name of a report's file is too long: {name!r}")
    return PurePosixPath(name)
