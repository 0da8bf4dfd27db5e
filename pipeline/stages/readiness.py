"""Waiting for a container: until it answers as ready, has ended, or its time is up."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.core.containers import Container, ContainerEnded, ContainerState
from pipeline.core.ports import Clock, Progress
from pipeline.errors import EngineTrouble

_ANSWER_S = 5.0
_PAUSE_S = 0.05
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether it became ready, after how many seconds, and how it stood then, in a few words."""

    ready: bool
    after_s: float
    found: str


def wait_until_ready(container: Container, path: str, timeout_s: float, clock: Clock, progress: Progress) -> Readiness:
    """Ask for ``path`` until the answer is 200; over at once when the container has ended.

    Raises:
        EngineTrouble: by its own health check it is well, and its port can't be reached from here.
    """
    started = clock.monotonic()
    progress.say("waiting until the container is ready")
    last = 0
    while True:
        state = container.state()
        after = clock.monotonic() - started
        if not state.running:
            return Readiness(ready=False, after_s=after, found=f"it ended {ending(state)} after {after:.1f} s")
        try:
            status = get(container.base_url + path)
        except ContainerEnded as ended:
            return Readiness(ready=False, after_s=after, found=ended.what)
        after = clock.monotonic() - started
        if status == _OK:
            return Readiness(ready=True, after_s=after, found=f"{after:.1f} s")
        last = status or last
        if after >= timeout_s:
            break
        clock.sleep(_PAUSE_S)
    if not last and state.health == "healthy":
        raise EngineTrouble(
            f"The container is healthy by its own check, and {container.base_url} does not answer.",
            why="The port that the engine published is not within reach of this machine.",
            advice="Does the engine run on another machine or outside of this container?",
        )
    answer = f"status {last}" if last else "no answer"
    found = f"{answer} from {path} within {timeout_s:g} s"
    return Readiness(ready=False, after_s=after, found=found)


def ending(state: ContainerState) -> str:
    """How a container ended, in words."""
    memory = ", out of memory" if state.out_of_memory else ""
    return f"with exit code {state.exit_code}{memory}"


def get(url: str) -> int:
    """The status of a GET, 0 when there was no answer. The standard library's client knows no proxies and no redirects.

    A client with more to it takes longer to load than everything else that a stage needs.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_ANSWER_S)
    try:
        connection.request("GET", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
