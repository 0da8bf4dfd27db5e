"""Names of files for tools and stages, which may be called anything."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_OTHER = re.compile(r"[^a-z0-9._-]+")
_LONGEST = 60


def file_names(titles: Iterable[str]) -> dict[str, str]:
    """A file's name, without suffix, for each title: plain characters only, and no two of them the same.

    A title that is a plain name already keeps it, whatever the others are called.
    """
    names: dict[str, str] = {}
    taken = {""}
    for title in sorted(set(titles), key=lambda title: (_plain(title) != title, title)):
        name = plain = _plain(title)
        while name in taken:
            name = f"{plain or 'other'}-{_digest(title, name)}"
        taken.add(name)
        names[title] = name
    return names


def _plain(title: str) -> str:
    return _OTHER.sub("-", title.lower()).strip("-.")[:_LONGEST].rstrip("-.")


def _digest(title: str, taken: str) -> str:
    return hashlib.sha256(f"{title}\0{taken}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
