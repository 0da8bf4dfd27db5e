"""Reading a hashed lock file (pip's requirements format) ourselves, so that a tool's count can be held against it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from pipeline.core.lock_lines import INCLUDE, REMEDY, logical_lines
from pipeline.errors import ConfigurationError, TargetFault

_EDITABLE = re.compile(r"-e|--editable\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One locked package: its canonical name, exact version, hashes as ``sha256:<hex>``, marker and 1-based line."""

    name: str
    version: str
    hashes: tuple[str, ...]
    line: int
    marker: str = ""

    def applies(self, environment: Mapping[str, str]) -> bool:
        """Whether the package belongs in an environment with these marker values (PEP 508)."""
        return not self.marker or Marker(self.marker).evaluate(dict(environment))


def linux_markers(python: str) -> dict[str, str]:
    """The marker values of CPython ``python`` (like ``3.13``) on Linux, where a service runs."""
    parts = python.split(".")
    full = ".".join([*parts, "0"][:3])
    return {
        "implementation_name": "cpython", "implementation_version": full, "os_name": "posix",
        "platform_python_implementation": "CPython", "platform_system": "Linux", "python_full_version": full,
        "python_version": ".".join(parts[:2]), "sys_platform": "linux",
    }  # fmt: skip


def parse_lock(text: str, name: str) -> tuple[Pin, ...]:
    """The pins of a lock file called ``name``.

    Raises:
        ConfigurationError: a requirement is not pinned with ``==``, has no SHA-256 hash, or is not understood; or the
            lock takes in what can't be locked: another file, or an editable project.
    """
    pins = []
    for number, line in logical_lines(text):
        if not line.startswith("-"):
            pins.append(_pin(name, number, line))
        elif INCLUDE.match(line) or _EDITABLE.match(line):
            raise ConfigurationError(
                f"{name}:{number} takes in what this lock does not hold: {line!r}.",
                why="A lock is whole by itself, or what it installs is not what was checked.",
                advice=REMEDY,
            )
    return tuple(pins)


def _pin(name: str, number: int, line: str) -> Pin:
    requirement, *options = re.split(r"\s+(?=--)", line)
    hashes = tuple(re.findall(r"--hash[= ](sha256:[0-9a-f]{64})\b", " ".join(options)))
    try:
        parsed = Requirement(requirement)
        exact = [s.version for s in parsed.specifier if s.operator in ("==", "===") and not s.version.endswith(".*")]
        if len(parsed.specifier) != 1 or not exact or parsed.url:
            raise ConfigurationError(f"{name}:{number} is not pinned to one version: {requirement!r}.", advice=REMEDY)
        Version(exact[0])
    except (InvalidRequirement, InvalidMarker) as error:
        raise ConfigurationError(f"{name}:{number} is not a requirement: {requirement!r}.", advice=REMEDY) from error
    except InvalidVersion as error:
        raise ConfigurationError(
            f"{name}:{number} is pinned to no version of PEP 440: {requirement!r}.", advice=REMEDY
        ) from error
    if not hashes:
        raise ConfigurationError(f"{name}:{number} has no SHA-256 hash: {requirement!r}.", advice=REMEDY)
    marker = str(parsed.marker or "")
    return Pin(name=canonicalize_name(parsed.name), version=exact[0], hashes=hashes, line=number, marker=marker)


def parse_requirements(text: str) -> tuple[Requirement, ...]:
    """The requirements of a ``requirements.in``; options and comments are passed over, :func:`included_files` tells of
    its parts.

    Raises:
        ConfigurationError: a line is not understood, or asks for what no hash can lock.
    """
    result = []
    for number, line in logical_lines(text):
        if _EDITABLE.match(line):
            raise ConfigurationError(f"Line {number} of the requirements can't be locked with a hash: {line!r}.")
        if line.startswith("-"):
            continue
        try:
            result.append(Requirement(line))
        except InvalidRequirement as error:
            raise ConfigurationError(f"Line {number} of the requirements is not a requirement: {line!r}.") from error
    return tuple(result)


def check_satisfies(
    pins: tuple[Pin, ...],
    requirements: tuple[Requirement, ...],
    lock: str,
    source: str,
    markers: Mapping[str, str] | None = None,
) -> None:
    """Hold a lock against the requirements that it was made from, offline: each is pinned, and its pin fits.

    ``markers`` are the marker values of the environment that the lock is for (by default the running interpreter's): a
    requirement that has no place there may be absent, and of several pins of a package only those that have one count.

    Raises:
        TargetFault: the lock lacks a requirement, or pins a version that the requirement excludes.
    """
    environment = dict(markers or {})
    for requirement in requirements:
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        name = canonicalize_name(requirement.name)
        held = [pin for pin in pins if pin.name == name and pin.applies(environment)]
        if not held:
            raise TargetFault(
                f"{lock} does not hold {requirement.name}, which {source} asks for.", advice="Renew the lock."
            )
        for pin in held:
            if not requirement.specifier.contains(Version(pin.version), prereleases=True):
                raise TargetFault(
                    f"{lock} pins {pin.name} {pin.version}, and {source} asks for {requirement.specifier}.",
                    advice="Renew the lock.",
                )
