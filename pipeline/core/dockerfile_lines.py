"""A Dockerfile as its instructions with their lines, and which of them answers for what is found in the image.

Reference: https://docs.docker.com/reference/dockerfile/ ("Format", "Parser directives", "Here-Documents"). Nothing is
built here: a line is for people, and where several could be meant the nearest that is certain is named.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"#[ \t]*(?P<name>[a-z]+)[ \t]*=[ \t]*(?P<value>\S+)[ \t]*", re.I)
_HEREDOC = re.compile(r"<<-?(?P<quote>[\"']?)(?P<word>[A-Za-z_]\w*)(?P=quote)")
_WORD = re.compile(r"[ \t]*(?P<keyword>[A-Za-z]+)(?:[ \t]+(?P<value>.*))?", re.S)
_VARIABLE = re.compile(r"\$(?:\{(?P<long>\w+)(?:(?P<how>:[-+])(?P<other>[^}]*))?\}|(?P<short>\w+))")
_FLAG = re.compile(r"--[a-z][a-z-]*(=\S*)?")
_MAKES_FILES = ("COPY", "ADD", "RUN", "WORKDIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """An instruction of the recipe: its first ``line`` (1-based), its ``keyword`` in capitals, the rest as one line."""

    line: int
    keyword: str
    value: str

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments without flags; of the JSON form its items."""
        rest = self.value
        while match := _FLAG.match(rest):
            rest = rest[match.end() :].lstrip()
        if rest.startswith("["):
            try:
                return tuple(map(str, json.loads(rest)))
            except ValueError:
                pass
        return tuple(rest.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A Dockerfile: its instructions in order, those of the first stages too."""

    instructions: tuple[Instruction, ...] = ()

    @property
    def last_stage(self) -> tuple[Instruction, ...]:
        """The instructions of the stage that becomes the image, its FROM first."""
        start = max((n for n, i in enumerate(self.instructions) if i.keyword == "FROM"), default=0)
        return self.instructions[start:]

    @property
    def from_line(self) -> int:
        """The line of the last FROM: what answers for what no instruction of ours has made."""
        return next((i.line for i in self.last_stage if i.keyword == "FROM"), 1)

    def line_of(self, keyword: str) -> int:
        """The last instruction with this keyword in the last stage; the FROM where there is none."""
        return next((i.line for i in reversed(self.last_stage) if i.keyword == keyword), self.from_line)

    def line_naming(self, keyword: str, name: str) -> int:
        """The last instruction with this keyword in whose value the name occurs as a word; else :meth:`line_of`."""
        word = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])")
        found = (i.line for i in reversed(self.last_stage) if i.keyword == keyword and word.search(i.value))
        return next(found, self.line_of(keyword))

    def line_of_file(self, path: str, layer: int, *, base_layers: int, layers: int) -> int:
        """The instruction that brought a file of the image (by path and layer), as far as that can be told.

        Layers above the base's belong to COPY, ADD and RUN in their order, where there are as many of them; else the
        last COPY or ADD whose target lies above the path is taken, then the last RUN.
        """
        if layer < base_layers:
            return self.from_line
        makers = [i for i in self.last_stage if i.keyword in _MAKES_FILES]
        for keywords in (_MAKES_FILES[:3], _MAKES_FILES):
            ours = [i for i in makers if i.keyword in keywords]
            if len(ours) == layers - base_layers:
                return ours[layer - base_layers].line
        copies = [i for i in makers if i.keyword in ("COPY", "ADD") and _is_above(i, f"/{path}", self._folder(i))]
        runs = [i for i in makers if i.keyword == "RUN"]
        return next((i.line for i in (*reversed(copies), *reversed(runs))), self.from_line)

    def bases(self) -> Iterator[tuple[Instruction, str]]:
        """Each FROM that names an image and no stage of the recipe, with that image, build arguments at their defaults.

        A variable without a default is left out of the text.
        """
        arguments: dict[str, str] = {}
        stages: set[str] = set()
        for instruction in self.instructions:
            words = instruction.words
            if instruction.keyword == "ARG" and not stages:
                name, _, default = instruction.value.strip().partition("=")
                arguments[name] = default.strip().strip("\"'")
            elif instruction.keyword == "FROM" and words:
                image = _VARIABLE.sub(lambda match: _put_in(match, arguments), words[0])
                if image.lower() not in stages:
                    yield instruction, image
                stages.add(words[2].lower() if len(words) > 2 and words[1].upper() == "AS" else "\0")

    def _folder(self, instruction: Instruction) -> str:
        """The working folder at an instruction of the last stage, as far as the recipe says."""
        folder = "/"
        for item in self.last_stage:
            if item is instruction:
                break
            if item.keyword == "WORKDIR":
                folder = posixpath.join(folder, item.value.strip())
        return folder


def parse_recipe(text: str) -> Recipe:
    """The instructions of a Dockerfile. What is none is passed over: the engine says what is wrong with it."""
    found, lines = [], text.removeprefix("\ufeff").splitlines()
    escape = _escape(lines)
    number = 0
    while number < len(lines):
        line, first = lines[number], number + 1
        number += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = [line.rstrip()]
        while parts[-1].endswith(escape) and number < len(lines):
            parts[-1] = parts[-1][:-1]
            # A comment line between two parts is no part of the instruction, nor does it end it.
            if lines[number].lstrip().startswith("#") or not lines[number].strip():
                parts[-1] += escape
            else:
                parts.append(lines[number].strip())
            number += 1
        whole = " ".join(part.strip() for part in parts)
        for match in _HEREDOC.finditer(whole):
            while number < len(lines) and lines[number].strip() != match["word"]:
                number += 1
            number += 1
        if matched := _WORD.fullmatch(whole):
            value = (matched["value"] or "").strip()
            found.append(Instruction(line=first, keyword=matched["keyword"].upper(), value=value))
    return Recipe(instructions=tuple(found))


def _escape(lines: list[str]) -> str:
    """The character that continues a line: a directive before anything else may name another."""
    for line in lines:
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        if match["name"].lower() == "escape":
            return match["value"]
    return "\\"


def _put_in(match: re.Match[str], arguments: dict[str, str]) -> str:
    value = arguments.get(match["long"] or match["short"], "")
    if match["how"] == ":-":
        return value or str(match["other"])
    if match["how"] == ":+":
        return str(match["other"]) if value else ""
    return value


def _is_above(instruction: Instruction, path: str, folder: str) -> bool:
    words = instruction.words
    if len(words) < 2:
        return False
    target = posixpath.normpath(posixpath.join(folder, words[-1]))
    return target == "/" or path == target or path.startswith(f"{target}/")
