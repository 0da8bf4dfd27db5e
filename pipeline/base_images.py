"""The bases of locked Debian packages, put together from their parts: lock, archive, image recipe, engine."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.bases import BUILDER_ARGUMENT, RUNTIME_ARGUMENT, BaseSet
from pipeline.core.containers import ContainerEngine
from pipeline.core.ports import Progress
from pipeline.errors import EngineTrouble, StorageTrouble
from pipeline.execution.debian_archive import DebianArchive, fetch_packages, find_archive
from pipeline.images.baselock import BaseLock, shipped_lock
from pipeline.images.builder import BaseImage, archive_name, find_base, make_base

_ARGUMENTS = {"builder": BUILDER_ARGUMENT, "runtime": RUNTIME_ARGUMENT}
_PYTHON = ("python", "-minimal")


class LockedBases:
    """BaseImages below ``cache``. ``mirror`` is the setting ``build.debian_mirror``: empty, or an address."""

    def __init__(self, cache: Path, *, mirror: str, lock: BaseLock | None = None) -> None:
        self._cache = cache
        self._mirror = mirror
        self._lock = lock or shipped_lock()

    def ensure(self, engine: ContainerEngine, progress: Progress) -> BaseSet:
        """The bases, ready to be built from.

        Raises:
            FetchTrouble: a package can't be had, or is not the locked one.
            EngineTrouble: the engine does not take them.
            StorageTrouble: the cache can't be written.
        """
        try:
            made = {name: self._made(name, progress) for name in _ARGUMENTS}
        except OSError as error:
            raise StorageTrouble(
                f"The base images could not be written: {error.strerror or error}.",
                advice=f"Free space in {self._cache}.",
            ) from error
        for base in made.values():
            _load(base, engine, progress)
        return BaseSet(
            arguments={_ARGUMENTS[name]: base.image_id for name, base in made.items()},
            packages=tuple(str(package) for package in made["runtime"].packages),
            python=_python_of(made["runtime"]),
            release=self._lock.release,
            architecture=self._lock.architecture,
            lock_digest=self._lock.digest,
            archives={str(package): package.sha256 for package in made["runtime"].packages},
        )

    def _made(self, name: str, progress: Progress) -> BaseImage:
        path = self._cache / "bases" / archive_name(name, self._lock)
        found = find_base(name, self._lock, path)
        if found is not None:
            return found
        debs = fetch_packages(
            self._lock.packages_of(name), lambda: self._archive(progress), self._cache / "debs", progress=progress.say
        )
        progress.say(f"making the {name} base image")
        return make_base(name, self._lock, debs, path)

    def _archive(self, progress: Progress) -> DebianArchive:
        return find_archive(self._lock.release, setting=self._mirror, progress=progress.say)


def _load(base: BaseImage, engine: ContainerEngine, progress: Progress) -> None:
    """What counts is the id: an image of the same name may be anything."""
    if engine.image(base.image_id) is None:
        progress.say(f"loading the {base.name} base image ({base.size_bytes / 1e6:.0f} MB)")
        engine.load(base.archive)
    if engine.image(base.image_id) is None:
        raise EngineTrouble(f"The engine took the {base.name} base image and does not have it.")


def _python_of(base: BaseImage) -> str:
    before, after = _PYTHON
    names = [package.name for package in base.packages]
    return next(name[len(before) : -len(after)] for name in names if name.startswith(before) and name.endswith(after))
