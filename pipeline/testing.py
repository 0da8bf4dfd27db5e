"""Fakes that ship with the library, for tests of stages of your own and for faults that the real thing can't be made to
show.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.core.containers import (
    BuildRequest,
    Container,
    ContainerRequest,
    ContainerState,
    Executed,
    Image,
    Ownership,
    Usage,
)
from pipeline.core.oci_manifest import digest_of
from pipeline.core.ports import Outcome, Request
from pipeline.errors import EngineTrouble


class ScriptedRunner:
    """A ProcessRunner that answers from a script and remembers what it was asked.

    Each step is an Outcome, or a function from the request to one (which may write the files that a tool would).
    """

    def __init__(self, steps: Sequence[Outcome | Callable[[Request], Outcome]]) -> None:
        self._steps = list(steps)
        self.requests: list[Request] = []

    def run(self, request: Request) -> Outcome:
        """The next step's outcome. Raises AssertionError when the script is at its end."""
        self.requests.append(request)
        if not self._steps:
            raise AssertionError(f"no step is left for {request.argv}")
        step = self._steps.pop(0)
        return step if isinstance(step, Outcome) else step(request)


def outcome(exit_code: int = 0, stdout: str = "", stderr: str = "", *, timed_out: bool = False) -> Outcome:
    """An Outcome with the rest filled in."""
    return Outcome(exit_code=exit_code, stdout=stdout, stderr=stderr, duration_s=0.0, timed_out=timed_out)


class FixedClock:
    """A Clock that stands still until it is told to sleep."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        """The start plus all that was slept."""
        return self._now + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds slept so far."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Pass the time at once."""
        self._elapsed += seconds


class SilentProgress:
    """A Progress that keeps what it was told in ``said`` and ``updates``."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.updates: list[str] = []

    def say(self, text: str) -> None:
        """Remember it."""
        self.said.append(text)

    def update(self, text: str) -> None:
        """Remember it."""
        self.updates.append(text)


RUNNING = ContainerState(status="running", exit_code=0, out_of_memory=False, health="")
KILLED = ContainerState(status="exited", exit_code=137, out_of_memory=False, health="")
ENDED_WELL = ContainerState(status="exited", exit_code=0, out_of_memory=False, health="")


@dataclass(kw_only=True)
class FakeContainer:
    """A Container that is as its fields say. ``removed`` counts how often it was removed.

    ``programs`` answers what is run in it; without it nothing can be run.
    """

    base_url: str = "http://127.0.0.1:9"
    now: ContainerState = RUNNING
    after_stop: ContainerState = ENDED_WELL
    log: str = ""
    answer: dict[str, Any] = field(default_factory=dict)
    id: str = "container"
    removed: int = 0
    programs: Callable[[Sequence[str]], Executed] | None = None
    paused: int = 0
    used: Usage = field(default_factory=lambda: Usage(cpu_s=1.0, memory_bytes=1_000_000))

    def state(self) -> ContainerState:
        """What it does now."""
        return self.now

    def logs(self) -> str:
        """What it wrote."""
        return self.log

    def usage(self) -> Usage:
        """What it used."""
        return self.used

    def inspect(self) -> dict[str, Any]:
        """The engine's answer."""
        return self.answer

    def stop(self, timeout_s: float) -> ContainerState:
        """Stop at once."""
        del timeout_s
        self.now = self.after_stop
        return self.now

    def kill(self) -> ContainerState:
        """End at once, as a kill does."""
        self.now = KILLED
        return self.now

    def start_again(self) -> None:
        """Run again."""
        self.now = RUNNING

    def pause(self) -> None:
        """Count it."""
        self.paused += 1

    def execute(self, argv: Sequence[str]) -> Executed:
        """What ``programs`` answers. Raises EngineTrouble without it."""
        if self.programs is None:
            raise EngineTrouble(f"{argv[0]} could not be run in the container.")
        return self.programs(argv)

    def remove(self) -> None:
        """Count it."""
        self.removed += 1


@dataclass(kw_only=True)
class FakeEngine:
    """A ContainerEngine that holds ``images`` and answers with what it was given; ``asked`` remembers requests in
    order.

    An exception in the place of ``build_log`` is raised by the build. ``archive`` is what every export writes. A
    docker-archive that is loaded becomes an image like the one that was built, with its own id and layers.
    """

    images: dict[str, Image] = field(default_factory=dict)
    built: str = ""
    build_log: str | Exception = ""
    container: FakeContainer = field(default_factory=FakeContainer)
    archive: bytes = b""
    leftovers: tuple[str, ...] = ()
    nameless: int = 0
    asked: list[BuildRequest | ContainerRequest | Path | tuple[str, str]] = field(default_factory=list)
    name: str = "docker"
    version: str = "0"
    architecture: str = "amd64"

    def build(self, request: BuildRequest) -> tuple[str, str]:
        """The image that was announced as ``built``."""
        self.asked.append(request)
        if isinstance(self.build_log, Exception):
            raise self.build_log
        return self.built, self.build_log

    def load(self, archive: Path) -> None:
        """Remember it, and hold what it is an archive of."""
        self.asked.append(archive)
        if self.built not in self.images or not tarfile.is_tarfile(archive):
            return
        with tarfile.open(archive) as tar:
            (image,) = json.loads(_read(tar, "manifest.json"))
            config = _read(tar, image["Config"])
        told = json.loads(config)
        identity = digest_of(config)
        self.images[identity] = replace(
            self.images[self.built],
            id=identity,
            diff_ids=tuple(told["rootfs"]["diff_ids"]),
            labels=told["config"].get("Labels") or {},
        )

    def image(self, reference: str) -> Image | None:
        """The image with this id or tag."""
        return self.images.get(reference)

    def export(self, reference: str, target: Path) -> None:
        """Write the archive."""
        del reference
        target.write_bytes(self.archive)

    def tag(self, image: str, reference: str) -> None:
        """The image gets a further name."""
        self.images[reference] = self.images[image]

    def start(self, request: ContainerRequest) -> Container:
        """The container."""
        self.asked.append(request)
        return self.container

    def pull(self, reference: str, credentials: Mapping[str, str], *, timeout_s: float = 600.0) -> str:
        """The id of the image with this name."""
        del credentials, timeout_s
        self.asked.append(("pull", reference))
        return self.images[reference].id

    def names(self, reference: str) -> Sequence[str]:
        """Every name under which the very image is held."""
        image = self.images.get(reference)
        return tuple(name for name, other in self.images.items() if image is not None and other is image)

    def untag(self, name: str) -> bool:
        """Forget the name."""
        return self.images.pop(name, None) is not None

    def remove_nameless(self, label: str, seconds: float) -> int:
        """As many as it was made with."""
        self.asked.append(("remove nameless", f"{label}, {seconds:.0f} s"))
        return self.nameless

    def remove_leftovers(self, ownership: Ownership) -> Sequence[str]:
        """What was left."""
        del ownership
        return self.leftovers

    def close(self) -> None:
        """Nothing is open."""


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    return file.read() if file is not None else b""
