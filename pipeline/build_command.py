"""``pipeline build --verify``: the image twice from scratch, in different places, and whether both are the same.

Different are the path, the umask, the time zone, the locale, the seed of Python's hashes and, for root, the user.
Nothing is reused but downloads, which are held to their SHA-256. What the last run has built counts as a third.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pipeline.core.ports import Request
from pipeline.errors import CouldNotTell, PipelineError, TargetFault
from pipeline.execution.report_files import write_below
from pipeline.images.baselock import BaseLock, shipped_lock
from pipeline.images.difference import differences
from pipeline.rebuilding import ARCHIVE, OUTCOME, PROGRAM, Outcome, Surroundings, ordered
from pipeline.stages.build import BuildStage
from pipeline.stages.build_plan import Prepared, prepared
from pipeline.stages.context import Context
from pipeline.workplace import Workplace

_NOBODY = 65534
_MOST_SHOWN = 40
_ENGINE_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")
_SOCKET = Path("/var/run/docker.sock")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """Surroundings that a process is started in: its environment, besides those that it takes on by itself."""

    surroundings: Surroundings
    variables: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    outcome: Outcome
    archive: Path


def verify(place: Workplace) -> int:
    """Build twice, compare, and say what differs; returns the exit code: 0 the same, 1 not.

    Raises:
        PipelineError: an image could not be built, or its inputs could not be had, so nothing was compared.
    """
    place.lock.acquire()
    try:
        with place.console.step("build --verify"), _folders(place) as (near, far):
            context = _context(place, near)
            ready = prepared(context, context.ports.engine())
            lock = _lock(ready)
            runs = []
            for number, around in enumerate(_surroundings(near, far), 1):
                place.console.say(f"building from scratch, {number} of 2")
                runs.append(_rebuilt(place, context, ready, lock, around))
            same = _told(place, runs, _last_built(place, context))
    finally:
        place.close()
    return 0 if same else 1


def _context(place: Workplace, scratch: Path) -> Context:
    """That of the stage, but what it keeps goes to the scratch: the last run's report stays as it is."""
    snapshot = place.checkout.snapshot()
    BuildStage().check_settings(place.settings, snapshot)
    tree = place.lay_out(snapshot, alone=True)
    context = place.context("build", snapshot, tree, scratch=scratch, results={}, arguments=())

    def keep(name: str, text: str) -> Path:
        return write_below(scratch, name, text)

    return replace(context, keeper=keep)


def _lock(ready: Prepared) -> BaseLock | None:
    """The lock by which the bases are made again; none where the recipe names its own.

    Raises:
        CouldNotTell: the archive has lost a package of it, so nobody can make these bases again.
    """
    if ready.bases is None:
        return None
    if ready.bases.replaced:
        raise CouldNotTell(
            "The Debian archive has lost packages of the lock, so the image can't be built from it again.",
            why="; ".join(ready.bases.replaced) + ".",
            advice="Renew the lock with `pipeline base-lock`.",
        )
    return shipped_lock()


def _surroundings(near: Path, far: Path) -> Iterator[_Around]:
    """Two that have as little in common as this machine allows."""
    yield _Around(
        surroundings=Surroundings(folder=str(near / "first"), umask=0o002),
        variables={"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"},
    )
    yield _Around(
        surroundings=Surroundings(
            folder=str(far / "another place" / "second"),
            umask=0o077,
            user=_NOBODY if os.getuid() == 0 else None,
            group=_SOCKET.stat().st_gid if _SOCKET.exists() else None,
        ),
        variables={"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "4294967295"},
    )


def _rebuilt(place: Workplace, context: Context, ready: Prepared, lock: BaseLock | None, around: _Around) -> _Built:
    folder = Path(around.surroundings.folder)
    folder.mkdir(parents=True)
    debs = context.ports.cache / "debs"
    order = ordered(ready, context.tree, debs, lock, around.surroundings, place.settings.engine.host)
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(asdict(order)), encoding="utf-8")
    engine = {name: place.environ[name] for name in _ENGINE_VARIABLES if name in place.environ}
    package = str(Path(__file__).parent.parent)
    ended = place.processes.run(
        Request(
            argv=(sys.executable, "-c", PROGRAM, str(file)),
            cwd=folder,
            timeout_s=2 * order.timeout_s,
            env={**engine, **around.variables, "PYTHONPATH": package, "PYTHONDONTWRITEBYTECODE": "1"},
            title="building from scratch",
        )
    )
    if ended.exit_code != 0:
        error: type[PipelineError] = TargetFault if ended.exit_code == 1 else CouldNotTell
        raise error("The image could not be built from scratch, so nothing was compared.", why=ended.tail(12))
    outcome = Outcome(**json.loads((folder / OUTCOME).read_text(encoding="utf-8")))
    return _Built(outcome=outcome, archive=folder / ARCHIVE)


def _last_built(place: Workplace, context: Context) -> tuple[str, str] | None:
    """Image id and manifest digest that the last run had for this very content, or none."""
    last = place.store.previous("build")
    if last is None or last.snapshot != context.snapshot.digest or "manifest_digest" not in last.metrics:
        return None
    return str(last.metrics["image_id"]), str(last.metrics["manifest_digest"])


def _told(place: Workplace, runs: Sequence[_Built], last: tuple[str, str] | None) -> bool:
    line = place.console.line
    for number, run in enumerate(runs, 1):
        line(f"build {number}: image {run.outcome.image_id}")
        line(f"         manifest {run.outcome.manifest_digest}")
        line("         " + ", ".join(f"{name} {value}" for name, value in run.outcome.said.items()))
    found = {(run.outcome.image_id, run.outcome.manifest_digest) for run in runs}
    if last is not None:
        line(f"last run: image {last[0]}")
        line(f"         manifest {last[1]}")
    if len(found) == 1 and last in (None, *found):
        line("The same image and the same manifest each time.")
        return True
    with runs[0].archive.open("rb") as one, runs[1].archive.open("rb") as other:
        sentences = differences(one, other)
    for sentence in sentences[:_MOST_SHOWN]:
        line(sentence)
    if len(sentences) > _MOST_SHOWN:
        line(f"… and {len(sentences) - _MOST_SHOWN} further differences.")
    if len(found) == 1:
        line("The last run has built another image of the same content: run `pipeline run build` again, and compare.")
    elif not sentences:
        line("The images are equal, and their manifests are not: the compressors differ.")
    line("The image is NOT reproducible.")
    return False


@contextmanager
def _folders(place: Workplace) -> Iterator[tuple[Path, Path]]:
    """Two folders for the time of a comparison: one in the checkout, one where the system has its temporary files."""
    place.scratch.mkdir(parents=True, exist_ok=True)
    near = Path(tempfile.mkdtemp(dir=place.scratch, prefix="verify-"))
    far = Path(tempfile.mkdtemp(prefix="pipeline-verify-"))
    try:
        # Another user must get to its place in it.
        far.chmod(0o711)
        yield near, far
    finally:
        for folder in (near, far):
            shutil.rmtree(folder, ignore_errors=True)
