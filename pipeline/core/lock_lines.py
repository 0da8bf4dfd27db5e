"""The lines of pip's requirements format, and which files one takes in: what is told without reading a requirement.

Apart from :mod:`pipeline.core.lock`, whose library takes long to load and is not wanted where nothing has changed.
"""

from __future__ import annotations

import re

INCLUDE = re.compile(r"(-r|--requirement)[ =]*(?P<file>\S.*)")
REMEDY = "Make it with: uv pip compile --generate-hashes requirements.in -o requirements.txt"


def included_files(text: str) -> tuple[str, ...]:
    """The other files that a ``requirements.in`` takes in with ``-r``, as it names them: relative to its own folder."""
    found = (INCLUDE.match(line) for _, line in logical_lines(text))
    return tuple(match["file"] for match in found if match)


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Continuation lines joined, comments and blank lines gone, each with its first line's number; options stay."""
    result: list[tuple[int, str]] = []
    start, joined = 0, ""
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        start = start or number
        body = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        if body.endswith("\\"):
            joined += body[:-1] + " "
            continue
        line = (joined + body).strip()
        if line:
            result.append((start, line))
        start, joined = 0, ""
    if joined.strip():
        result.append((start, joined.strip()))
    return result
