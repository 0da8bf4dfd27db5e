"""A hardened container of the service, ready to be asked, for as long as a stage needs it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

from pipeline.core.containers import Container, ContainerEnded, ContainerRequest
from pipeline.core.stage import Status
from pipeline.errors import CouldNotTell, EngineTrouble, TargetFault
from pipeline.stages.context import Context

_POLL_S = 0.05
_ANSWER_S = 5.0
_LOG_TAIL = 2000


@contextlib.contextmanager
def serving(context: Context, image: str, role: str) -> Iterator[Container]:
    """A fresh container of ``image`` under the settings of smoke, once it is ready; removed in the end. ``role`` names it.

    Raises:
        TargetFault: it ended, or was not ready in time. Its log is kept as ``<role>.log``.
        EngineTrouble: the engine did not do its part.
    """
    container = context.ports.engine().start(_request(context, image, role))
    try:
        try:
            _wait_until_ready(context, container, role)
        except TargetFault:
            context.keep(f"{role}.log", container.logs())
            raise
        yield container
    finally:
        container.remove()


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


def _request(context: Context, image: str, role: str) -> ContainerRequest:
    smoke = context.settings.smoke
    random_values = {name: secrets.token_urlsafe(32) for name in smoke.random_keys}
    for value in random_values.values():
        context.ports.redact.also(value)
    return ContainerRequest(
        image=image,
        name=f"pipeline-{role}-{secrets.token_hex(4)}",
        port=smoke.port,
        environment=smoke.environment,
        secrets=random_values,
        memory_mb=smoke.memory_mb,
        cpus=smoke.cpus,
        pids=smoke.pids,
        labels=context.ports.ownership.labels,
    )


def _wait_until_ready(context: Context, container: Container, role: str) -> None:
    """At once when it is ready, and at once when it has ended."""
    smoke, clock = context.settings.smoke, context.ports.clock
    deadline = clock.monotonic() + smoke.ready_timeout_s
    status = 0
    while clock.monotonic() < deadline:
        status = context.ports.traffic.status(container.base_url, smoke.ready_path, timeout_s=_ANSWER_S)
        if status == 200:
            return
        state = container.state()
        if not state.running:
            memory = " It ran out of memory." if state.out_of_memory else ""
            raise ContainerEnded(
                f"The {role} container ended with exit code {state.exit_code} before it was ready.{memory}",
                why=f"Its log ends with: {container.logs()[-_LOG_TAIL:].strip()}",
            )
        clock.sleep(_POLL_S)
    raise TargetFault(
        f"The {role} container was not ready within {smoke.ready_timeout_s:g} seconds.",
        why=f"{smoke.ready_path} was answered with {status}." if status else f"{smoke.ready_path} was not answered.",
    )
