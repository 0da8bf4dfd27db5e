"""The wheels that an image is made of: fetched on the host by pip, for the image's Python, and held against the lock by
ourselves.

pip itself is the client, so that whatever reaches packages on this machine (an index, a certificate, a folder) is what
is used.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_version, parse_wheel_filename

from pipeline.core.lock import Pin
from pipeline.core.ports import Request
from pipeline.errors import FetchTrouble, StorageTrouble
from pipeline.stages.context import Context

GLIBC_MINOR = 36
"""Wheels for a glibc up to 2.36 are taken: they run on Debian 12 and everything newer. pip looks again inside the
image.
"""

_OLDEST_GLIBC_MINOR = 5
_MACHINES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "386": "i686",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "arm": "armv7l",
}
_OLD_NAMES = ("manylinux2014", "manylinux2010", "manylinux1")
_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the wheels are for: a Python like ``3.13``, and an architecture in Go's words."""

    python: str
    architecture: str

    @property
    def machine(self) -> str:
        """The architecture as Python says it."""
        return _MACHINES.get(self.architecture, self.architecture)

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platform tags of PEP 600 that fit, the newest first."""
        newest_first = range(GLIBC_MINOR, _OLDEST_GLIBC_MINOR - 1, -1)
        return (
            *(f"manylinux_2_{minor}_{self.machine}" for minor in newest_first),
            *(f"{n}_{self.machine}" for n in _OLD_NAMES),
        )

    @property
    def markers(self) -> dict[str, str]:
        """The environment of PEP 508 for which the lock's markers are judged; pip would take the host's."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }


def ensure_wheels(context: Context, pins: Iterable[Pin], target: Target) -> dict[str, Path]:
    """The verified wheels of the pins that apply to ``target``, by file name; from the cache, else from pip.

    Raises:
        FetchTrouble: a wheel can't be had, or is not one that the lock names.
        StorageTrouble: the cache can't be written.
    """
    wanted = [pin for pin in pins if pin.applies(target.markers)]
    text = "".join(f"{pin.name}=={pin.version} {' '.join(f'--hash={h}' for h in pin.hashes)}\n" for pin in wanted)
    if not wanted:
        return {}
    key = hashlib.sha256("\0".join((text, target.python, *target.platforms)).encode()).hexdigest()[:16]
    folder = context.ports.cache / "wheels" / key
    try:
        if not _damage(folder, wanted):
            return _files(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{key}-") as unfinished:
            fetched = Path(unfinished) / "wheels"
            fetched.mkdir()
            _fetch(context, text, target, fetched)
            if damage := _damage(fetched, wanted):
                raise FetchTrouble("The wheels are not what the lock says.", why=" ".join(damage))
            shutil.rmtree(folder, ignore_errors=True)
            fetched.replace(folder)
    except OSError as error:
        raise StorageTrouble(f"The wheels could not be kept: {error.strerror or error}.") from error
    return _files(folder)


def _fetch(context: Context, requirements: str, target: Target, folder: Path) -> None:
    lock = context.scratch / "wheels.txt"
    lock.write_text(requirements, encoding="utf-8")
    environment = context.environment("wheels")
    platforms = [word for platform in target.platforms for word in ("--platform", platform)]
    outcome = context.run(
        Request(
            argv=(
                str(environment.python),
                "-m",
                "pip",
                "download",
                "--no-input",
                "--disable-pip-version-check",
                "--progress-bar",
                "off",
                "--require-hashes",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--implementation",
                "cp",
                "--python-version",
                target.python,
                *platforms,
                "--dest",
                str(folder),
                "--requirement",
                str(lock),
            ),
            cwd=context.scratch,
            timeout_s=_TIMEOUT_S,
            title="fetching wheels",
        )
    )
    context.keep("wheels.log", outcome.stdout + outcome.stderr)
    if outcome.exit_code != 0:
        raise FetchTrouble(
            f"The wheels for Python {target.python} on {target.machine} could not be fetched.",
            why=f"pip says: {_complaints(outcome.stderr) or outcome.tail(4)}",
            advice="Each locked package must be offered as a wheel for that Python; a source archive is not used, "
            "since building it would run its code. Check also that the package index is reached.",
        )


def _complaints(stderr: str) -> str:
    """What pip calls errors; the rest of what it says is about where it looked."""
    return "\n".join(line for line in stderr.splitlines() if line.startswith("ERROR"))


def _damage(folder: Path, pins: Iterable[Pin]) -> tuple[str, ...]:
    """Why the folder does not hold exactly one locked wheel for each pin, in full sentences; empty when it does."""
    files = _files(folder)
    found = {}
    sentences = []
    for name, path in files.items():
        try:
            package, version, _, _ = parse_wheel_filename(name)
        except InvalidWheelFilename:
            sentences.append(f"{name} is no wheel.")
            continue
        found[str(package), canonicalize_version(version)] = path
    locked: Mapping[tuple[str, str], Pin] = {(pin.name, canonicalize_version(pin.version)): pin for pin in pins}
    sentences.extend(f"{found[key].name} is not locked." for key in sorted(found.keys() - locked.keys()))
    for key, pin in sorted(locked.items()):
        if key not in found:
            sentences.append(f"{pin.name} {pin.version} is missing.")
        elif _digest(found[key]) not in pin.hashes:
            sentences.append(f"{found[key].name} has a SHA-256 that the lock does not name.")
    return tuple(sentences)


def _files(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(folder.iterdir())} if folder.is_dir() else {}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
