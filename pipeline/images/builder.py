"""Makes a base image out of locked packages, or recognises the one that was made before."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.bases import BASE_LABEL
from pipeline.errors import FetchTrouble
from pipeline.images import archive, recipe
from pipeline.images.baselock import BaseLock, LockedPackage
from pipeline.images.rootfs import FileTree
from pipeline.images.whole_file import appearing

#: Raised by one with every change of this package's code that changes the bytes of a base.
CODE_VERSION = 2

_PATH = "PATH=/usr/local/bin:/usr/bin"
_DESCRIPTIONS = {
    "builder": "Debian with Python, pip and a shell: where dependencies are installed",
    "runtime": "Debian's Python and what it needs to run: no shell, no pip, no package manager",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """A base image on the disk. ``reference`` is its name in an engine, ``image_id`` ("sha256:<hex>") its id there.

    ``size_bytes`` is the uncompressed layer; ``reused`` says that an earlier archive was found whole.
    """

    name: str
    image_id: str
    reference: str
    archive: Path
    size_bytes: int
    packages: tuple[LockedPackage, ...]
    reused: bool


def archive_name(name: str, lock: BaseLock) -> str:
    """Return the file name under which a cache keeps this base: it changes with the lock and with our code."""
    return f"base-{name}-{lock.digest[:16]}-{CODE_VERSION}.tar"


def reference(name: str, lock: BaseLock) -> str:
    """Return the name and tag that the base has in an engine."""
    return f"pipeline-base/{name}:{lock.digest[:16]}-{CODE_VERSION}"


def find_base(name: str, lock: BaseLock, path: Path) -> BaseImage | None:
    """Return the base in ``path`` if it is whole and was made from this lock by this code; else None."""
    try:
        return _image(name, lock, path, reused=True)
    except (FileNotFoundError, FetchTrouble):
        return None


def make_base(name: str, lock: BaseLock, debs: Mapping[str, Path], path: Path) -> BaseImage:
    """Make the base ``name`` as a docker-archive in ``path``, or take the one that is there if it is whole.

    ``debs`` gives each locked package's file by package name; they must have been verified. The file appears at once
    and whole, also when two do this at the same time. Raises ``FetchTrouble`` for a package that can't be used,
    ``ConfigurationError`` for an unknown base, ``OSError`` for a full or unwritable disk.
    """
    packages = lock.packages_of(name)
    found = find_base(name, lock, path)
    if found is not None:
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent) as scratch, tempfile.TemporaryFile(dir=path.parent) as content:
        tree = FileTree(scratch, recipe.wanted(name))
        for package in packages:
            _add(tree, package, debs)
        recipe.complete(tree, name)
        tree.add_package_records()
        facts = tree.write(content, lock.taken)
        content.seek(0)
        layer = archive.Layer(facts=facts, content=content, created_by=f"pipeline base {name} ({CODE_VERSION})")
        with appearing(path) as unfinished, unfinished.open("wb") as out:
            archive.write_archive(out, _settings(name, lock), [layer], reference(name, lock))
    return _image(name, lock, path, reused=False)


def _add(tree: FileTree, package: LockedPackage, debs: Mapping[str, Path]) -> None:
    if package.name not in debs:
        raise FetchTrouble(f"The package {package} of the base images was not fetched.")
    with debs[package.name].open("rb") as stream:
        tree.add_package(stream, str(package))


def _labels(name: str, lock: BaseLock) -> dict[str, str]:
    return {
        "org.opencontainers.image.title": f"pipeline base: {name}",
        "org.opencontainers.image.description": _DESCRIPTIONS.get(name, name),
        "org.opencontainers.image.version": f"{lock.release}-{lock.digest[:16]}-{CODE_VERSION}",
        BASE_LABEL: name,
        "pipeline.base.lock": f"sha256:{lock.digest}",
    }


def _settings(name: str, lock: BaseLock) -> archive.ImageSettings:
    return archive.ImageSettings(
        architecture=lock.architecture, created=lock.taken, environment=(_PATH,), labels=_labels(name, lock)
    )


def _image(name: str, lock: BaseLock, path: Path, *, reused: bool) -> BaseImage:
    """Describe the archive in ``path`` from its bytes. Raises ``FetchTrouble`` when they are not whole or not ours."""
    with path.open("rb") as stream:
        facts = archive.check_archive(stream)
    if facts.labels != _labels(name, lock):
        raise FetchTrouble(f"{path.name} is not the base {name} of this lock.")
    return BaseImage(
        name=name,
        image_id=facts.image_id,
        reference=reference(name, lock),
        archive=path,
        size_bytes=facts.size_bytes,
        packages=lock.packages_of(name),
        reused=reused,
    )
