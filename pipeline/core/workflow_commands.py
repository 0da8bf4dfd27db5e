"""Which stages the workflows of a repository run, read from their texts, and what a change takes away from that.

Not a reading of YAML: a command is a line, wherever it stands, and what is not a plain command of the pipeline counts
as none. A step that is wrapped in something else is a step that is gone.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator

from pipeline.core.policy_difference import Difference, Effect, told

_STEP = re.compile(r"^\s*(?:-\s+)?(?:run:\s*)?(?:-\s+)?(?P<command>.*?)\s*$")
_PROGRAMS = ("./noxw", "noxw", "nox", "pipeline", "./.pipeline/venv/bin/nox", "./.pipeline/venv/bin/pipeline")
_PYTHON = re.compile(r"python3?")
_SESSIONS = {"-s", "-e", "--session", "--sessions"}
_TAGS = {"-t", "--tags"}
_ASSIGNMENT = re.compile(r"\w+=.*", re.S)
_PUNCTUATION = re.compile(r"[();<>|&]+")
_SETTING = re.compile(r"\b(?P<name>PIPELINE_[A-Z0-9_]+)\s*[:=]\s*(?P<value>.*?)\s*$")
_OWN_VARIABLES = {"PIPELINE_RUN", "PIPELINE_COLOR"}
# What makes a step's failure, or the step, not count.
_SOFT = re.compile(
    r"^\s*(?:-\s+)?(?P<what>continue-on-error:\s*true|allow_failure:\s*true|if:\s*(?:\$\{\{\s*)?false\b.*)"
)


def differences(path: str, old: str, new: str) -> Iterator[Difference]:
    """How two texts of a workflow differ in what they run and in how the pipeline is set there."""
    before, after = _commands(old), _commands(new)
    for what in sorted(before - after):
        yield told(path, Effect.LOOSENS, f"{path} no longer runs {what}.", what)
    for what in sorted(after - before):
        yield told(path, Effect.TIGHTENS, f"{path} also runs {what}.", what)
    for text in sorted(_soft(new) - _soft(old)):
        yield told(path, Effect.LOOSENS, f"{path} gains {text!r}.", text)
    then, now = _settings(old), _settings(new)
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            shown = [item if item is not None else "not set" for item in (then.get(name), now.get(name))]
            sentence = f"{path}: {name} was {shown[0]} and is {shown[1]}, and which way that goes is not known."
            yield told(path, Effect.LOOSENS, sentence, name)


def _commands(text: str) -> set[str]:
    """What the lines run of the pipeline: "the stage lint", "the tag quality", "all stages", "pipeline verdict"."""
    found: set[str] = set()
    for line in _lines(text):
        match = _STEP.match(line)
        for words in _plain(match["command"]) if match is not None else ():
            found.update(_asked(words))
    return found


def _plain(command: str) -> list[list[str]]:
    """The words of the commands of a line, of which each must succeed; none when they are joined in any other way."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word == "&&":
                parts.append([])
            elif _PUNCTUATION.fullmatch(word):
                return []
            elif parts[-1] or not _ASSIGNMENT.fullmatch(word):
                parts[-1].append(word)
    except ValueError:
        # Quotes that stay open: a part of a script, not a command.
        return []
    return parts


def _asked(words: list[str]) -> Iterator[str]:
    if len(words) > 2 and _PYTHON.fullmatch(words[0]) and words[1] == "-m":
        words = words[2:]
    if not words or words[0] not in _PROGRAMS:
        return
    program, arguments = words[0].rpartition("/")[2], words[1:]
    if "--" in arguments:
        arguments = arguments[: arguments.index("--")]
    first = arguments[0] if arguments else ""
    if program == "pipeline" or (program == "noxw" and first and not first.startswith("-")):
        yield from _of_pipeline(first, arguments[1:])
    else:
        yield from _of_nox(arguments)


def _of_pipeline(command: str, arguments: list[str]) -> Iterator[str]:
    stages = [word for word in arguments if not word.startswith("-")]
    if command != "run":
        yield f"pipeline {' '.join((command, *arguments))}"
    elif stages:
        yield from (f"the stage {name}" for name in stages)
    else:
        yield "all stages"


def _of_nox(arguments: list[str]) -> Iterator[str]:
    kind, named = "", False
    for word in arguments:
        if word.startswith("-"):
            kind = "stage" if word in _SESSIONS else "tag" if word in _TAGS else ""
        elif kind:
            named = True
            yield f"the {kind} {word}"
    if not named and not any(word in ("-l", "--list", "--version", "--help") for word in arguments):
        yield "all stages"


def _settings(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _lines(text):
        match = _SETTING.search(line)
        if match is not None and match["name"] not in _OWN_VARIABLES:
            found[match["name"]] = match["value"]
    return found


def _soft(text: str) -> Counter[str]:
    matches = (_SOFT.match(line) for line in _lines(text))
    return Counter(match["what"].strip() for match in matches if match is not None)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]
