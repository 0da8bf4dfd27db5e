"""A hardened container of the service, ready to be asked, for as long as a stage needs it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

from pipeline.core.containers import Container, ContainerRequest
from pipeline.core.stage import Status
from pipeline.errors import CouldNotTell, EngineTrouble, TargetFault
from pipeline.stages.context import Context
from pipeline.stages.readiness import wait_until_ready

_LOG_TAIL = 2000


@contextlib.contextmanager
def serving(context: Context, image: str, role: str) -> Iterator[Container]:
    """A fresh container of ``image`` under the settings of smoke, once it is ready; ``role`` names it.

    Raises:
        TargetFault: it ended, or was not ready in time. Its log is kept as ``<role>.log``.
        EngineTrouble: the engine did not do its part.
    """
    container = context.ports.engine().start(container_request(context, image, role))
    try:
        await_ready(context, container, role)
        yield container
    finally:
        container.remove()


def await_ready(context: Context, container: Container, role: str) -> None:
    """Wait until it is ready, by the settings of smoke.

    Raises:
        TargetFault: it ended, or was not ready in time. Its log is kept as ``<role>.log``.
        EngineTrouble: it is well by its own check, and can't be reached.
    """
    smoke, ports = context.settings.smoke, context.ports
    readiness = wait_until_ready(container, smoke.ready_path, smoke.ready_timeout_s, ports.clock, ports.progress)
    if not readiness.ready:
        # Before it is cut, so that nothing is left of what must not be shown.
        log = ports.redact(container.logs())
        context.keep(f"{role}.log", log)
        raise TargetFault(
            f"The {role} container did not become ready: {readiness.found}.",
            why=f"Its log ends with: {log[-_LOG_TAIL:].strip()}" if log.strip() else "Its log is empty.",
        )


def image_under_test(context: Context) -> str:
    """The id of the image that this snapshot's build made and its other stages tested.

    Raises:
        CouldNotTell: build has not passed for this snapshot, or the stages do not speak of one image.
    """
    build = context.results.get("build")
    if build is None or build.status is not Status.PASS or build.snapshot != context.snapshot.digest:
        raise CouldNotTell("There is no image of this snapshot.", advice="Run the build stage first.")
    identities = {
        name: str(result.metrics["image_id"])
        for name, result in context.results.items()
        if name in ("build", "smoke", "canary") and result.metrics.get("image_id")
    }
    if "build" not in identities or len(set(identities.values())) != 1:
        raise CouldNotTell(
            "The stages do not speak of one image.",
            why="; ".join(f"{name} has {identity}" for name, identity in sorted(identities.items()))
            or "build names none.",
            advice="Run build and smoke again.",
        )
    image: str = identities["build"]
    if context.ports.engine().image(image) is None:
        raise EngineTrouble(f"The engine does not have {image} any more.", advice="Run the build stage again.")
    return image


def container_request(context: Context, image: str, role: str) -> ContainerRequest:
    """A hardened container of ``image`` as the settings of smoke have it, with random keys of its own; it is ours."""
    smoke, ownership = context.settings.smoke, context.ports.ownership
    keys = {name: secrets.token_urlsafe(32) for name in smoke.random_keys}
    for value in keys.values():
        context.ports.redact.also(value)
    return ContainerRequest(
        image=image,
        name=f"pipeline-{ownership.checkout[:8]}-{role}-{secrets.token_hex(4)}",
        port=smoke.port,
        environment=smoke.environment,
        secrets=keys,
        memory_mb=smoke.memory_mb,
        cpus=smoke.cpus,
        pids=smoke.pids,
        labels=ownership.labels,
    )
