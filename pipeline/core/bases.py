"""The images that a build starts from, as a stage sees them: what they are and what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline.core.containers import ContainerEngine
from pipeline.core.image_inputs import ImageInput
from pipeline.core.ports import Progress

RUNTIME_ARGUMENT = "RUNTIME_IMAGE"
BUILDER_ARGUMENT = "BUILDER_IMAGE"
"""The build arguments by which a recipe is told its bases."""
BASE_LABEL = "pipeline.base"
"""The label by which each base, and whatever was built on it, is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """An image that has of a base all but what is in its files; ``image`` is its id. ``base`` is the docker-archive of
    the base itself.
    """

    image: str
    base: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseSet:
    """The two bases that belong together, both present in the engine.

    ``arguments`` maps build arguments to image ids; ``packages`` are the runtime's, as ``name version``; ``python`` is
    its Python, like ``3.13``; ``lock_digest`` (SHA-256, hexadecimal) names the content of both; ``archives`` maps a
    package to the SHA-256 of its archive. ``name`` is the runtime's; ``inputs`` are all that both were made from.
    ``replaced`` has a line for each package that was newer than the repository's lock, since the archive had lost it.
    ``outline`` is the runtime's, in the engine too.
    """

    arguments: Mapping[str, str]
    packages: tuple[str, ...]
    python: str
    release: str
    architecture: str
    lock_digest: str
    archives: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    inputs: tuple[ImageInput, ...] = ()
    replaced: tuple[str, ...] = ()
    outline: Outline | None = None


class BaseImages(Protocol):
    """Makes the bases, or takes those that were made before, and loads into an engine what it lacks."""

    def ensure(self, engine: ContainerEngine, progress: Progress) -> BaseSet:
        """The bases, ready to be built from. Raises FetchTrouble, EngineTrouble or StorageTrouble."""
        ...
