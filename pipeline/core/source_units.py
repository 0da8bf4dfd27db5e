"""A source text as the units that a formatter leaves alone: statements in Python, lines in everything else.

What a finding stands on is told by its unit's text without white space, quotes, commas and brackets of calls, so that
the same code is known again when it is wrapped, indented or quoted in another way.
"""

from __future__ import annotations

import io
import re
import token
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field

LONGEST_STATEMENT = 300
"""Characters up to which a statement is one unit; a longer one (a table, a docstring) is a unit a line."""

# What ruff format and black put in, take out or exchange.
_LAYOUT = re.compile(r"[\s\"'(),\\]+")
_HEADS = {"if", "elif", "else", "for", "while", "with", "try", "except", "finally", "def", "class", "async"}
_SKIPPED = {token.COMMENT, token.NL, token.ENCODING, token.ENDMARKER, token.TYPE_COMMENT, token.TYPE_IGNORE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """From line ``first`` (1-based) and ``column`` (0-based) to line ``last``; ``text`` is what :func:`bare` leaves.

    ``scope`` names the classes and functions around it, as in ``Class.method``; empty on a module's own level.
    """

    first: int
    column: int
    last: int
    text: str
    scope: str = ""


def bare(text: str) -> str:
    """The text without what formatters change."""
    return _LAYOUT.sub("", text)


def units(path: str, text: str) -> tuple[Unit, ...]:
    """The units of a file, in order. Python that can't be read as such is taken line by line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if path.endswith((".py", ".pyi")):
        try:
            return tuple(_Reader(lines).units())
        except (tokenize.TokenError, SyntaxError):
            # A tool reported something about it all the same, and its lines are the best there is.
            pass
    return tuple(_lines(lines))


def _lines(lines: list[str]) -> Iterator[Unit]:
    for number, line in enumerate(lines, 1):
        if bare(line):
            yield Unit(first=number, column=0, last=number, text=bare(line))


@dataclass(slots=True)
class _Reader:
    """Python's tokens, gathered to statements. A compound statement's head is a statement of its own."""

    lines: list[str]
    comments: dict[int, int] = field(default_factory=dict)
    statement: list[tokenize.TokenInfo] = field(default_factory=list)
    depth: int = 0
    scopes: list[str] = field(default_factory=list)
    opening: str = ""

    def units(self) -> Iterator[Unit]:
        """The statements' units. Raises TokenError or SyntaxError where the text is no Python."""
        source = io.StringIO("\n".join(self.lines))
        for item in tokenize.generate_tokens(source.readline):
            if item.type == token.COMMENT:
                self.comments[item.start[0]] = item.start[1]
            if item.type == token.INDENT:
                self.scopes.append(self.opening)
            elif item.type == token.DEDENT:
                self.scopes.pop()
            elif item.type not in _SKIPPED:
                yield from self._add(item)
        yield from self._end()

    def _add(self, item: tokenize.TokenInfo) -> Iterator[Unit]:
        if item.type == token.NEWLINE or (item.string == ";" and self.depth == 0):
            yield from self._end()
            return
        self.statement.append(item)
        if item.type == token.OP:
            self.depth += (item.string in "([{") - (item.string in ")]}")
            if item.string == ":" and self.depth == 0 and self._is_head():
                yield from self._end()

    def _is_head(self) -> bool:
        words = [item.string for item in self.statement]
        return words[0] in _HEADS and "lambda" not in words

    def _end(self) -> Iterator[Unit]:
        found, self.statement, self.depth = self.statement, [], 0
        if not found:
            return
        self.opening = _named(found)
        first, column = found[0].start
        last, end = found[-1].end
        scope = ".".join(name for name in self.scopes if name)
        rows = [
            self._row(number, column if number == first else 0, end if number == last else None)
            for number in range(first, last + 1)
        ]
        whole = "".join(rows)
        if whole and len(whole) <= LONGEST_STATEMENT:
            yield Unit(first=first, column=column, last=last, text=whole, scope=scope)
            return
        # Nothing at all for a statement that is nothing but brackets.
        for number, row in enumerate(rows, first):
            if row:
                yield Unit(first=number, column=0, last=number, text=row, scope=scope)

    def _row(self, number: int, start: int, end: int | None) -> str:
        stop = self.comments.get(number) if end is None else end
        return bare(self.lines[number - 1][start:stop])


def _named(statement: list[tokenize.TokenInfo]) -> str:
    """The name of the class or function that a head opens; empty for any other statement."""
    words = [item.string for item in statement[:3]]
    if words[:2] == ["async", "def"]:
        words = words[1:]
    return words[1] if len(words) > 1 and words[0] in ("def", "class") else ""
