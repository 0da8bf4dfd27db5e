"""Reading a hashed lock file (the requirements format of pip) by ourselves, so that a tool's count can be held against it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from pipeline.errors import ConfigurationError, TargetFault

REMEDY = "Make it with: uv pip compile --generate-hashes requirements.in -o requirements.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One locked package: its canonical name, exact version, hashes as ``sha256:<hex>``, marker and 1-based line."""

    name: str
    version: str
    hashes: tuple[str, ...]
    line: int
    marker: str = ""

    def applies(self, environment: dict[str, str]) -> bool:
        """Whether the package belongs in an environment with these marker values (PEP 508)."""
        return not self.marker or Marker(self.marker).evaluate(dict(environment))


def parse_lock(text: str, name: str) -> tuple[Pin, ...]:
    """The pins of a lock file called ``name``.

    Raises:
        ConfigurationError: a requirement is not pinned with ``==``, has no SHA-256 hash, or is not understood.
    """
    pins = []
    for number, line in _logical_lines(text):
        requirement, *options = re.split(r"\s+(?=--)", line)
        hashes = tuple(re.findall(r"--hash[= ](sha256:[0-9a-f]{64})\b", " ".join(options)))
        try:
            parsed = Requirement(requirement)
            exact = [
                s.version for s in parsed.specifier if s.operator in ("==", "===") and not s.version.endswith(".*")
            ]
            if len(parsed.specifier) != 1 or not exact or parsed.url:
                raise ConfigurationError(
                    f"{name}:{number} is not pinned to one version: {requirement!r}.", advice=REMEDY
                )
        except (InvalidRequirement, InvalidMarker) as error:
            raise ConfigurationError(
                f"{name}:{number} is not a requirement: {requirement!r}.", advice=REMEDY
            ) from error
        if not hashes:
            raise ConfigurationError(f"{name}:{number} has no hash: {requirement!r}.", advice=REMEDY)
        marker = str(parsed.marker or "")
        pins.append(
            Pin(name=canonicalize_name(parsed.name), version=exact[0], hashes=hashes, line=number, marker=marker)
        )
    return tuple(pins)


def parse_requirements(text: str) -> tuple[Requirement, ...]:
    """The requirements of a ``requirements.in``; options and comments are passed over.

    Raises:
        ConfigurationError: a line is not understood.
    """
    result = []
    for number, line in _logical_lines(text):
        try:
            result.append(Requirement(line))
        except InvalidRequirement as error:
            raise ConfigurationError(f"Line {number} of the requirements is not a requirement: {line!r}.") from error
    return tuple(result)


def check_satisfies(pins: tuple[Pin, ...], requirements: tuple[Requirement, ...], lock: str, source: str) -> None:
    """Hold a lock against the requirements that it was made from, offline: each is pinned, and its pin fits.

    Raises:
        TargetFault: the lock lacks a requirement, or pins a version that the requirement excludes.
    """
    by_name = {pin.name: pin for pin in pins}
    for requirement in requirements:
        pin = by_name.get(canonicalize_name(requirement.name))
        if pin is None:
            raise TargetFault(
                f"{lock} does not hold {requirement.name}, which {source} asks for.", advice="Renew the lock."
            )
        if not requirement.specifier.contains(Version(pin.version), prereleases=True):
            raise TargetFault(
                f"{lock} pins {pin.name} {pin.version}, and {source} asks for {requirement.specifier}.",
                advice="Renew the lock.",
            )


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Continuation lines joined, comments and blank lines and global options gone, each with its first line's number."""
    result: list[tuple[int, str]] = []
    start, joined = 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        start = start or number
        body = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        if body.endswith("\\"):
            joined += body[:-1] + " "
            continue
        line = (joined + body).strip()
        if line and not line.startswith("-"):
            result.append((start, line))
        start, joined = 0, ""
    if joined.strip():
        result.append((start, joined.strip()))
    return result
