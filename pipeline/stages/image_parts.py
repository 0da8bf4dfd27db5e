"""What an image must hold of its project, and what of that it does hold: its source files, its locked packages, its
base's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.utils import canonicalize_version

from pipeline.core.lock import Pin
from pipeline.core.snapshot import Entry, Kind, Snapshot, is_below
from pipeline.images.contents import ImageContents, ImageFile
from pipeline.stages.image_checks import Strangers


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an image should be made of.

    ``files`` are the entries of the build context below the folder ``service``; ``tests`` those of the snapshot that
    must stay out; ``pins`` the locked packages of the image's platform; ``base_packages`` what its base's lock names,
    as ``name version``; ``may_also_hold`` are distributions that are no strangers, and None when the base is not ours
    and may hold any.
    """

    service: str
    files: tuple[Entry, ...]
    tests: tuple[Entry, ...]
    pins: tuple[Pin, ...]
    base_packages: tuple[str, ...] = ()
    may_also_hold: frozenset[str] | None = frozenset()

    @property
    def expected(self) -> frozenset[str]:
        """The names of all parts that must be found: the service's Python files and every package."""
        sources = {f"file {entry.path}" for entry in self.sources}
        locked = {f"Python package {pin.name} {pin.version}" for pin in self.pins}
        return frozenset(sources | locked | {f"Debian package {package}" for package in self.base_packages})

    @property
    def sources(self) -> tuple[Entry, ...]:
        """The service's Python files: what must be in any image of it, wherever the recipe puts it."""
        return tuple(entry for entry in self.files if entry.path.endswith(".py"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The names of the parts that were found, what else is there, and packages that no lock covers."""

    checked: frozenset[str]
    strangers: Strangers
    unlocked: tuple[str, ...]


def project_parts(
    snapshot: Snapshot, context: Iterable[Entry], service: str, tests: tuple[str, ...]
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """Of the build context's entries those of the service without its tests; and the snapshot's test files, which must
    stay out.

    Empty test files (an ``__init__.py``) are left out: an empty file is equal to any other.
    """
    regular = [entry for entry in context if entry.kind in (Kind.FILE, Kind.EXECUTABLE)]
    files = [e for e in regular if is_below(e.path, service) and not any(is_below(e.path, folder) for folder in tests)]
    out = [snapshot.by_path[path] for path in snapshot.files(tests, "*.py")]
    return tuple(files), tuple(entry for entry in out if entry.size)


def find(parts: Parts, contents: ImageContents) -> Found:
    """Look for every part among what the image holds."""
    by_name: dict[str, list[ImageFile]] = defaultdict(list)
    for file in contents.files.values():
        by_name[file.path.rpartition("/")[2]].append(file)
    held = [entry for entry in parts.sources if _is_held(entry, _inside(entry.path, parts.service), by_name)]
    altered = [entry.path for entry in parts.files if _is_altered(entry, by_name)]
    tests = [e.path for e in parts.tests if any(f.sha256 == e.digest for f in by_name[e.path.rpartition("/")[2]])]
    installed = {
        (name, canonicalize_version(version)): f"{name} {version}" for name, version in contents.python_packages()
    }
    locked = {(pin.name, canonicalize_version(pin.version)): pin for pin in parts.pins}
    others = {
        key: shown
        for key, shown in installed.items()
        if key not in locked and key[0] not in (parts.may_also_hold or ())
    }
    names = {pin.name for pin in parts.pins}
    unlike = {shown for key, shown in others.items() if parts.may_also_hold is not None or key[0] in names}
    debian = {f"Debian package {name} {version}" for name, version in contents.debian_packages()}
    return Found(
        checked=frozenset(
            {f"file {entry.path}" for entry in held}
            | {f"Python package {pin.name} {pin.version}" for key, pin in locked.items() if key in installed}
            | debian
        ),
        strangers=Strangers(tests=tuple(tests), altered=tuple(altered), other_versions=tuple(sorted(unlike))),
        unlocked=tuple(sorted(set(others.values()) - unlike)),
    )


def _inside(path: str, service: str) -> str:
    """The path as a recipe may place it: relative to the service's folder, without a ``src`` in front."""
    relative = path if service in ("", ".") else path.removeprefix(f"{service}/")
    return relative.removeprefix("src/")


def _is_held(entry: Entry, place: str, by_name: dict[str, list[ImageFile]]) -> bool:
    candidates = by_name[entry.path.rpartition("/")[2]]
    return any(file.sha256 == entry.digest and f"/{file.path}".endswith(f"/{place}") for file in candidates)


def _is_altered(entry: Entry, by_name: dict[str, list[ImageFile]]) -> bool:
    """Whether a file lies at this place below some folder of the image, and none such has the snapshot's content."""
    place = entry.path.removeprefix("src/")
    there = [f for f in by_name[entry.path.rpartition("/")[2]] if f"/{f.path}".endswith(f"/{place}") and f.sha256]
    return "/" in place and bool(there) and all(file.sha256 != entry.digest for file in there)
