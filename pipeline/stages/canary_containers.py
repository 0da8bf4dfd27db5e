"""The containers of a comparison: started, read and removed beside one another, since each mostly waits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait

from pipeline.core.canary_judge import CANDIDATE
from pipeline.core.containers import Container, ContainerRequest, Usage
from pipeline.errors import CouldNotTell, TargetFault
from pipeline.stages.context import Context
from pipeline.stages.service_container import await_ready


@contextlib.contextmanager
def serving_all(context: Context, requests: Mapping[str, ContainerRequest]) -> Iterator[dict[str, Container]]:
    """A fresh container of each side, once all are ready. They are killed in the end: how a service stops is the smoke
    stage's question.

    Raises:
        CouldNotTell: a container of the release does not start, which says nothing of the candidate.
        TargetFault: the candidate does not start.
        EngineTrouble: the engine did not do its part.
    """
    # Opened here, and not by several threads at once.
    engine = context.ports.engine()
    with ThreadPoolExecutor(len(requests)) as pool:
        starts = {side: pool.submit(engine.start, request) for side, request in requests.items()}
        try:
            containers: dict[str, Container] = {}
            for side, start in starts.items():
                with _blamed(side):
                    containers[side] = start.result()
            # One after the other, and yet as soon as the last: all get ready meanwhile, and an interrupt ends the wait.
            for side, container in containers.items():
                with _blamed(side):
                    await_ready(context, container, role_of(side))
            yield containers
        finally:
            # What one of them met must not leave another behind.
            wait(starts.values())
            started = [start.result() for start in starts.values() if start.exception() is None]
            for end in [pool.submit(container.remove) for container in started]:
                end.result()


def usage_of(containers: Mapping[str, Container]) -> dict[str, Usage]:
    """What each has used until now. Docker 20.10 measures once a second: asked together, they wait for it together."""
    with ThreadPoolExecutor(len(containers)) as pool:
        return dict(zip(containers, pool.map(lambda one: one.usage(), containers.values()), strict=True))


def role_of(side: str) -> str:
    """The side's name as containers and files have it."""
    return side.replace(" ", "-")


@contextlib.contextmanager
def _blamed(side: str) -> Iterator[None]:
    try:
        yield
    except TargetFault as fault:
        if side == CANDIDATE:
            raise
        raise CouldNotTell(
            "The current release does not start, so there is nothing to compare with.", why=str(fault)
        ) from fault
