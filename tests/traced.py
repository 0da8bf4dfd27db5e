"""What a stage looks at: files of a tree by its tools under strace and by Python's audit hook, and its settings."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.core.cache_inputs import declared
from pipeline.core.ports import Outcome, Request
from pipeline.stages.context import Context
from pipeline.stages.inputs import Declaring
from tests.debian_programs import debian_program

# `123 openat(AT_FDCWD</cwd>, "name", O_RDONLY) = 3</place/name>`, or `= -1 ENOENT (…)` (strace(1), -f and -y).
_CALL = re.compile(
    r"^(?:\d+ +)?(?P<call>\w+)\((?:(?P<base>AT_FDCWD|\d+)(?:<(?P<folder>[^>]*)>)?, )?"
    r'"(?P<name>(?:[^"\\]|\\.)*)"(?P<rest>.*) = (?P<answer>-?\d+)(?:<(?P<opened>[^>]*)>)?(?P<error>.*)$'
)
_WRITES = re.compile(r"O_WRONLY|O_CREAT|O_TRUNC")
_LOOKS = ("open", "openat", "openat2", "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2",
          "readlink", "readlinkat", "execve")  # fmt: skip
_hearers: list[Callable[[str], None]] = []
_hooks: list[Callable[[str, tuple[Any, ...]], None]] = []
_hooking = threading.Lock()


@dataclass
class Traced:
    """A process runner that traces what it runs; ``looked`` are the files below ``tree`` that anybody looked at."""

    start: Callable[[Request], Outcome]
    tree: Path
    folder: Path
    looked: set[str] = field(default_factory=set)
    count: int = 0

    def run(self, request: Request) -> Outcome:
        """Run it under strace."""
        self.count += 1
        log = self.folder / f"strace-{self.count}.txt"
        argv = (debian_program("strace"), "-f", "-y", "-qq", "-s", "4096", "-e", "trace=%file", "-o", str(log), "--")
        outcome = self.start(replace(request, argv=(*argv, *request.argv)))
        with log.open(encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                self.hear(line, request.cwd)
        return outcome

    def hear(self, line: str, cwd: Path) -> None:
        """One line of the trace."""
        found = _CALL.match(line)
        if found is None or found["call"] not in _LOOKS or _WRITES.search(found["rest"]):
            return
        name = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), found["name"])
        place = found["opened"] or os.path.normpath(os.path.join(found["folder"] or str(cwd), name))
        if found["answer"].startswith("-") and "ENOENT" not in found["error"]:
            return
        self.note(place)

    def note(self, place: str) -> None:
        """A place that was looked at; folders are no files."""
        if place.startswith(f"{self.tree}/") and not os.path.isdir(place):
            self.looked.add(place.removeprefix(f"{self.tree}/"))

    @contextmanager
    def ourselves(self) -> Iterator[None]:
        """For as long as this lasts, what this process opens counts, too."""
        _listen()
        _hearers.append(self.note)
        try:
            yield
        finally:
            _hearers.remove(self.note)


def _listen() -> None:
    """Python knows no way to be rid of such a hook, so there is one for all tests."""
    with _hooking:
        if not _hooks:
            _hooks.append(_heard)
            sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if _hearers and event == "open" and isinstance(arguments[0], str | os.PathLike):
        for hear in tuple(_hearers):
            hear(os.path.abspath(os.fspath(arguments[0])))


class Watched:
    """A dataclass of settings, or a section of it, that writes down in ``read`` which keys are asked for."""

    def __init__(self, value: Any, read: set[str], section: str = "") -> None:
        self._watched = (value, read, section)

    def __getattr__(self, name: str) -> Any:
        value, read, section = self._watched
        found = getattr(value, name)
        if not section:
            return Watched(found, read, name) if is_dataclass(found) else found
        read.add(name if section == "project" else f"{section}.{name}")
        return found


@dataclass(frozen=True, kw_only=True)
class Looked:
    """All that a stage looked at, and what of that it had not declared: files, settings."""

    files: frozenset[str]
    settings: frozenset[str]
    undeclared_files: frozenset[str]
    undeclared_settings: frozenset[str]


def looked_at(stage: Declaring, context: Context, folder: Path) -> Looked:
    """Run the stage, and see."""
    folder.mkdir(parents=True)
    traced, read = Traced(context.ports.processes.run, context.tree, folder), set[str]()
    # Found out before, since that is no part of the run.
    inputs = stage.inputs(context)
    is_declared = declared(inputs)
    watched: Any = Watched(context.settings, read)
    with traced.ourselves():
        stage.run(replace(context, settings=watched, ports=replace(context.ports, processes=traced)))
    return Looked(
        files=frozenset(traced.looked),
        settings=frozenset(read),
        undeclared_files=frozenset(path for path in traced.looked if not is_declared(path)),
        undeclared_settings=frozenset(
            name for name in read if not any(name == key or name.startswith(f"{key}.") for key in inputs.settings)
        ),
    )
