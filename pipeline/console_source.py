"""The source lines around a finding with a caret below its column, in as much of the width as there is."""

from __future__ import annotations

from rich.cells import cell_len, split_text
from rich.text import Text

from pipeline.console_layout import ELLIPSIS, Layout
from pipeline.core.finding import Finding

AROUND = 1
"""Lines shown before and after the place; the reports have more."""
_WIDTH_OF_A_LOG = 120
_NARROWEST = 16
# No reader needs more of a line, and a minified file may have one of a megabyte.
_LONGEST = 2_000


def source_lines(finding: Finding, layout: Layout, indent: int) -> list[str]:
    """The source lines, cut where they are too long; the finding's own in full colour and with its caret."""
    numbered = _numbered(finding)
    if not numbered:
        return []
    digits = len(str(max(numbered)))
    left = indent + digits + len(" | ")
    width = max((layout.width or left + _WIDTH_OF_A_LOG) - left, _NARROWEST)
    caret = _caret(finding, numbered.get(finding.line, ""), layout)
    # All lines are moved alike, so that they still stand below each other.
    start = caret - width * 2 // 3 if caret is not None and caret >= width - 1 else 0
    lines = []
    for number, line in numbered.items():
        own = number == finding.line
        row = Text(" " * indent).append(f"{number or '':>{digits}} | ", "bold blue" if own else "dim")
        shown = _part(layout.safe(line)[:_LONGEST], start, width)
        lines.append(layout.whole(row.append(shown, "" if own else "dim")))
        if own and caret is not None:
            below = Text(" " * (indent + digits)).append(" | ", "dim").append(" " * (caret - start)).append("^", "red")
            lines.append(layout.whole(below))
    return lines


def _numbered(finding: Finding) -> dict[int, str]:
    """The lines by their numbers; the snippet alone, perhaps without a number, where that is all there is."""
    around = dict(enumerate(finding.context, finding.context_start))
    if finding.line in around:
        return {number: line for number, line in around.items() if abs(number - finding.line) <= AROUND}
    first = next((line for line in finding.snippet.splitlines() if line.strip()), "")
    return {finding.line: first} if first else {}


def _caret(finding: Finding, line: str, layout: Layout) -> int | None:
    """In which cell of the line, as it is shown, the finding's column begins."""
    if not 0 < finding.column <= len(line) + 1:
        return None
    before = layout.safe(line[: finding.column - 1])
    return cell_len(before) if len(before) < _LONGEST else None


def _part(text: str, start: int, width: int) -> str:
    """``width`` cells of the text from the cell ``start`` on, an ellipsis at each end where something is left out."""
    cells = cell_len(text)
    before = ELLIPSIS if start and cells else ""
    after = ELLIPSIS if cells > start + width else ""
    rest = _split(text, start + len(before))[1]
    return before + _split(rest, width - len(before) - len(after))[0] + after


def _split(text: str, cell: int) -> tuple[str, str]:
    """The text before a cell and from it on; rich 15 takes only a cell that is in the text (IndexError)."""
    return split_text(text, cell) if cell < cell_len(text) else (text, "")
