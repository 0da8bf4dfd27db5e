"""The bases of locked Debian packages, put together from their parts: lock, archive, image recipe, engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.core.bases import BUILDER_ARGUMENT, RUNTIME_ARGUMENT, BaseSet, Outline
from pipeline.core.containers import ContainerEngine
from pipeline.core.image_inputs import ImageInput, InputKind
from pipeline.core.ports import Progress
from pipeline.errors import EngineTrouble, FetchTrouble, StorageTrouble
from pipeline.execution.base_lock_renewal import Renewal
from pipeline.execution.debian_archive import DebianArchive, PackageGone, fetch_packages, find_archive
from pipeline.images.baselock import BaseLock, shipped_lock
from pipeline.images.builder import BaseImage, archive_name, find_base, make_base
from pipeline.images.outline import ensure_outline

_ARGUMENTS = {"builder": BUILDER_ARGUMENT, "runtime": RUNTIME_ARGUMENT}
_PYTHON = ("python", "-minimal")


Renewing = Callable[[BaseLock, DebianArchive, Progress], Renewal]
"""Looks up the newest packages in an archive's own signed lists; raises FetchTrouble when nothing vouches for them."""


class LockedBases:
    """BaseImages below ``cache``. ``mirror`` is the setting ``build.debian_mirror``: empty, or an address.

    ``renewing`` finds the newer packages when the archive has lost a locked one; without it that is trouble.
    """

    def __init__(
        self, cache: Path, *, mirror: str, lock: BaseLock | None = None, renewing: Renewing | None = None
    ) -> None:
        self._cache = cache
        self._mirror = mirror
        self._lock = lock or shipped_lock()
        self._renewing = renewing
        self._replaced: tuple[str, ...] = ()

    def ensure(self, engine: ContainerEngine, progress: Progress) -> BaseSet:
        """The bases, ready to be built from.

        Raises:
            FetchTrouble: a package can't be had, or is not the locked one; with ``renewing``, neither is a newer one.
            EngineTrouble: the engine does not take them.
            StorageTrouble: the cache can't be written.
        """
        try:
            made = self._all_made(progress)
            runtime = made["runtime"].archive
            outline = runtime.with_name(f"outline-{runtime.name}")
            outlined: Outline | None = None
            # Of a base that has none the recipe is carried out on the base itself, which is slower.
            with contextlib.suppress(FetchTrouble):
                outlined = Outline(image=ensure_outline(runtime, outline), base=runtime)
        except OSError as error:
            raise StorageTrouble(
                f"The base images could not be written: {error.strerror or error}.",
                advice=f"Free space in {self._cache}.",
            ) from error
        for base in made.values():
            _load(base, engine, progress)
        if outlined is not None and engine.image(outlined.image) is None:
            engine.load(outline)
            if engine.image(outlined.image) is None:
                outlined = None
        return BaseSet(
            arguments={_ARGUMENTS[name]: base.image_id for name, base in made.items()},
            packages=tuple(str(package) for package in made["runtime"].packages),
            python=_python_of(made["runtime"]),
            release=self._lock.release,
            architecture=self._lock.architecture,
            lock_digest=self._lock.digest,
            archives={str(package): package.sha256 for package in made["runtime"].packages},
            name=made["runtime"].reference,
            replaced=self._replaced,
            inputs=(*_inputs(self._lock), *map(_base_input, made.values())),
            outline=outlined,
        )

    def _all_made(self, progress: Progress) -> dict[str, BaseImage]:
        try:
            return {name: self._made(name, progress) for name in _ARGUMENTS}
        except PackageGone as gone:
            if self._renewing is None:
                raise
            # The packages of one source must be of one version, so all are taken anew, and not only the missing one.
            progress.say(f"{gone.what} Looking for newer ones.")
            renewal = self._renewing(self._lock, self._archive(progress), progress)
            self._lock, self._replaced = renewal.lock, renewal.changes
            for change in renewal.changes:
                progress.say(f"NOT AS LOCKED: {change}")
            return {name: self._made(name, progress) for name in _ARGUMENTS}

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


def _inputs(lock: BaseLock) -> Iterator[ImageInput]:
    yield ImageInput(kind=InputKind.BASE_LOCK, name="base.lock", sha256=lock.digest)
    for package in lock.packages:
        yield ImageInput(
            kind=InputKind.DEBIAN_PACKAGE,
            name=package.name,
            version=package.version,
            sha256=package.sha256,
            uri=f"pkg:deb/debian/{package.name}@{package.version}?arch={package.architecture}&distro={lock.release}",
        )


def _base_input(base: BaseImage) -> ImageInput:
    """The base itself: by its id, which is the digest of its configuration."""
    return ImageInput(kind=InputKind.BASE_IMAGE, name=base.reference, sha256=base.image_id.removeprefix("sha256:"))
