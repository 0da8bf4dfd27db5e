"""The lock of the base images: which Debian packages, at which versions, with which bytes, go into which base.

Read with ``tomllib``, checked value by value, and written here in one canonical form, so that its digest names its
content.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources

from pipeline.errors import ConfigurationError, FetchTrouble
from pipeline.images.versions import DebianVersion

FORMAT = 1
ARCHIVES = ("main", "security")
RENEWAL_COMMAND = "pipeline base-lock"

_PACKAGE_KEYS = ("name", "version", "architecture", "archive", "path", "size", "sha256")
_TOP_KEYS = ("format", "release", "architecture", "taken", "images", "package")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_WORD = re.compile(r"[a-z0-9][a-z0-9-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PATH = re.compile(r"pool(?:/[A-Za-z0-9+~_:%-][A-Za-z0-9+.~_:%-]*)+\.deb")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """One .deb: ``archive`` says whether ``path`` is below Debian's main or its security archive; ``size`` in bytes."""

    name: str
    version: str
    architecture: str
    archive: str
    path: str
    size: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLock:
    """The whole lock. ``taken`` is the newest date of the archive indexes it was made from, in seconds since 1970."""

    release: str
    architecture: str
    taken: int
    images: Mapping[str, tuple[str, ...]]
    packages: tuple[LockedPackage, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical text, in hex: two locks with the same digest make the same images."""
        return hashlib.sha256(render_lock(self).encode()).hexdigest()

    def packages_of(self, image: str) -> tuple[LockedPackage, ...]:
        """Return an image's packages, sorted by name. Raises ``ConfigurationError`` for an image it does not have."""
        if image not in self.images:
            raise ConfigurationError(
                f"There is no base image named {image!r}.", advice=f"The lock has {', '.join(sorted(self.images))}."
            )
        wanted = set(self.images[image])
        return tuple(package for package in self.packages if package.name in wanted)


def shipped_lock() -> BaseLock:
    """Return the lock that is part of this package (``pipeline/images/base.lock``)."""
    return parse_lock(resources.files("pipeline.images").joinpath("base.lock").read_text("utf-8"), "base.lock")


def parse_lock(text: str, source: str) -> BaseLock:
    """Return the lock in ``text``; ``source`` names it in messages.

    Raises ``ConfigurationError`` for anything that is not exactly a lock of this format: unknown or missing keys,
    values of a wrong type or form, a package named twice, used by no image, or used and not there.
    """
    try:
        return _read(tomllib.loads(text))
    except tomllib.TOMLDecodeError as trouble:
        reason = f"it is not TOML ({trouble})"
    except _UnusableError as trouble:
        reason = str(trouble)
    raise ConfigurationError(
        f"The base lock {source} can't be used: {reason}.", advice=f"Renew it with `{RENEWAL_COMMAND}`."
    )


def render_lock(lock: BaseLock) -> str:
    """Return the canonical text of a lock; ``parse_lock`` gives back an equal value."""
    taken = datetime.fromtimestamp(lock.taken, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [
        "# The Debian packages that the base images are made of. Written by a command, not by hand:",
        f"#   {RENEWAL_COMMAND}",
        f"format = {FORMAT}",
        f'release = "{lock.release}"',
        f'architecture = "{lock.architecture}"',
        f"taken = {taken}",
        "",
        "[images]",
    ]
    for image in sorted(lock.images):
        lines += [f"{image} = [", *(f'    "{name}",' for name in lock.images[image]), "]"]
    for package in lock.packages:
        lines += ["", "[[package]]", *_package_lines(package)]
    return "\n".join(lines) + "\n"


def _package_lines(package: LockedPackage) -> Iterator[str]:
    for key in _PACKAGE_KEYS:
        value = getattr(package, key)
        yield f"{key} = {value}" if isinstance(value, int) else f'{key} = "{value}"'


class _UnusableError(Exception):
    """Why a lock can't be used, as the end of a sentence."""


def _read(table: dict[str, object]) -> BaseLock:
    _keys(table, _TOP_KEYS, "the lock")
    if table["format"] != FORMAT:
        raise _UnusableError(f"its format is {table['format']!r}, and this version reads {FORMAT}")
    taken = table["taken"]
    if not isinstance(taken, datetime) or taken.tzinfo is None:
        raise _UnusableError("taken is not a date with a time and a zone")
    packages = _packages(table["package"])
    return BaseLock(
        release=_text(table, "release", _WORD),
        architecture=_text(table, "architecture", _WORD),
        taken=int(taken.timestamp()),
        images=_images(table["images"], {package.name for package in packages}),
        packages=packages,
    )


def _packages(value: object) -> tuple[LockedPackage, ...]:
    if not isinstance(value, list) or not value:
        raise _UnusableError("it has no [[package]]")
    packages = tuple(_package(item) for item in value)
    names = [package.name for package in packages]
    if names != sorted(set(names)):
        raise _UnusableError("its packages are not sorted by name, or one is there twice")
    return packages


def _package(value: object) -> LockedPackage:
    if not isinstance(value, dict):
        raise _UnusableError("a [[package]] is not a table")
    _keys(value, _PACKAGE_KEYS, "a [[package]]")
    size = value["size"]
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise _UnusableError(f"the size {size!r} is not a positive whole number of bytes")
    try:
        version = DebianVersion(str(value["version"])).text
    except FetchTrouble as trouble:
        raise _UnusableError(trouble.what.rstrip(".")) from trouble
    if value["archive"] not in ARCHIVES:
        raise _UnusableError(f"the archive {value['archive']!r} is none of {', '.join(ARCHIVES)}")
    return LockedPackage(
        name=_text(value, "name", _NAME),
        version=version,
        architecture=_text(value, "architecture", _WORD),
        archive=str(value["archive"]),
        path=_text(value, "path", _PATH),
        size=size,
        sha256=_text(value, "sha256", _SHA256),
    )


def _images(value: object, known: set[str]) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict) or not value:
        raise _UnusableError("it has no [images]")
    images: dict[str, tuple[str, ...]] = {}
    for image, names in value.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _UnusableError(f"images.{image} is not a list of package names")
        if missing := sorted(set(names) - known):
            raise _UnusableError(f"images.{image} names {', '.join(missing)}, which it does not lock")
        images[image] = tuple(names)
    if unused := sorted(known.difference(*images.values())):
        raise _UnusableError(f"no image uses {', '.join(unused)}")
    return images


def _text(table: Mapping[str, object], key: str, form: re.Pattern[str]) -> str:
    value = table[key]
    if not isinstance(value, str) or not form.fullmatch(value):
        raise _UnusableError(f"{key} is {value!r}, which can't be right")
    return value


def _keys(table: Mapping[str, object], expected: tuple[str, ...], what: str) -> None:
    if missing := sorted(set(expected) - set(table)):
        raise _UnusableError(f"{what} lacks {', '.join(missing)}")
    if unknown := sorted(set(table) - set(expected)):
        raise _UnusableError(f"{what} has {', '.join(unknown)}, which this version does not know")
