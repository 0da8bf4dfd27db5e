"""When an earlier push stands for a new one: a rehearsal while it is the current release, a real one if it is there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.containers import Manifest
from pipeline.core.stage import not_run
from pipeline.errors import RegistryTrouble
from pipeline.execution.clock import SystemClock
from pipeline.registry_opening import open_registries
from pipeline.settings import Settings
from pipeline.settings_push import Push
from pipeline.stages.context import Context
from pipeline.stages.push import PushStage
from pipeline.testing import SilentProgress
from tests.scripted_http import Reply, scripted_http
from tests.support import RememberedReleases, make_context, write_files

DIGEST = "sha256:" + "1" * 64
STAGE = PushStage(needs=())
RESULT = replace(not_run("push", "Only a value."), metrics={"manifest_digest": DIGEST})


@dataclass
class Asked:
    """Releases, and a registry that holds ``there``; ``requests`` are what it was asked."""

    last_release: str | None = None
    there: str = ""
    trouble: bool = False
    requests: list[str] = field(default_factory=list)

    def last(self, place: str) -> str | None:
        """What was released last."""
        self.requests.append(f"record of {place}")
        return self.last_release

    def open(self) -> Any:
        """The registry."""
        return self

    def manifest(self, reference: str) -> Manifest | None:
        """What it holds."""
        self.requests.append(reference)
        if self.trouble:
            raise RegistryTrouble("It does not answer.")
        return Manifest(digest=reference, media_type="m", body=b"") if reference == self.there else None


def holds(folder: Path, asked: Asked, registry: str) -> bool:
    push = Push(registry=registry, repository="team/echo")
    context: Context = make_context(folder / "run", write_files(folder / "tree", {}), Settings(push=push))
    parts: dict[str, Any] = {"releases": asked, "registries": lambda: asked}
    return STAGE.still_holds(replace(context, ports=replace(context.ports, **parts)), RESULT)


@pytest.mark.parametrize(("released", "expected"), [(DIGEST, True), ("sha256:other", False), (None, False)])
def test_a_rehearsal_holds_while_its_release_is_the_current_one(
    tmp_path: Path, released: str | None, expected: bool
) -> None:
    asked = Asked(last_release=released)
    assert holds(tmp_path, asked, "") is expected
    assert asked.requests == ["record of rehearsal/team/echo"]


@pytest.mark.parametrize(
    ("asked", "expected"), [(Asked(there=DIGEST), True), (Asked(there="x"), False), (Asked(trouble=True), False)]
)
def test_a_real_registry_is_asked_once_for_the_digest(tmp_path: Path, asked: Asked, expected: bool) -> None:
    assert holds(tmp_path, asked, "registry.example.org") is expected
    assert asked.requests == [DIGEST]


@pytest.mark.parametrize(("status", "expected"), [(200, True), (404, False)])
def test_over_the_wire_that_is_one_request_and_no_more(tmp_path: Path, status: int, expected: bool) -> None:
    kind = "application/vnd.oci.image.manifest.v1+json"
    blob = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 2}
    body = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": blob, "layers": []}).encode()
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    reply = Reply(status=status, body=body, headers={"Content-Type": kind, "Docker-Content-Digest": digest})
    with scripted_http(lambda _: reply) as server:
        push = Push(registry=server.host, repository="team/echo")
        context = make_context(tmp_path / "run", write_files(tmp_path / "tree", {}), Settings(push=push))
        opened = open_registries(
            push, tmp_path, releases=RememberedReleases(), clock=SystemClock(), progress=SilentProgress(),
            redact=context.ports.redact, environ={},
        )  # fmt: skip
        context = replace(context, ports=replace(context.ports, registries=lambda: opened))
        result = replace(RESULT, metrics={"manifest_digest": digest})
        assert STAGE.still_holds(context, result) is expected
        opened.close()
    assert [(asked.method, asked.path) for asked in server.asked] == [("GET", f"/v2/team/echo/manifests/{digest}")]
