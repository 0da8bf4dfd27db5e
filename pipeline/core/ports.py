"""The Protocols behind which every effect stands, and the values that cross them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A process to run: its arguments (never a shell), its folder, its environment, its bound in seconds.

    ``env`` is laid over a clean environment made from a short list of inherited variables, so that a stage does not
    depend on what happens to be set; a value of ``None`` takes a variable away. ``undecodable`` says how output that
    is not UTF-8 becomes text: visibly, or with ``surrogateescape`` so that the names of files stay whole (PEP 383).
    ``so_far`` says how far it has come, like "120 of 285 files" (empty: not known); it is asked while the process runs.
    """

    argv: tuple[str, ...]
    cwd: Path
    timeout_s: float
    env: Mapping[str, str | None] = field(default_factory=dict)
    stdin: str = ""
    title: str = ""
    undecodable: str = "backslashreplace"
    so_far: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a process ended. ``exit_code`` is negative for a signal, as in :mod:`subprocess`."""

    exit_code: int
    stdout: str
    stderr: str
    duration_s: float
    timed_out: bool = False

    def tail(self, lines: int = 8) -> str:
        """The last lines that it said, errors first, for an error message."""
        said = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return "\n".join(said[-lines:])


class ProcessRunner(Protocol):
    """Runs a process to its end, stopping its whole group when the time is up or the run is interrupted."""

    def run(self, request: Request) -> Outcome:
        """Run it. Raises ToolTrouble when it can't be started."""
        ...


class Clock(Protocol):
    """Time, so that tests need not wait."""

    def now(self) -> datetime:
        """The current time in UTC, with its zone."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Progress(Protocol):
    """Tells the person at the terminal what a long step does."""

    def say(self, text: str) -> None:
        """One line of what is happening now."""
        ...

    def update(self, text: str) -> None:
        """How far it has come; said often, and shown in place or only now and then."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolEnvironment:
    """A virtual environment with exactly what its locks name: ``packages`` maps canonical names to versions."""

    root: Path
    python: Path
    version: str
    site_packages: Path
    packages: Mapping[str, str] = field(default_factory=dict)

    def program(self, name: str) -> str:
        """The path of a program that the environment holds."""
        return str(self.python.parent / name)


class Environments(Protocol):
    """Makes virtual environments from hashed lock files, once for each content."""

    def ensure(self, title: str, locks: Sequence[Path]) -> ToolEnvironment:
        """The environment for these locks. Raises EnvironmentTrouble; ConfigurationError for a lock without hashes."""
        ...


class Redactor(Protocol):
    """Masks secrets in everything that is written or printed, before it is."""

    def __call__(self, text: str) -> str:
        """The text with every known secret masked."""
        ...

    def also(self, secret: str) -> None:
        """From now on mask this value too."""
        ...
