"""The names that this checkout's builds gave to images in the container engine: one small file below the state folder.

An engine does not tell whose a name is, and nothing of a checkout may stand in an image, so it is written down.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.execution.files import write_atomically


class ImageNames:
    """The names in the file at ``path``, the newest last. A damaged file means that none is known."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[str, ...]:
        """Every name, oldest first."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ()
        return tuple(name for name in found if isinstance(name, str)) if isinstance(found, list) else ()

    def add(self, name: str) -> None:
        """It is the newest from now on. Raises StorageTrouble."""
        self._write((*(other for other in self.read() if other != name), name))

    def forget(self, *names: str) -> None:
        """They are gone. Raises StorageTrouble."""
        self._write(tuple(name for name in self.read() if name not in names))

    def _write(self, names: tuple[str, ...]) -> None:
        if names != self.read():
            write_atomically(self._path, json.dumps(names, indent=2) + "\n")
