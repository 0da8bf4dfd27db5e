"""Virtual environments for the tools, made by uv from hashed lock files, once for each content.

They are made here and not by Nox because Nox makes a session's environment before it calls the session: when that
fails the stage could not report it. The folder's name is a digest of everything that decides its content, and a marker
is written last, so a half-made environment of a killed run is never used.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import fcntl
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pipeline.core.evidence import listed
from pipeline.core.lock_lines import REMEDY
from pipeline.core.ports import Outcome, ProcessRunner, Progress, Request, ToolEnvironment
from pipeline.errors import ConfigurationError, EnvironmentTrouble, StorageTrouble
from pipeline.execution.interpreters import find_python, running_python
from pipeline.execution.package_index import uv_environment

if TYPE_CHECKING:
    from pipeline.core.lock import Pin

MARKER = ".complete"
"""The file that is written last into an environment; its time is that of the last use."""
_LAYOUT = "1"
_TIMEOUT_S = 900.0


class UvEnvironments:
    """Environments below ``folder`` for the Python that ``python`` names (like ``3.13``), if this machine has it."""

    def __init__(
        self, folder: Path, processes: ProcessRunner, progress: Progress, *, python: str, environ: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._processes = processes
        self._progress = progress
        self._wanted = python
        self._environ = environ
        self._variables = uv_environment(environ)
        self._interpreter: tuple[Path, str] | None = None
        self._sound: set[Path] = set()

    @property
    def interpreter(self) -> tuple[Path, str]:
        """The interpreter that environments are made from (the wanted one, else the running one), and its version."""
        if self._interpreter is None:
            folder = self._parent()
            found = find_python(self._wanted, self._environ, self._processes, folder)
            self._interpreter = found or running_python(self._processes, folder)
        return self._interpreter

    def ensure(self, title: str, locks: Sequence[Path]) -> ToolEnvironment:
        """The environment with exactly what ``locks`` name; ``title`` is for people.

        Raises:
            ConfigurationError: a lock is missing, or holds a requirement without a hash.
            EnvironmentTrouble: uv could not make it.
            StorageTrouble: there is no room for it.
        """
        contents = [checked_lock(lock) for lock in locks]
        base, version = self.interpreter
        digest = hashlib.sha256(
            "\0".join([_LAYOUT, str(base), version, str(self._folder), *contents]).encode()
        ).hexdigest()
        root = self._folder / f"{title}-{digest[:12]}"
        try:
            self._parent()
            with _guard(root) as guard:
                # Two sessions of one run may want the same environment at the same moment.
                fcntl.flock(guard, fcntl.LOCK_EX)
                self._complete(title, root, base, version, locks)
        except OSError as error:
            raise StorageTrouble(
                f"The {title} environment could not be written: {error.strerror or error}.",
                advice=f"Free space in {self._folder} or make it writable, then run again.",
            ) from error
        pins = [pin for lock, text in zip(locks, contents, strict=True) for pin in _pins(text, lock.name)]
        # A lock for several Pythons holds a package more than once, each pin with a marker of its own.
        markers = {"python_version": short_version(version), "python_full_version": version}
        return _environment(root, version, {pin.name: pin.version for pin in pins if pin.applies(markers)})

    def _complete(self, title: str, root: Path, base: Path, version: str, locks: Sequence[Path]) -> None:
        """Make the environment unless it is there to the last file, each as its package brought it."""
        if root in self._sound:
            return
        marker = root / MARKER
        if not marker.exists() or changed_files(_libraries(root, version)):
            self._progress.say(f"making the {title} environment (Python {version})")
            shutil.rmtree(root, ignore_errors=True)
            self._make(title, root, base, locks)
            changed = changed_files(_libraries(root, version))
            if changed:
                raise EnvironmentTrouble(
                    f"The {title} environment is not what its packages are: {listed(changed, 3)}",
                    why="uv keeps unpacked packages in its cache, and somebody has changed them there.",
                    advice="Empty uv's cache (uv cache clean), then run again.",
                )
        marker.touch()
        self._sound.add(root)

    def _make(self, title: str, root: Path, base: Path, locks: Sequence[Path]) -> None:
        self._uv(title, "venv", "--quiet", "--no-config", "--python", str(base), str(root))
        wanted = [argument for lock in locks for argument in ("--requirements", str(lock))]
        self._uv(
            title, "pip", "install", "--quiet", "--no-config", "--python", str(root / "bin/python"),
            "--require-hashes", "--no-deps", "--only-binary", ":all:", *wanted,
        )  # fmt: skip

    def _uv(self, title: str, *arguments: str) -> None:
        outcome = self._run(title, *arguments)
        if outcome.exit_code != 0 or outcome.timed_out:
            raise EnvironmentTrouble(
                f"The {title} environment could not be made.",
                # uv names the package first and the details last.
                why=f"uv says: {outcome.tail(14).strip()}",
                advice="Check that the package index (pip's settings are used) is reached and has what the lock names.",
            )

    def _run(self, title: str, *arguments: str) -> Outcome:
        return self._processes.run(
            Request(
                argv=(uv_program(), *arguments),
                cwd=self._parent(),
                timeout_s=_TIMEOUT_S,
                env=self._variables,
                title=f"making {title}",
            )
        )

    def _parent(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder


def _guard(root: Path) -> IO[str]:
    """The file by which processes agree on who may make or remove the environment at ``root``."""
    return (root.parent / f".{root.name}.lock").open("w", encoding="ascii")


@contextlib.contextmanager
def alone_with(root: Path) -> Iterator[bool]:
    """Whether no other process makes the environment at ``root`` now, or is about to, for as long as this lasts."""
    with _guard(root) as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def checked_lock(lock: Path) -> str:
    """The text of a lock file in which every requirement is pinned and has a hash.

    Raises:
        ConfigurationError: it is missing, or not such a lock.
    """
    try:
        text = lock.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            f"The lock file {lock.name} does not exist.",
            why=f"It is looked for at {lock}.",
            advice=REMEDY,
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"The lock file {lock.name} can't be read: {why}.", advice=REMEDY) from error
    _pins(text, lock.name)
    return text


def uv_program() -> str:
    """The uv that came with this package, else the one on the PATH."""
    try:
        from uv import find_uv_bin  # pylint: disable=import-outside-toplevel  # only wanted where uv is used

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
        if found is None:
            raise EnvironmentTrouble("uv was not found.", advice="Install it: pip install uv") from None
        return found


def short_version(version: str) -> str:
    """The first two numbers of a version, by which a Python's folders and programs are named."""
    return ".".join(version.split(".")[:2])


def _environment(root: Path, version: str, packages: dict[str, str]) -> ToolEnvironment:
    python, libraries = root / "bin" / "python", _libraries(root, version)
    return ToolEnvironment(root=root, python=python, version=version, site_packages=libraries, packages=packages)


def _libraries(root: Path, version: str) -> Path:
    return root / "lib" / f"python{short_version(version)}" / "site-packages"


def changed_files(libraries: Path) -> tuple[str, ...]:
    """The installed files that are not what their packages' own lists (RECORD) say, or are gone; sorted.

    uv verifies an archive when it fetches it and later links its files out of a cache, so a file that is changed in one
    environment is changed in all. Programs are left out (a package's list is of its libraries' folder), and so is
    bytecode, which no list names; nor does this withstand somebody who changes the list as well.
    """
    return tuple(
        sorted(
            name
            for record in libraries.glob("*.dist-info/RECORD")
            for name, recorded in _recorded(record)
            if _digest(libraries / name) != recorded
        )
    )


def _recorded(record: Path) -> Iterator[tuple[str, str]]:
    with record.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            if len(row) > 1 and row[1].startswith("sha256=") and not row[0].startswith("../"):
                yield row[0], row[1].removeprefix("sha256=")


def _digest(path: Path) -> str:
    """SHA-256 as a RECORD writes it (the wheel format, PEP 427); empty where there is no such file."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")


def _pins(text: str, name: str) -> tuple[Pin, ...]:
    """What a lock pins. What reads it is loaded when an environment is wanted, which not every run does."""
    pins: tuple[Pin, ...] = import_module("pipeline.core.lock").parse_lock(text, name)
    return pins
