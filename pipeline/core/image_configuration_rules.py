"""The rules that an image's configuration and its recipe are judged by (see :mod:`pipeline.core.image_rules`)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.core.dockerfile_lines import Recipe
from pipeline.core.image_rules import Hit

_USER = re.compile(r"(?P<user>\d+)(:\d+)?")
_SECRET_NAME = re.compile(
    r"(SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)|(^|_)KEY(_|$)", re.I
)
# The public key with which Python's own images verify their sources.
_PUBLIC_NAMES = frozenset({"GPG_KEY"})
_KERNEL = ("/dev", "/proc", "/sys")
_UPDATE = re.compile(r"\b(apt-get|apt|aptitude|apk|yum|dnf)\s+(-\S+\s+)*update\b")
_INSTALL = re.compile(r"\b(install|add|upgrade)\b")
_UPGRADE = re.compile(r"\b(apt-get|apt|aptitude)\s+(-\S+\s+)*(dist-upgrade|full-upgrade)\b")
_SUDO = re.compile(r"(^|[\s;&|(])sudo\s")


def configuration_hits(user: str, configuration: Mapping[str, Any]) -> Iterator[Hit]:
    """What the configuration alone tells: the user, the health check, variables, volumes."""
    if not runs_as_numeric_user(user):
        shown = user or "root (none is set)"
        message = f"The user of the image is {shown}; it must be a number that is not 0."
        yield Hit(rule="CIS-DI-0001", message=message, keyword="USER")
    if not has_health_check(configuration):
        yield Hit(rule="CIS-DI-0006", message="The image has no health check.", keyword="HEALTHCHECK")
    for name in secret_variables(configuration):
        message = f"The variable {name} of the image has a value and looks like a credential by its name."
        yield Hit(rule="CIS-DI-0010", message=message, keyword="ENV", about=name)
    for volume in sorted(configuration.get("Volumes") or {}):
        place = posixpath.normpath(f"/{volume}")
        place = f"/{place.lstrip('/')}"
        if any(place == top or place.startswith(f"{top}/") for top in _KERNEL):
            message = f"The volume {volume} lies over what belongs to the kernel."
            yield Hit(rule="DKL-DI-0002", message=message, keyword="VOLUME", about=volume)


def recipe_hits(recipe: Recipe) -> Iterator[Hit]:
    """What the recipe says by itself, of all stages: they make what the last one copies."""
    for instruction in recipe.instructions:
        if instruction.keyword == "ADD":
            words = " ".join(instruction.words[:-1])
            yield Hit(rule="CIS-DI-0009", message=f"ADD brings {words} into the image.", line=instruction.line)
        if instruction.keyword == "RUN":
            yield from _run_hits(instruction.value, instruction.line)
    for instruction, image in recipe.bases():
        name, _, digest = image.partition("@")
        tag = name.rpartition("/")[2].partition(":")[2]
        if image and image != "scratch" and not digest and tag in ("", "latest"):
            message = f"The base image {image} is whatever is the latest today."
            yield Hit(rule="DKL-DI-0006", message=message, line=instruction.line)


def runs_as_numeric_user(user: str) -> bool:
    """Whether USER is a number other than 0."""
    match = _USER.fullmatch(user)
    return match is not None and int(match["user"]) != 0


def has_health_check(configuration: Mapping[str, Any]) -> bool:
    """Whether HEALTHCHECK is there and not NONE."""
    test = (configuration.get("Healthcheck") or {}).get("Test") or []
    return bool(test) and test != ["NONE"]


def secret_variables(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of variables that look like secrets and have a value."""
    return tuple(
        sorted(
            name
            for name, value in environment(configuration).items()
            if value and name not in _PUBLIC_NAMES and _SECRET_NAME.search(name)
        )
    )


def environment(configuration: Mapping[str, Any]) -> dict[str, str]:
    """The variables that the image sets."""
    pairs = [str(item).partition("=") for item in configuration.get("Env") or []]
    return {name: value for name, _, value in pairs}


def _run_hits(value: str, line: int) -> Iterator[Hit]:
    if _UPDATE.search(value) and not _INSTALL.search(_UPDATE.sub("", value)):
        yield Hit(rule="CIS-DI-0007", message="RUN fetches package lists and installs nothing.", line=line)
    if _UPGRADE.search(value):
        yield Hit(rule="DKL-DI-0003", message="RUN upgrades the whole distribution.", line=line)
    if _SUDO.search(value):
        yield Hit(rule="DKL-DI-0001", message="RUN uses sudo.", line=line)
