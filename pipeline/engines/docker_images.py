"""The names of images in a Docker engine, and how they and nameless images are taken away: never by force."""

from __future__ import annotations

import time
from datetime import datetime
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
    """Remove the images without a name that have the label and had one, or were made, so long ago; how many."""
    # An image without a tag may still have a name by digest, and for this filter it is among them.
    found = client.images(filters={"dangling": True, "label": label})
    every = [image["Id"] for image in found if not _names(image)]
    old = [identity for identity in every if time.time() - _last_needed(client, identity) >= seconds]
    return sum(untag(client, identity) for identity in old)


def _names(listed: dict[str, Any]) -> list[str]:
    every = (*(listed.get("RepoTags") or ()), *(listed.get("RepoDigests") or ()))
    return [name for name in every if not name.startswith("<none>")]


def _last_needed(client: Any, identity: str) -> float:
    """When it was made or tagged last, in seconds since 1970: now, where it has just gone.

    When it was made is not enough: in what is reproducible that is the time of its sources.
    """
    try:
        told: dict[str, Any] = client.inspect_image(identity)
    except NotFound:
        return time.time()
    tagged = (told.get("Metadata") or {}).get("LastTagTime") or ""
    return max(datetime.fromisoformat(text).timestamp() for text in (told["Created"], tagged) if text)
