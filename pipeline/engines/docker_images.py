"""The names of images in a Docker engine, and how they and nameless images are taken away: never by force."""

from __future__ import annotations

import time
from typing import Any

import docker
from docker.errors import APIError, NotFound

from pipeline.engines.docker_faults import status_of

_CONFLICT = 409


def names_of(client: Any, reference: str) -> tuple[str, ...]:
    """The tags and the names by digest of the image with this name; nothing when there is none."""
    try:
        answer: dict[str, Any] = client.inspect_image(reference)
    except NotFound:
        return ()
    return (*(answer.get("RepoTags") or ()), *(answer.get("RepoDigests") or ()))


def untag(client: docker.APIClient, name: str) -> bool:
    """Take the name away; whether that was done. An image that a container uses keeps its last name."""
    try:
        client.remove_image(name, force=False)
    except NotFound:
        return False
    except APIError as error:
        if status_of(error) != _CONFLICT:
            raise
        return False
    return True


def remove_nameless(client: docker.APIClient, label: str, seconds: float) -> int:
    """Remove the images without a name that have the label and were made so many seconds ago or more; how many."""
    found = client.images(filters={"dangling": True, "label": label})
    old = [image for image in found if time.time() - image["Created"] >= seconds]
    return sum(untag(client, image["Id"]) for image in old)
