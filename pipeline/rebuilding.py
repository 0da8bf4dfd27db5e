"""An image built again from its inputs alone, by a process of its own in other surroundings: ``build --verify``.

The process takes nothing from earlier builds but the downloads, each held to its SHA-256: the bases are made anew, the
engine carries out every step anew, every layer is compressed anew. :data:`PROGRAM` is what that process is told to run;
its argument is the JSON file of an :class:`Order`.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import shutil
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.containers import BuildRequest
from pipeline.core.snapshot import Entry, Kind
from pipeline.errors import PipelineError
from pipeline.images.baselock import BaseLock, parse_lock, render_lock
from pipeline.images.compression import compressor, compressor_digest
from pipeline.stages.build_context import write_context
from pipeline.stages.build_plan import Prepared
from pipeline.stages.image_assembly import Plan, assemble

PROGRAM = "import sys; from pipeline.rebuilding import main; sys.exit(main(sys.argv[1]))"
OUTCOME = "outcome.json"
ARCHIVE = "image.tar"
_DEFECT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where and as whom: a folder that is made, the umask, and the user and group ids (none: as whoever starts it)."""

    folder: str
    umask: int
    user: int | None = None
    group: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be built from what. ``entries`` are path, kind, digest and size of each file of the context."""

    surroundings: Surroundings
    tree: str
    entries: Sequence[tuple[str, str, str, int]]
    wheels: Mapping[str, str]
    debs: Mapping[str, str]
    lock: str
    dockerfile: str
    recipe: str
    tag: str
    arguments: Mapping[str, str]
    labels: Mapping[str, str]
    bases: Sequence[str]
    created: int
    timeout_s: float
    engine_host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: the image, and the surroundings as the process itself found them."""

    image_id: str
    manifest_digest: str
    bases: Sequence[str]
    said: Mapping[str, str] = field(default_factory=dict)


def ordered(ready: Prepared, tree: Path, debs: Path, lock: BaseLock | None, around: Surroundings, host: str) -> Order:
    """The order to build what has been prepared once more; ``debs`` is the folder of the bases' packages."""
    request = ready.plan.request
    return Order(
        surroundings=around,
        tree=str(tree),
        entries=[(entry.path, str(entry.kind), entry.digest, entry.size) for entry in ready.context],
        wheels={name: str(path) for name, path in ready.wheels.items()},
        debs={f"{p.sha256}.deb": str(debs / f"{p.sha256}.deb") for p in lock.packages} if lock else {},
        lock=render_lock(lock) if lock else "",
        dockerfile=request.dockerfile,
        recipe=ready.plan.recipe,
        tag=request.tag,
        arguments=dict(request.arguments),
        labels=dict(ready.plan.labels),
        bases=list(ready.plan.bases),
        created=ready.plan.created,
        timeout_s=request.timeout_s,
        engine_host=host,
    )


def read_order(text: str) -> Order:
    """An order that was written as JSON by :func:`dataclasses.asdict`."""
    document: dict[str, Any] = json.loads(text)
    return Order(**{**document, "surroundings": Surroundings(**document["surroundings"])})


def rebuild(order: Order) -> Outcome:
    """Build it in this process, which takes on the order's surroundings for good.

    Raises:
        PipelineError: the recipe is at fault, the engine fails, or the place can't be written.
    """
    # pylint: disable=import-outside-toplevel  # before the user changes: they may lie where only this one reads
    from pipeline.base_images import LockedBases
    from pipeline.engine_opening import open_engine
    from pipeline.execution.processes import LocalProcesses
    from pipeline.settings import Engine
    from pipeline.testing import SilentProgress

    os.umask(order.surroundings.umask)
    place = Path(order.surroundings.folder)
    tree, wheels = _taken_along(order, place)
    quiet = SilentProgress()
    engine = open_engine(Engine(host=order.engine_host), os.environ, LocalProcesses(os.environ), quiet)
    compressor()
    compressor_digest()
    try:
        _become(order.surroundings, place)
        bases, arguments = tuple(order.bases), dict(order.arguments)
        if order.lock:
            lock = parse_lock(order.lock, "base.lock")
            made = LockedBases(place / "cache", mirror="", lock=lock).ensure(engine, quiet)
            bases = tuple(made.arguments.values())
            arguments |= {name: value for name, value in made.arguments.items() if name in arguments}
        write_context(place / "context.tar", tree, _entries(order), wheels)
        plan = Plan(
            request=_request(order, place, arguments),
            recipe=order.recipe,
            created=order.created,
            bases=bases,
            labels=order.labels,
        )
        image = assemble(plan, engine, scratch=place, blobs=place / "blobs", say=quiet.say, load=False)
        return Outcome(image_id=image.id, manifest_digest=image.manifest.digest, bases=bases, said=_told(place, order))
    finally:
        engine.close()


def _entries(order: Order) -> list[Entry]:
    return [Entry(path=path, kind=Kind(kind), digest=digest, size=size) for path, kind, digest, size in order.entries]


def _request(order: Order, place: Path, arguments: Mapping[str, str]) -> BuildRequest:
    return BuildRequest(
        context=place / "context.tar",
        dockerfile=order.dockerfile,
        tag=order.tag,
        arguments=arguments,
        labels={},
        timeout_s=order.timeout_s,
        use_cache=False,
    )


def _taken_along(order: Order, place: Path) -> tuple[Path, dict[str, Path]]:
    """Copies of all that is needed, with the modes that this umask gives."""
    tree, wheels, debs = place / "tree", place / "wheels", place / "cache" / "debs"
    for folder in (tree, wheels, debs):
        folder.mkdir(parents=True, exist_ok=True)
    for path, *_ in order.entries:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(order.tree) / path, tree / path, follow_symlinks=False)
    for name, source in order.wheels.items():
        shutil.copyfile(source, wheels / name)
    for name, source in order.debs.items():
        shutil.copyfile(source, debs / name)
    return tree, {name: wheels / name for name in order.wheels}


def _become(around: Surroundings, place: Path) -> None:
    """Go on as another user, who keeps the right to speak to the engine, and owns the place."""
    if around.user is None:
        return
    group = around.user if around.group is None else around.group
    for path in (place, *place.rglob("*")):
        os.chown(path, around.user, around.user, follow_symlinks=False)
    os.setgroups([group])
    os.setgid(around.user)
    os.setuid(around.user)


def _told(place: Path, order: Order) -> dict[str, str]:
    try:
        user = getpass.getuser() if order.surroundings.user is None else str(os.getuid())
    except (KeyError, OSError):
        user = str(os.getuid())
    return {
        "folder": str(place),
        "user": user,
        "umask": f"{order.surroundings.umask:03o}",
        "time zone": "/".join(time.tzname),
        "locale": os.environ.get("LC_ALL", ""),
        "python": platform.python_version(),
    }


def main(order_file: str) -> int:
    """Carry out an order, leave the outcome beside the image; returns the exit code."""
    order = read_order(Path(order_file).read_text(encoding="utf-8"))
    try:
        outcome = rebuild(order)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception:  # pylint: disable=broad-exception-caught  # Python's own 1 would mean that the recipe is at fault
        traceback.print_exc()
        return _DEFECT
    text = json.dumps(asdict(outcome)) + "\n"
    (Path(order.surroundings.folder) / OUTCOME).write_text(text, encoding="utf-8")
    return 0
