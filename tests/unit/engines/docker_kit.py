"""Requests for an engine adapter in front of a fake engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from pipeline.core.containers import BuildRequest, ContainerRequest
from pipeline.engines.discovery import Endpoint
from tests.fake_dockerd import Call

ID = "sha256:" + "1" * 64
PATIENCE_S = 60.0
"""How long an engine may be silent in tests that are not about its silence; a busy machine is, for seconds."""
SILENCE_S = 1.0
"""How long it may be in those that are."""


def endpoint(folder: Path) -> Endpoint:
    """Where the fake engine listens."""
    return Endpoint(address=f"unix://{folder}/docker.sock", named_by="the test")


def build_request(folder: Path, **changes: Any) -> BuildRequest:
    """A build of an empty context."""
    context = folder / "context.tar"
    context.write_bytes(b"\0" * 1024)
    request = BuildRequest(
        context=context, dockerfile="Dockerfile", tag="sample:1", arguments={"A": "b"}, labels={}, timeout_s=20.0
    )
    return replace(request, **changes)


def container_request(**changes: Any) -> ContainerRequest:
    """A container with a secret."""
    request = ContainerRequest(image=ID, name="sample", port=5000, secrets={"KEY": "a-long-secret"})
    return replace(request, **changes)


def query(call: Call) -> dict[str, list[str]]:
    """What stands behind the question mark."""
    return parse_qs(call.text)
