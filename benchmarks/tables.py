"""Tables of measured figures in the documentation, between two marks, so that a benchmark can renew them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

CANARY = Path(__file__).parents[1] / "docs" / "canary.md"


def renewed(text: str, name: str, lines: Iterable[str]) -> str:
    """The text with these lines between the marks of that name. Raises ValueError when they are not there."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, _, rest = text.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise ValueError(f"there are no marks {begin} and {end}")
    return "\n".join((head + begin, *lines, end + tail))


def renew(path: Path, name: str, lines: Iterable[str]) -> None:
    """The same in a file."""
    path.write_text(renewed(path.read_text(encoding="utf-8"), name, lines), encoding="utf-8")
