"""What runs leave behind and nobody needs any more: images, their names, tools' environments, the rehearsal's storage.

``pipeline clean`` takes away what is beyond the newest few, while no run of this checkout is at work; a build keeps
the names of images bounded by itself.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pipeline.console_plain import tell
from pipeline.core.bases import BASE_LABEL
from pipeline.core.containers import ContainerEngine
from pipeline.core.stage import StageResult, Status
from pipeline.errors import PipelineError, StorageTrouble
from pipeline.execution.clock import SystemClock
from pipeline.execution.environments import MARKER, alone_with
from pipeline.execution.image_names import ImageNames
from pipeline.execution.rehearsal_storage import RehearsalStorage, is_served
from pipeline.execution.releases import ReleaseFile
from pipeline.workplace import Workplace

MOST_NAMES = 10
"""How many names of images builds leave by themselves."""
_RECENTLY_S = 3600.0
_LONG_AGO_S = 14 * 24 * 3600.0
_REHEARSAL = re.compile(r"127\.0\.0\.1:[0-9]+/")
_ENVIRONMENT = re.compile(r"(?P<title>.+)-[0-9a-f]{12}")


def clean(place: Workplace, keep: int) -> int:
    """Remove it and say what; returns 0.

    Raises:
        ConfigurationError: a run is at work in this checkout.
        EngineTrouble: no container engine answers, after all else is done.
    """
    with contextlib.closing(place):
        # Whatever a run of this checkout uses is out of reach by this, since that run holds the lock.
        place.lock.acquire()
        own = place.state.parent
        said = [*_environments(own / "environments", keep), *_storage(place, keep), *_blobs(own / "cache" / "blobs")]
        for sentence in said:
            tell(sys.stdout, sentence)
        engine = place.ports.engine()
        removed = [*engine.remove_leftovers(place.ownership), *prune_names(place, engine, keep)]
        for name in removed:
            tell(sys.stdout, f"removed {name}")
        # What an engine keeps of each build of a recipe, so that the next one can go on from there.
        nameless = engine.remove_nameless(BASE_LABEL, _LONG_AGO_S)
        if nameless:
            tell(sys.stdout, f"removed {nameless} images of long ago that have no name")
        tell(sys.stdout, f"{len(removed)} left-overs removed")
    return 0


def remember(place: Workplace, result: StageResult) -> None:
    """Write down the name of the image that a build has made, and take away those of long ago. It fails no run."""
    name = result.metrics.get("tag")
    if result.name == "build" and result.status is Status.PASS and isinstance(name, str):
        with contextlib.suppress(PipelineError):
            names_of(place).add(name)
            if len(names_of(place).read()) > MOST_NAMES:
                prune_names(place, place.ports.engine(), MOST_NAMES)


def names_of(place: Workplace) -> ImageNames:
    """The names that this checkout's builds have given."""
    return ImageNames(place.state / "images.json")


def prune_names(place: Workplace, engine: ContainerEngine, keep: int) -> list[str]:
    """Take the names beyond the newest ``keep`` away, and those by which the same images were pulled for a probe.

    Only names that this checkout has given, and only where nobody else has named the image too; what a container uses
    the engine keeps.
    """
    book = names_of(place)
    old = book.read()[:-keep]
    push = place.settings.push
    real = f"{push.registry}/{push.repository}@"
    removed = []
    for name in old:
        every = engine.names(name)
        pulled = [other for other in every if _REHEARSAL.match(other) or (push.registry and other.startswith(real))]
        theirs = set(every) - set(pulled) - set(old)
        removed += [other for other in (*([] if theirs else pulled), name) if engine.untag(other)]
    book.forget(*old)
    return removed


def _environments(folder: Path, keep: int) -> Iterator[str]:
    """Of the environments with one title the newest stay, by when they were used last."""
    titled: dict[str, list[Path]] = defaultdict(list)
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _ENVIRONMENT.fullmatch(path.name)
        if match and path.is_dir():
            titled[match["title"]].append(path)
    for paths in titled.values():
        for path in sorted(paths, key=_used, reverse=True)[keep:]:
            # Tests and other tools of a developer use them too, without a run.
            if time.time() - _used(path) > _RECENTLY_S and _removed(path):
                yield f"removed the environment {path.name}"


def _removed(path: Path) -> bool:
    try:
        with alone_with(path) as alone:
            if alone:
                (path / MARKER).unlink(missing_ok=True)
                shutil.rmtree(path)
            return alone
    except OSError as error:
        raise StorageTrouble(f"{path.name} could not be removed: {error.strerror or error}.") from error


def _used(path: Path) -> float:
    """When it was used last; never, where it is not complete."""
    try:
        return (path / MARKER).stat().st_mtime
    except OSError:
        return 0.0


def _blobs(folder: Path) -> Iterator[str]:
    """Compressed layers of long ago: whatever is needed again is made again, and is the same."""
    old = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    old = [path for path in old if time.time() - path.stat().st_mtime > _LONG_AGO_S]
    size = sum(path.stat().st_size for path in old)
    for path in old:
        path.unlink(missing_ok=True)
    if old:
        yield f"removed {len(old)} compressed layers of long ago, {size / 1e6:.1f} MB"


def _storage(place: Workplace, keep: int) -> Iterator[str]:
    """The rehearsal's images, but for those that the next canary is compared with."""
    if is_served(place.state):
        yield "the rehearsal registry is being served, so its storage was left as it is"
        return
    storage = RehearsalStorage(place.state.parent / "registry")
    removed = storage.prune(keep, ReleaseFile(place.state / "releases.json", SystemClock()).every())
    yield from (f"removed {digest} from the rehearsal registry" for digest in removed.images)
    if removed.size:
        yield f"{removed.size / 1e6:.1f} MB of the rehearsal registry freed"
