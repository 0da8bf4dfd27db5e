"""A tool's idea of a file's place, turned into ours: relative to the snapshot's root, with ``/`` between the parts."""

from __future__ import annotations

import os
from pathlib import Path


def relative(path: str, tree: Path) -> str:
    """``path`` relative to ``tree``; of one outside it the name alone, so that no report holds a machine's paths."""
    name = os.path.normpath(os.path.join(tree, path))
    if name.startswith(f"{tree}/"):
        # What nearly all are, without a Path for each: a tool names thousands.
        return name[len(f"{tree}/") :]
    candidate = Path(name)
    for root in (tree, tree.resolve()):
        if candidate.is_relative_to(root):
            return candidate.relative_to(root).as_posix()
    return candidate.name


def source_line(tree: Path, path: str, line: int, longest: int = 200) -> str:
    """The source line at a place, for the reader of a finding, cut to ``longest`` characters; empty without one."""
    try:
        with (tree / path).open(encoding="utf-8", errors="backslashreplace") as file:
            for number, text in enumerate(file, 1):
                if number == line:
                    return text.rstrip("\r\n")[:longest]
    except OSError:
        # The finding stands without its line; it must not fall because the file can't be read twice.
        return ""
    return ""
